"""Commands on a disk that is really full: one line, exit status 1; with room, the same bytes as without the trouble."""

import pathlib
import subprocess

import pytest

from tests.commands.environment_test import EXPLAIN, PROGRAM, TRAIN, shell
from tests.conftest import write_graph

pytestmark = pytest.mark.slow
EVALUATE = "evaluate --run_dir=run --ks=1 --num_queries=3 --jobs=1"
COMMANDS = {
    "train": ("", TRAIN),
    "evaluate": (TRAIN, EVALUATE),
    "suspects": (TRAIN, "suspects --run_dir=run"),
    "export": (TRAIN, "export --run_dir=run"),
    "explain": (TRAIN, f"{EXPLAIN} --report=run/page.html --overwrite"),
}
# Files that have no times in them.
# Pages tell the folder of the data, and the command.
_SAME = (".npy", ".csv", ".tsv", ".txt")


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    """The files that must be the same, by their paths."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in _SAME and path.is_file()
    }


def on_a_full_disk(folder: pathlib.Path, before: str, command: str, room: int) -> subprocess.CompletedProcess[str]:
    """Runs a command on a disk with so many kilobytes left, and again with room; leaves the disk in `out`."""
    script = f"""
    mount -t tmpfs -o size=64m none disk && cp -r graph disk && cd disk || exit 77
    {f"{PROGRAM} {before} >/dev/null 2>&1" if before else ":"}
    mount -o remount,size=$(( $(df --output=used . | tail -1) + {room} ))k . || exit 77
    {PROGRAM} {command} >/dev/null
    echo $? >../status
    mount -o remount,size=64m . && {PROGRAM} {command} >/dev/null 2>../again && cp -r run ../out
    """
    return shell(f"unshare -m bash -c '{script}'", folder)


@pytest.mark.parametrize("room", [0, 8, 24])
@pytest.mark.parametrize("name", COMMANDS)
def test_one_line_then_the_same_bytes(tmp_path: pathlib.Path, name: str, room: int) -> None:
    before, command = COMMANDS[name]
    write_graph(tmp_path / "graph")
    (tmp_path / "disk").mkdir()
    done = on_a_full_disk(tmp_path, before, command, room)
    if done.returncode in (1, 77) and not (tmp_path / "status").exists():
        pytest.skip(f"cannot mount a disk here: {done.stderr}")
    assert done.returncode == 0, (done.stderr, (tmp_path / "again").read_text())
    told = [line for line in done.stderr.splitlines() if line.startswith("gr_tf")]
    if (tmp_path / "status").read_text() == "0\n":
        assert room, "nothing was written"
        assert not told
    else:
        assert (tmp_path / "status").read_text() == "1\n"
        assert len(told) == 1, done.stderr
        assert "cannot be written" in told[0] or "No space left" in told[0]
        assert "run" in told[0]
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").rglob(".tmp-*"))
    for line in (before, command):
        assert not line or shell(f"{PROGRAM} {line}", tmp_path).returncode == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "run")
