"""What results say of how they were made."""

import pathlib
import subprocess
import sys

import pytest

from gr_tf.runs import made_with
from gr_tf.version import VERSION


def test_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = made_with.made_with()
    assert told["gr_tf"] == VERSION
    assert told["instruction_set"]
    assert told["command"]
    monkeypatch.setattr(made_with, "_commit", lambda: "")
    assert "commit" not in made_with.made_with()


def test_the_commit(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "gr_tf").mkdir()
    for name in ("setup.py", "gr_tf/a.py"):
        (tmp_path / name).write_text("1")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "--short=12", "HEAD"], text=True).strip()
    monkeypatch.setattr(made_with, "_ROOT", tmp_path)
    told = made_with._commit.__wrapped__
    assert told() == commit
    (tmp_path / "notes.txt").touch()
    assert told() == commit
    (tmp_path / "gr_tf" / "a.py").write_text("2")
    assert told() == f"{commit}+"
    monkeypatch.setattr(made_with, "_ROOT", tmp_path / "gr_tf")  # installed
    assert told() == ""


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/bin/gr_tf", "explain", "--query=a b,?"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert made_with.made_with()["command"] == "gr_tf explain '--query=a b,?'"


def test_the_command_tells_paths_from_the_working_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    paths = [
        f"--data_dir={tmp_path}/data",
        "--run_dir=runs/one",
        f"{tmp_path}/here/x.npz",
        "--query=/m/06w92,/people/person,?",
    ]
    monkeypatch.setattr(sys, "argv", ["gr_tf", "explain", *paths])
    told = made_with.made_with()["command"]
    assert told.endswith("explain --data_dir=../data --run_dir=runs/one x.npz '--query=/m/06w92,/people/person,?'")


def test_what_xla_may_use_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--a=1 --xla_cpu_max_isa=SSE4_2")
    assert made_with.made_with()["instruction_set"] == "sse4_2"


def test_only_what_decides_is_a_difference() -> None:
    now = made_with.made_with()
    assert made_with.difference({**now, "command": "x", "commit": "y", "cpu": "z", "python": "4"}, now) == ""
    assert made_with.difference({**now, "numpy": "1"}, now) == f"numpy 1, not {now['numpy']}"
    on_gpu = {**now, "device": "GPU"}
    assert made_with.difference(on_gpu, now) == "device GPU, not None"
    assert made_with.difference({}, on_gpu).count("None, not") == len(made_with.DECISIVE)
