"""Run directories: never overwritten unasked, never continued with other settings."""

import json
import pathlib
import shutil

import pytest

from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.made_with import made_with
from gr_tf.runs.run_dir import CHECKPOINTS, RunDir

TEMPORARY = f".tmp-1-{'0' * 32}"
SETTINGS = {"dataset": "toy", "config": {"dim": 3, "rate": 0.1}}


def test_begin_continue_finish_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a" / "train"
    with RunDir.begin(path, SETTINGS) as run_dir:
        assert not run_dir.is_finished
        run_dir.place("work").write_text("half")
    with RunDir.begin(path, SETTINGS) as run_dir:
        assert (path / "work").exists()
        run_dir.finish({"value": 0.1 + 0.2})
    opened = RunDir.finished(path, "gr_train")
    assert opened.settings == SETTINGS
    assert opened.result()["value"] == 0.1 + 0.2
    made_with = opened.result()["made_with"]
    assert {"gr_tf", "python", "tensorflow", "numpy", "instruction_set", "command"} <= set(made_with)
    assert files.read_json(path / "run.json")["made_with"] == made_with
    assert "begun_with" not in opened.result()


def test_finished_is_refused_unless_asked(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        run_dir.finish({"a": 1})
    with pytest.raises(InputError, match=r"is already finished: see .*result.json. Pass overwrite=True"):
        RunDir.begin(tmp_path, SETTINGS)
    with RunDir.begin(tmp_path, SETTINGS, reuse=True) as run_dir:
        assert run_dir.result()["a"] == 1
    with pytest.raises(InputError, match=r"begun with config.dim = 3, not 4"):
        RunDir.begin(tmp_path, SETTINGS | {"config": {"dim": 4, "rate": 0.1}}, reuse=True)
    with RunDir.begin(tmp_path, SETTINGS, overwrite=True) as run_dir:
        assert not run_dir.is_finished


def test_only_what_the_stage_wrote_is_deleted(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    path = tmp_path / "train"
    with RunDir.begin(path, SETTINGS) as run_dir:
        run_dir.place("old").mkdir()
        (run_dir.place("old") / "x").touch()
        run_dir.place("link").symlink_to(tmp_path / "elsewhere")
        run_dir.finish({"a": 1})
    (path / "thesis.tex").write_text("years of work")
    (path / ".tmp-mine").touch()
    with RunDir.begin(path, SETTINGS, overwrite=True) as run_dir:
        assert not run_dir.is_finished
    assert sorted(child.name for child in path.iterdir() if child.name != ".lock") == [
        ".tmp-mine",
        "run.json",
        "thesis.tex",
    ]
    assert (tmp_path / "elsewhere" / "kept").exists()
    assert f"{path}: .tmp-mine, thesis.tex: not written by this stage, and left there." in capsys.readouterr().err
    RunDir.drop(path)
    assert (path / "thesis.tex").read_text() == "years of work"
    assert not (path / "run.json").exists()


def test_checkpoints_are_gone_when_it_is_finished(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        run_dir.place(CHECKPOINTS).mkdir()
        run_dir.finish({"a": 1})
        assert not (tmp_path / CHECKPOINTS).exists()
        (tmp_path / CHECKPOINTS).mkdir()  # killed between result.json and the deletion
    with RunDir.begin(tmp_path, SETTINGS, reuse=True):
        assert not (tmp_path / CHECKPOINTS).exists()


@pytest.mark.parametrize("name", ["gr_tf", "tensorflow", "numpy", "instruction_set"])
def test_other_versions_are_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    now = made_with()
    for other in ({**now, name: "another"}, {key: value for key, value in now.items() if key != name}):
        with RunDir.begin(tmp_path, SETTINGS, overwrite=True):
            pass
        with monkeypatch.context() as context:
            context.setattr("gr_tf.runs.run_dir.made_with", lambda other=other: other)
            with pytest.raises(
                InputError,
                match=rf"was begun with {name} {now[name]}, not .* Pass gr_tf.runs.run_dir.RunDir.any_version",
            ):
                RunDir.begin(tmp_path, SETTINGS)
            context.setattr(RunDir, "any_version", True)
            for _ in range(2):
                with RunDir.begin(tmp_path, SETTINGS):
                    pass
            with RunDir.begin(tmp_path, SETTINGS) as run_dir:
                run_dir.finish({})
        assert run_dir.result()["begun_with"] == [now]
        assert run_dir.result()["made_with"] == other
        # What is finished says what made it, and can be read by any version.
        with RunDir.begin(tmp_path, SETTINGS, reuse=True):
            pass


def test_another_commit_is_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunDir.begin(tmp_path, SETTINGS):
        pass
    now = {**made_with(), "commit": "0123456789ab"}
    monkeypatch.setattr("gr_tf.runs.run_dir.made_with", lambda: now)
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        run_dir.finish({})
    assert run_dir.result()["made_with"]["commit"] == "0123456789ab"
    assert len(run_dir.result()["begun_with"]) == 1


@pytest.mark.parametrize("name", ["run.json", "result.json"])
@pytest.mark.parametrize("text", ["{}", "[]", "null", "", "{", '{"settings": {}}', "[" * 100000, '"a"', "NaN", "\xff"])
def test_damaged_files_are_named(tmp_path: pathlib.Path, name: str, text: str) -> None:
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        run_dir.finish({"value": 1.5})
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=f"{name}: not (a JSON file|written by)") as caught:
        RunDir.begin(tmp_path, SETTINGS, reuse=True)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["run.json", "result.json"])
def test_edits_are_noticed(tmp_path: pathlib.Path, name: str) -> None:
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        run_dir.finish({"value": 1.5, "predictions": [1, 2]})
    path = tmp_path / name
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text)))  # another layout is no edit
    with RunDir.begin(tmp_path, SETTINGS, reuse=True):
        pass
    edits = [("0.1", "0.2"), ('"dataset": "toy"', '"dataset": "toi"')]
    if name == "result.json":
        edits += [("1.5", "1.50001"), ("[1, 2]", "[1]"), ("1.5", "NaN"), ('"value"', '"valve"')]
    for before, after in edits:
        path.write_text(json.dumps(json.loads(text)).replace(before, after, 1))
        with pytest.raises(InputError, match=f"{name}: truncated or edited: its checksum is another"):
            RunDir.begin(tmp_path, SETTINGS, reuse=True)


def test_the_result_of_another_stage(tmp_path: pathlib.Path) -> None:
    for place, settings in ((tmp_path / "a", SETTINGS), (tmp_path / "b", SETTINGS | {"dataset": "other"})):
        with RunDir.begin(place, settings) as run_dir:
            run_dir.finish({})
    shutil.copy(tmp_path / "b" / "result.json", tmp_path / "a" / "result.json")
    with pytest.raises(InputError, match=r"a/result.json: is of other settings than .*a/run.json"):
        RunDir.begin(tmp_path / "a", SETTINGS, reuse=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_run_is_left_alone(tmp_path: pathlib.Path, overwrite: bool) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"has files but no run.json: gr_tf did not make this folder, and leaves it"):
        RunDir.begin(tmp_path, SETTINGS, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_kill_while_overwriting_can_be_overwritten(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        run_dir.place("rollback").mkdir()
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
    with pytest.raises(InputError, match=r"run.json: not written by this gr_tf: it has no checksum"):
        RunDir.begin(tmp_path, SETTINGS, overwrite=overwrite)
    assert (tmp_path / "data").exists()


def test_other_settings_are_refused(tmp_path: pathlib.Path) -> None:
    with RunDir.begin(tmp_path, SETTINGS):
        pass
    before = files.sha256(tmp_path / "run.json")
    with pytest.raises(InputError, match=r"begun with dataset = 'toy', not 'other'"):
        RunDir.begin(tmp_path, SETTINGS | {"dataset": "other"})
    assert files.sha256(tmp_path / "run.json") == before
    with RunDir.begin(tmp_path, SETTINGS) as run_dir:
        run_dir.finish({})
    with RunDir.begin(tmp_path, SETTINGS, replace=True, reuse=True) as run_dir:
        assert run_dir.is_finished
    with RunDir.begin(tmp_path, SETTINGS | {"dataset": "other"}, replace=True, reuse=True) as run_dir:
        assert not run_dir.is_finished


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
    (tmp_path / f"{TEMPORARY}-run.json").touch()  # killed while it wrote run.json
    with RunDir.begin(tmp_path, SETTINGS):
        assert not (tmp_path / f"{TEMPORARY}-run.json").exists()
    (tmp_path / "checkpoints" / f"{TEMPORARY}-x").mkdir(parents=True)
    with RunDir.begin(tmp_path, SETTINGS):
        assert list((tmp_path / "checkpoints").iterdir()) == []
