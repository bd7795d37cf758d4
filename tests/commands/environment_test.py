"""Odd surroundings of a process: its streams, signals, paths, home, limits. Each ends as told, never in a traceback."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.commands.program import ROOT
from tests.conftest import write_graph

# Tests that a shell runs in the background inherit that Ctrl-C is ignored.
HEARS_CTRL_C = ("env", "--default-signal=INT")
PROGRAM = f"{sys.executable} -m gr_tf"
TRAIN = "train --data_dir=graph --run_dir=run --dim=4 --epochs=2 --tune_minutes=0"
EXPLAIN = "explain --data_dir=graph --run_dir=run --query=e1,r1,? --dim=4 --epochs=2 --tune_minutes=0"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with a small graph."""
    write_graph(tmp_path / "graph")
    # Without repeated triples, which are told on standard error.
    seen: set[str] = set()
    for name in ("train", "valid", "test"):
        path = tmp_path / "graph" / f"{name}.txt"
        lines = dict.fromkeys(line for line in path.read_text().splitlines(keepends=True) if line not in seen)
        path.write_text("".join(lines))
        seen |= set(lines)
    return tmp_path


def shell(command: str, folder: pathlib.Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash, whose status is that of the first command of a pipe that fails."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=300,
        check=False,
    )


def one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Checks that a command ended with exit status 1 and one line that has these parts."""
    assert done.returncode == 1, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "error: " in done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize(
    ("command", "status"), [("--help", 0), ("explian", 1), pytest.param("train --dim=0", 1, marks=pytest.mark.slow)]
)
def test_closed_streams(folder: pathlib.Path, command: str, status: int) -> None:
    done = shell(f"{PROGRAM} {command} <&- >&- 2>&-", folder)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_a_reader_that_leaves(folder: pathlib.Path) -> None:
    """`true` reads nothing, `head` a line; the program ends as a Unix tool, quietly."""
    for reader in ("true", "head -1"):
        # More than a pipe holds, so that the reader has left.
        code = "from gr_tf.commands import main; main._USAGE *= 300; main.main(['--help'])"
        done = shell(f'{sys.executable} -c "{code}" | {reader}', folder)
        assert done.returncode == 141, done
        assert done.stderr == ""


def test_a_full_device(folder: pathlib.Path) -> None:
    one_line(shell(f"{PROGRAM} --help > /dev/full", folder), "standard output, or a file: No space left on device")


@pytest.mark.slow
def test_paths_that_are_not_utf8(folder: pathlib.Path) -> None:
    done = shell(f"mv graph $'gr\\xffph'; {PROGRAM} train --data_dir=$'gr\\xffph'", folder)
    one_line(done, r"the argument b'--data_dir=gr\xffph' is not UTF-8: rename what it names")
    done = shell(f"cd $'gr\\xffph'; {PROGRAM} train --data_dir=.", folder)
    one_line(done, "the current folder ", "is not UTF-8")


@pytest.mark.parametrize(
    "name",
    [
        "train.txt",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("valid.txt", "ratings.csv", "ratings.parquet")),
    ],
)
def test_a_pipe_as_a_file(folder: pathlib.Path, name: str) -> None:
    path = folder / "graph" / name
    path.unlink(missing_ok=True)
    if name.startswith("ratings"):
        shutil.rmtree(folder / "graph")
        (folder / "graph").mkdir()
    os.mkfifo(path)
    one_line(shell(f"timeout 60 {PROGRAM} {TRAIN}", folder), f"graph/{name}: not a regular file")
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    "milliseconds", [150, 400, *(pytest.param(some, marks=pytest.mark.slow) for some in range(100, 2000, 50))]
)
def test_interrupted_while_it_starts(folder: pathlib.Path, milliseconds: int) -> None:
    started = subprocess.Popen(
        [*HEARS_CTRL_C, *PROGRAM.split(), *TRAIN.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(milliseconds / 1000)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=60)
    assert started.returncode == 130
    assert [line.partition(".")[0] for line in told.splitlines()] == ["Interrupted"]


@pytest.mark.parametrize("gigabytes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_too_small_a_limit(folder: pathlib.Path, gigabytes: int) -> None:
    done = shell(f"ulimit -v {gigabytes << 20}; {PROGRAM} {TRAIN}", folder)
    one_line(done, "TensorFlow needs 4 GB of address space", f"the limit is {gigabytes}.0 GB", "ulimit -v 4194304")
    assert not (folder / "run").exists()


@pytest.mark.slow
def test_enough_of_a_limit(folder: pathlib.Path) -> None:
    done = shell(f"ulimit -v 4194304; {PROGRAM} {TRAIN} --jobs=4 && {PROGRAM} {EXPLAIN} --verify --jobs=4", folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_streams_while_it_works(folder: pathlib.Path) -> None:
    """With all streams closed; into a pipe that nobody reads; onto a full device; interrupted, terminated."""
    assert shell(f"{PROGRAM} {TRAIN} <&- >&- 2>&-", folder).returncode == 0
    assert sorted(path.name for path in (folder / "run" / "train").iterdir() if path.suffix == ".json") == [
        "result.json",
        "run.json",
    ]
    done = shell(f"{PROGRAM} {EXPLAIN} | true", folder)
    assert (done.returncode, done.stdout, done.stderr) == (141, "", "")
    done = shell(f"{PROGRAM} {EXPLAIN} 2>&1 | head -1", folder)
    assert done.returncode in (0, 141)
    assert len(done.stdout.splitlines()) == 1
    one_line(shell(f"{PROGRAM} {EXPLAIN} > /dev/full", folder), "standard output, or a file: No space left on device")


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [2.0, 5.0, 8.0])
def test_a_signal_at_any_time(folder: pathlib.Path, sent: signal.Signals, seconds: float) -> None:
    command = TRAIN.replace("--epochs=2", "--epochs=3000 --patience=3000")
    started = subprocess.Popen(
        [*HEARS_CTRL_C, *PROGRAM.split(), *command.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)
    started.send_signal(sent)
    _, told = started.communicate(timeout=60)
    assert started.returncode == (130 if sent == signal.SIGINT else -signal.SIGTERM)
    assert "Traceback" not in told
    assert told.count("Interrupted.") == int(sent == signal.SIGINT)


def unprivileged(command: str, folder: pathlib.Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as a user without name or home, who may write nothing of this."""
    other = "setpriv --reuid=54321 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
    if shell(f"{other} true", folder).returncode:
        pytest.skip("needs root and setpriv, to be a user who may read all and write nothing")
    return shell(f"unset HOME; {other} {command}", folder, **environment)


@pytest.mark.slow
def test_no_home_and_no_name(folder: pathlib.Path) -> None:
    one_line(unprivileged(f"{PROGRAM} train --dataset=wn18rr", folder), "no home folder", "GR_TF_CACHE")
    (folder / "work").mkdir()
    (folder / "work").chmod(0o777)
    done = unprivileged(f"{PROGRAM} {TRAIN.replace('=run', '=work/run')}", folder)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("training: ")] == []


@pytest.mark.slow
def test_a_finished_run_that_is_read_only(folder: pathlib.Path) -> None:
    assert shell(f"{PROGRAM} {TRAIN}", folder).returncode == 0
    before = sorted(folder.rglob("*"))
    expected = shell(f"{PROGRAM} {EXPLAIN}", folder)
    assert expected.returncode == 0
    done = unprivileged(f"{PROGRAM} {EXPLAIN}", folder)
    assert (done.returncode, done.stdout) == (0, expected.stdout), done.stderr
    assert sorted(folder.rglob("*")) == before
    one_line(unprivileged(f"{PROGRAM} {EXPLAIN} --seed=7", folder), "run")
    one_line(unprivileged(f"{PROGRAM} {EXPLAIN} --overwrite", folder), "run")
