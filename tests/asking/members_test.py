"""Trainings that are averaged over: done once, and found again by later questions."""

import os
import pathlib

import numpy as np
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.data.triples import TripleSet
from gr_tf.errors import DamagedError
from gr_tf.runs import files
from gr_tf.tasks import stage
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

CONFIG = TripleConfig(dim=4, num_negatives=5, epochs=4, learning_rate=0.03)


@pytest.fixture
def run(toy: TripleSet, tmp_path: pathlib.Path) -> pathlib.Path:
    stage.train(TripleTask(toy, CONFIG), tmp_path / "run")
    return tmp_path / "run"


def test_they_are_trained_once(
    run: pathlib.Path, toy: TripleSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asker = Asker(stage.load(run, toy))
    answer = asker.answer("e1,r1,?", trainings=3)
    folder = run / "members"
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2"]
    for number in (1, 2):
        result = files.read_json(folder / str(number) / "train" / "result.json")
        assert result["settings"]["config"]["seed"] == CONFIG.seed + number
        assert result["epochs"] == asker.trained.epoch
        assert "quality" not in result
    # The same as without a folder.
    in_memory = Asker(train_in_memory(TripleTask(toy, CONFIG), validating=True)).answer("e1,r1,?", trainings=3)
    np.testing.assert_array_equal(answer.explanation.influences, in_memory.explanation.influences)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    capsys.readouterr()
    with monkeypatch.context() as context:
        context.setattr(TripleTask, "train", refuse)
        again = Asker(stage.load(run, toy))
        np.testing.assert_array_equal(
            again.answer("e1,r1,?", trainings=3).explanation.influences, answer.explanation.influences
        )
        assert again.answer("e2,r1,?", trainings=2).trainings == 2
    assert Asker(stage.load(run, toy)).answer("e2,r1,?", trainings=4).trainings == 4
    assert "1 more trainings" not in capsys.readouterr().out


def test_another_training_has_others(run: pathlib.Path, toy: TripleSet) -> None:
    """Members of a training that was replaced are replaced."""
    Asker(stage.load(run, toy)).members(2)
    task = TripleTask(toy, CONFIG).with_config(dim=5)
    stage.train(task, run, replace=True)
    _, member = Asker(stage.load(run, toy)).members(2)
    assert member.parameters.table.shape[1] == task.model.width


def test_a_damaged_one_is_told(run: pathlib.Path, toy: TripleSet) -> None:
    Asker(stage.load(run, toy)).members(2)
    path = run / "members" / "1" / "train" / "parameters" / "table.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedError, match=r"members/1/train/parameters/table.npy: truncated or edited"):
        Asker(stage.load(run, toy)).members(2)


def test_a_run_that_cannot_be_written(run: pathlib.Path, toy: TripleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert len(Asker(stage.load(run, toy)).members(2)) == 2
    assert not (run / "members").exists()
