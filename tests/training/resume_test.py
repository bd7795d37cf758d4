"""What only the checkpoint knows when a killed training goes on: the best epoch and the maxima before the kill."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest

from gr_tf.data.triples import TripleSet
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.driver import Selection, Training, train
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.triple_config import TripleConfig

CONFIG = TripleConfig(dim=4, num_negatives=3, epochs=4, learning_rate=0.03)
# The first epoch is the best by far.
SCORES = (0.9, 0.1, 0.2, 0.3)


class KilledError(Exception):
    pass


def trained(task: TripleTask, **options: Any) -> tuple[Training, np.ndarray]:
    """A training that selects the best of SCORES, and what its examples changed."""
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype)
    start = 0

    def resumed(blocks: int) -> None:
        nonlocal start
        start = blocks  # Each epoch is one block.

    def validate(parameters: object) -> dict[str, float]:
        nonlocal start
        start += 1
        return {"score": SCORES[start - 1]}

    kept = np.ones(task.num_examples, bool)
    training = train(
        task.steps, task.initial_parameters, kept, task.length, store=store,
        validate=validate, selection=Selection(metric="score"), on_resume=resumed, **options,
    )  # fmt: skip
    return training, store.to_numpy()


def killed_and_resumed(task: TripleTask, folder: pathlib.Path, done: int) -> tuple[Training, np.ndarray]:
    def kill(block: Any, *_: object) -> None:
        if block.number == done:
            raise KilledError

    checkpoints = CheckpointFolder(folder / str(done), every_seconds=0)
    with pytest.raises(KilledError):
        trained(task, checkpoints=checkpoints, on_block=kill)
    return trained(task, checkpoints=checkpoints)


@pytest.mark.parametrize("steps", ["dense", "rows"])
def test_the_best_epoch_before_the_kill_keeps_its_changes(toy: TripleSet, tmp_path: pathlib.Path, steps: str) -> None:
    task = TripleTask(toy, dataclasses.replace(CONFIG, steps=steps))
    assert [block.ends for block in task.steps.blocks(4)] == [1, 2, 3, 4]
    whole, deltas = trained(task)
    assert whole.epoch == 1
    for done in (1, 3):
        resumed, changed = killed_and_resumed(task, tmp_path, done)
        assert (resumed.epoch, resumed.history) == (1, whole.history)
        np.testing.assert_array_equal(resumed.parameters.table, whole.parameters.table)
        np.testing.assert_array_equal(changed, deltas)


def test_the_largest_lipschitz_constant_before_the_kill_is_kept(
    toy: TripleSet, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the first epoch has the largest; in most trainings it grows."""
    task = TripleTask(toy, CONFIG)
    run = task.steps.run
    monkeypatch.setattr(
        task.steps,
        "run",
        lambda state, block, kept: (
            (told := run(state, block, kept))[0],
            told[1]._replace(lipschitz=10.0 - block.number),
        ),
    )
    for done in (1, 3):
        resumed, _ = killed_and_resumed(task, tmp_path, done)
        assert [epoch.lipschitz for epoch in resumed.history] == [10.0] * 4
