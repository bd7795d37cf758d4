"""Two processes at once, and other seeds of hashes, jobs and threads: the same bytes, or one is refused."""

import os
import pathlib
import shutil
import subprocess

import pytest

from tests.commands.environment_test import EXPLAIN, PROGRAM, TRAIN, shell
from tests.commands.full_disk_test import contents
from tests.commands.program import ROOT
from tests.conftest import write_graph

pytestmark = pytest.mark.slow
EVALUATE = "evaluate --run_dir=run --ks=1,3 --num_queries=4 --jobs={jobs}"
# The other works there, or has written the file that was not there before.
REFUSED = ("another process is working on it.", "exists already.", "Directory not empty")
# By name: what is done before, and the command.
COMMANDS = {
    "train": ("", TRAIN),
    "tuned": ("", "train --data_dir=graph --run_dir=run --tune_minutes=0.1"),
    "explain": ("", f"{EXPLAIN} --report=run/page.html --overwrite"),
    "evaluate": (TRAIN, EVALUATE.format(jobs=1)),
    "suspects": (TRAIN, "suspects --run_dir=run"),
    "export": (TRAIN, "export --run_dir=run"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_two_processes_at_once(tmp_path: pathlib.Path, name: str) -> None:
    """One may be refused in one line, because the other works there; what is written is what one alone writes."""
    before, command = COMMANDS[name]
    write_graph(tmp_path / "graph")
    if before:
        assert shell(f"{PROGRAM} {before}", tmp_path).returncode == 0
    shutil.copytree(tmp_path, tmp_path / "alone")
    both = [
        subprocess.Popen(
            [*PROGRAM.split(), *command.split()],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=300)[1] for process in both]
    assert 0 in [process.returncode for process in both], told
    for process, text in zip(both, told, strict=True):
        assert "Traceback" not in text
        if process.returncode:
            assert process.returncode == 1
            assert any(words in text.splitlines()[-1] for words in REFUSED)
    assert not list(tmp_path.rglob(".tmp-*"))
    if name != "tuned":  # What is tried depends on the time.
        assert shell(f"{PROGRAM} {command}", tmp_path / "alone").returncode == 0
        assert contents(tmp_path / "run") == contents(tmp_path / "alone" / "run")


def test_hash_seeds_jobs_and_threads_change_nothing(tmp_path: pathlib.Path) -> None:
    """Every command that writes, in three surroundings; and what they print."""
    found = []
    for hash_seed, jobs, threads in (("0", 1, "1"), ("7", 2, "2"), ("random", 3, "4")):
        folder = tmp_path / f"{hash_seed}-{jobs}"
        write_graph(folder / "graph")
        printed = ""
        for command in (
            TRAIN,
            EVALUATE.format(jobs=jobs),
            f"{EXPLAIN} --verify --jobs={jobs} --report=run/page.html --overwrite --output=csv",
            "suspects --run_dir=run",
            "export --run_dir=run",
        ):
            done = shell(
                f"{PROGRAM} {command}",
                folder,
                PYTHONHASHSEED=hash_seed,
                OMP_NUM_THREADS=threads,
                TF_NUM_INTEROP_THREADS=threads,
                TF_NUM_INTRAOP_THREADS=threads,
            )
            assert done.returncode == 0, done.stderr
            printed += done.stdout
        told = {
            name: content.replace(f"--jobs={jobs}".encode(), b"") for name, content in contents(folder / "run").items()
        }
        found.append((printed, told))
    assert found[0] == found[1] == found[2]
