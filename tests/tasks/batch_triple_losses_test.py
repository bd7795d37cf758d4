"""The losses of triples that batches train: those that training minimises, one triple at a time."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.triples import TripleSet
from gr_tf.tasks.batch_triple_losses import BatchTripleLosses
from gr_tf.tasks.kinds import own_config
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.batch_triple_steps import BatchTripleSteps
from gr_tf.training.triple_config import TripleConfig

CONFIG = TripleConfig(dim=4, num_negatives=3, batch_size=1, epochs=1, optimizer="adagrad", reciprocal=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"candidates": "1vsall"},
        {"candidates": "1vsall", "loss": "sigmoid"},
        {"num_negatives": 9, "penalty": 0.1},
        {"num_negatives": 9, "reciprocal": False},
    ],
    ids=str,
)
def test_with_all_candidates_they_are_the_training_losses(toy: TripleSet, changes: dict[str, Any]) -> None:
    task = TripleTask(toy, dataclasses.replace(CONFIG, **changes))
    losses, table = task.losses(), task.initial_parameters.table
    assert isinstance(losses, BatchTripleLosses)
    ids = losses.rows(losses.train)
    assert ids.shape[1] == losses.lookups
    ours = losses.losses(tf.gather(table, ids), (), losses.train).numpy()

    steps = task.steps
    assert isinstance(steps, BatchTripleSteps)
    kept = np.ones(toy.num_examples, bool)
    for block in steps.blocks(1):
        for place in range(min(block.count, 10)):
            # From the initial values, so that each batch of one tells the loss of its triple there.
            one = dataclasses.replace(block, first=block.first + place, count=1)
            state = steps.start(task.initial_parameters, np.zeros(0, np.int64), 0)
            _, trace = steps.run(state, one, kept)
            example_id = steps._order(0, 0)[one.first]
            np.testing.assert_allclose(trace.losses, ours[example_id], atol=1e-12)


def test_candidates_are_a_triples_own(toy: TripleSet) -> None:
    losses = TripleTask(toy, CONFIG).losses()
    _, drawn = losses.train
    np.testing.assert_array_equal(losses.batch(toy.train[7:9])[1], drawn[7:9])
    other = TripleTask(toy, dataclasses.replace(CONFIG, negatives_seed=1)).losses()
    assert (other.train[1] != drawn).any()
    assert set(np.unique(drawn)) == set(range(len(toy.entities)))
    assert drawn.shape == (toy.num_examples, 3)


def test_nations_has_the_papers_settings_unless_batches_are_asked_for() -> None:
    nations = TripleTask.read("nations", None, TripleTask.split_class())
    assert own_config("triples", nations, {"epochs": 3}) == TripleConfig(epochs=3)
    for asked in ({"optimizer": "adagrad"}, {"batch_size": 64}, {"reciprocal": True}, {"candidates": "1vsall"}):
        config = own_config("triples", nations, asked)
        assert config.in_batches
        assert config.learning_rate == 0.1
    assert own_config("triples", nations, {"reciprocal": False, "optimizer": "adagrad"}).learning_rate == 0.1
