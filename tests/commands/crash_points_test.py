"""A command that was killed at any change on disk leaves the same files when it is given again; see tests.crash_points.

`python -m tests.crash_points --points=500` does more of the same.
"""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.commands.program import ROOT
from tests.crash_cases import CASES
from tests.crash_points import Changes, differences, litter, snapshot, spread


def test_points_are_spread_over_all_cases() -> None:
    chosen = spread({"long": 100, "short": 3, "middle": 10}, 23)
    assert chosen == {"long": list(range(1, 101, 10)), "short": [1, 2, 3], "middle": list(range(1, 11))}
    assert sum(map(len, spread(dict.fromkeys(CASES, 1000), 500).values())) == 500


def test_files_are_compared_but_for_what_the_process_took(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events.1").write_text("at noon")
    (tmp_path / "result.json").write_text('{"rows": [{"pd": 1, "seconds": 2.5}], "peak_memory_bytes": 7}')
    (tmp_path / "table.csv").write_text("a,b\n")
    before = snapshot(tmp_path)
    assert list(before) == ["result.json", "table.csv", "tensorboard"]
    (tmp_path / "tensorboard" / "events.1").rename(tmp_path / "tensorboard" / "events.2")
    (tmp_path / "result.json").write_text('{"rows": [{"pd": 1, "seconds": 9}], "peak_memory_bytes": 8}')
    assert not list(differences(before, snapshot(tmp_path)))
    (tmp_path / "result.json").write_text('{"rows": [{"pd": 2, "seconds": 9}], "peak_memory_bytes": 8}')
    (tmp_path / "table.csv").unlink()
    (tmp_path / ".tmp-1").mkdir()
    after = snapshot(tmp_path)
    assert list(differences(before, after)) == [".tmp-1 is left over", "result.json differs", "table.csv is missing"]
    assert litter(after) == [".tmp-1"]


def test_changes_below_the_folder_are_counted(tmp_path: pathlib.Path) -> None:
    """In a process of its own: what listens to changes stays."""
    code = f"""if True:
        import pathlib, shutil
        from tests.crash_points import Changes
        folder = pathlib.Path({str(tmp_path / "work")!r})
        folder.mkdir()
        changes = Changes(str(folder), None)
        changes.listen()
        (folder.parent / "elsewhere").write_text("x")
        assert changes.count == 0
        (folder / "made").mkdir()
        (folder / "made" / "a").write_text("x")
        (folder / "made" / "a").read_text()
        assert changes.count == 2
        (folder / "made" / "a").replace(folder / "made" / "b")
        assert changes.count == 3
        shutil.rmtree(folder / "made")
        assert changes.count == 5
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=tmp_path, timeout=60)
    assert Changes(str(tmp_path), 1).count == 0


@pytest.mark.slow
def test_killed_commands_leave_the_same_files() -> None:
    """Points of every command."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.crash_points", "--points=60"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert f"60 points of {len(CASES)} commands" in process.stdout
    assert process.stdout.endswith("0 failed.\n")
