"""Run directories: never overwritten unasked, never continued with other settings."""

import pathlib

import pytest

from gr_tf import files
from gr_tf.errors import InputError
from gr_tf.report.run_dir import RunDir

SETTINGS = {"dataset": "toy", "config": {"dim": 3, "rate": 0.1}}


def test_begin_continue_finish_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a" / "train"
    with RunDir.begin(path, SETTINGS) as run_dir:
        assert not run_dir.is_finished
        (path / "work").write_text("half")
    with RunDir.begin(path, SETTINGS) as run_dir:
        assert (path / "work").exists()
        run_dir.finish({"value": 0.1 + 0.2})
    opened = RunDir.finished(path, "gr_train")
    assert opened.settings == SETTINGS
    assert opened.result()["value"] == 0.1 + 0.2
    assert set(opened.result()["versions"]) == {"python", "tensorflow", "numpy"}


def test_finished_is_refused_unless_asked(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        run_dir.finish({"a": 1})
    with pytest.raises(InputError, match=r"is already finished: see .*result.json. Pass --overwrite"):
        RunDir.begin(tmp_path, SETTINGS)
    with RunDir.begin(tmp_path, SETTINGS, reuse=True) as run_dir:
        assert run_dir.result()["a"] == 1
    with pytest.raises(InputError, match=r"begun with config.dim = 3, not 4"):
        RunDir.begin(tmp_path, SETTINGS | {"config": {"dim": 4, "rate": 0.1}}, reuse=True)
    (tmp_path / "old").mkdir()
    with RunDir.begin(tmp_path, SETTINGS, overwrite=True) as run_dir:
        assert not run_dir.is_finished
    assert not (tmp_path / "old").exists()


def test_overwrite_spares_what_is_no_run(tmp_path: pathlib.Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"has files but no run.json: .* --overwrite drops nothing"):
        RunDir.begin(tmp_path, SETTINGS, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_other_settings_are_refused(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, SETTINGS):
        pass
    before = files.sha256(tmp_path / "run.json")
    with pytest.raises(InputError, match=r"begun with dataset = 'toy', not 'other'"):
        RunDir.begin(tmp_path, SETTINGS | {"dataset": "other"})
    assert files.sha256(tmp_path / "run.json") == before


def test_absent_and_unfinished(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"train does not exist: run gr_train first"):
        RunDir.finished(tmp_path / "train", "gr_train")
    with RunDir.begin(tmp_path / "train", SETTINGS):
        pass
    with pytest.raises(InputError, match=r"train is not finished: run gr_train first"):
        RunDir.finished(tmp_path / "train", "gr_train")


def test_two_processes_cannot_work_on_one(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, SETTINGS), pytest.raises(InputError, match="another process is working on it"):
        RunDir.begin(tmp_path, SETTINGS)
    with RunDir.begin(tmp_path, SETTINGS):
        pass


def test_what_a_kill_left_is_swept(tmp_path: pathlib.Path) -> None:
    (tmp_path / "checkpoints" / ".tmp-x").mkdir(parents=True)
    with RunDir.begin(tmp_path, SETTINGS):
        assert list((tmp_path / "checkpoints").iterdir()) == []
