"""Run directories: never overwritten unasked, never continued with other settings."""

import pathlib

import pytest

from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir

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


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_left_alone(tmp_path: pathlib.Path, overwrite: bool) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"has files but no run.json: gr_tf did not make this folder, and leaves it"):
        RunDir.begin(tmp_path, SETTINGS, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_kill_while_overwriting_can_be_overwritten(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        (tmp_path / "rollback").mkdir()
        run_dir.finish({"a": 1})
    with monkeypatch.context() as context:
        context.setattr("shutil.rmtree", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            RunDir.begin(tmp_path, SETTINGS, overwrite=True)
    with pytest.raises(InputError, match="train is not finished"):
        RunDir.finished(tmp_path.rename(tmp_path.parent / "train"), "gr_train")
    with RunDir.begin(tmp_path.parent / "train", SETTINGS, overwrite=True) as run_dir:
        assert not (run_dir.path / "rollback").exists()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_made_from_another_stage(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, {"training_fingerprint": "a" * 64}):
        pass
    with pytest.raises(InputError, match="was made from another training than the one there is now"):
        RunDir.begin(tmp_path, {"training_fingerprint": "b" * 64})


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_foreign_run_json(tmp_path: pathlib.Path, overwrite: bool) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "data").touch()
    with pytest.raises(InputError, match=r"run.json: not written by gr_tf"):
        RunDir.begin(tmp_path, SETTINGS, overwrite=overwrite)
    assert (tmp_path / "data").exists()


def test_other_settings_are_refused(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, SETTINGS):
        pass
    before = files.sha256(tmp_path / "run.json")
    with pytest.raises(InputError, match=r"begun with dataset = 'toy', not 'other'"):
        RunDir.begin(tmp_path, SETTINGS | {"dataset": "other"})
    assert files.sha256(tmp_path / "run.json") == before
    (tmp_path / "result.json").write_text("{}")
    with RunDir.begin(tmp_path, SETTINGS, replace=True, reuse=True) as run_dir:
        assert run_dir.is_finished
    with RunDir.begin(tmp_path, SETTINGS | {"dataset": "other"}, replace=True, reuse=True) as run_dir:
        assert not run_dir.is_finished


def test_a_run_of_an_earlier_version(tmp_path: pathlib.Path) -> None:
    """One that was begun before the negatives had a seed goes on with the seed it had."""
    with RunDir.begin(tmp_path, SETTINGS):
        pass
    other, same = (SETTINGS | {"config": {"dim": 3, "rate": 0.1, "negatives_seed": seed}} for seed in (1, 0))
    with pytest.raises(InputError, match=r"begun with config.negatives_seed = None, not 1"):
        RunDir.begin(tmp_path, other)
    with RunDir.begin(tmp_path, same):
        pass


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
    (tmp_path / ".tmp-run").touch()  # killed while it wrote run.json
    with RunDir.begin(tmp_path, SETTINGS):
        assert not (tmp_path / ".tmp-run").exists()
    (tmp_path / "checkpoints" / ".tmp-x").mkdir(parents=True)
    with RunDir.begin(tmp_path, SETTINGS):
        assert list((tmp_path / "checkpoints").iterdir()) == []
