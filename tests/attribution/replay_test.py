"""Replay against finite differences of a training whose steps have weights, written plainly."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.replay import Replay
from gr_tf.data.negatives import draw_candidates
from gr_tf.data.triples import HEAD, RELATION, Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.prediction import answer_probabilities
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.losses import LOSSES
from gr_tf.training.triple_config import TripleConfig

QUERIES = [Query(0, 0, 1), Query(2, 1, 2), Query(3, 0, 0), Query(4, 2, 1, HEAD), Query(1, 3, 5, RELATION)]


def weighted_training(task: TripleTask) -> Callable[[np.ndarray], np.ndarray]:
    """From the weights of the examples' steps to the probabilities after the training, written plainly."""
    config, model, triples = task.config, task.model, task.dataset
    adam = config.make_optimizer()
    candidates = draw_candidates(triples.train, 0, len(triples.entities), config.num_negatives, config.negatives_seed)
    rows = tf.constant(np.concatenate([model.rows_of(triples.train)[:, :2], candidates], axis=1))

    @tf.function
    def step(state: Any, weight: Any, places: Any) -> Any:
        table, mean, square, count = state
        with tf.GradientTape() as tape:
            tape.watch(table)
            found = tf.gather(table, places)
            loss = LOSSES[config.loss](model.score(found[0], found[1], found[2:]))
        gradient = tf.convert_to_tensor(tape.gradient(loss, table))
        new_table, slots = adam.apply(table, (mean, square), gradient, count, config.learning_rate)
        new = (new_table, *slots, count + 1)
        return tuple(old + weight * (after - old) for old, after in zip(state, new, strict=True))

    def train(weights: np.ndarray) -> np.ndarray:
        table = tf.constant(task.initial_parameters.table)
        state = (table, *adam.initial_slots(table), tf.constant(0.0, tf.float64))
        for _ in range(config.epochs):
            for place, weight in enumerate(tf.constant(weights)):
                state = step(state, weight, rows[place])
        return answer_probabilities(model, state[0], QUERIES)

    return train


@pytest.fixture(scope="module", params=["distmult", pytest.param("complex", marks=pytest.mark.slow)])
def replayed(request: pytest.FixtureRequest, toy: TripleSet) -> Trained:
    loss = "softmax" if request.param == "distmult" else "sigmoid"
    config = TripleConfig(model=request.param, dim=3, num_negatives=4, epochs=2, learning_rate=0.02, loss=loss)
    return train_in_memory(TripleTask(toy, config), tracking=False)


def test_equals_finite_differences(replayed: Trained) -> None:
    found = Replay(replayed, first_epoch=1, segment=25).matrix(QUERIES)
    weighted = weighted_training(replayed.task)  # type: ignore[arg-type]
    ones = np.ones(replayed.task.num_examples)
    np.testing.assert_allclose(weighted(ones), replayed.task.value(replayed.parameters, QUERIES), rtol=1e-12)
    for example_id in (0, 17, len(ones) - 1):
        step = 1e-5 * np.eye(len(ones))[example_id]
        measured = (weighted(ones + step) - weighted(ones - step)) / 2e-5
        np.testing.assert_allclose(found[:, example_id], measured, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_segments_and_batches_change_nothing(replayed: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Replay(replayed, first_epoch=1, segment=1000)
    found = whole.matrix(QUERIES)
    np.testing.assert_array_equal(whole.table, replayed.parameters.table)
    for segment, numbers in ((7, 1 << 20), (30, 1)):
        monkeypatch.setattr("gr_tf.attribution.replay._ADJOINT_NUMBERS", numbers)
        again = Replay(replayed, first_epoch=1, segment=segment).matrix(QUERIES)
        np.testing.assert_allclose(again, found, rtol=1e-9, atol=1e-15)


@pytest.mark.slow
def test_parts_by_epoch(replayed: Trained) -> None:
    whole = Replay(replayed, first_epoch=1)
    parts = whole.by_epoch(QUERIES)
    np.testing.assert_array_equal(parts.sum(axis=0), whole.matrix(QUERIES))
    # The first epoch counts for nothing, unless it is asked for.
    for later in (Replay(replayed), Replay(replayed, first_epoch=2)):
        np.testing.assert_array_equal(later.matrix(QUERIES), parts[1])
    explanation = later.rank(QUERIES[1])
    np.testing.assert_allclose(explanation.influences, parts[1, 1, explanation.example_ids], rtol=1e-9, atol=1e-15)
    # A derivative is no estimate of the prediction without the triple.
    assert np.isnan(explanation.without).all()
    with pytest.raises(InputError, match="first_epoch must be from 1 to 2; got 3"):
        Replay(replayed, first_epoch=3)


@pytest.mark.slow
def test_fewer_epochs(replayed: Trained) -> None:
    """Of a training whose first epoch was selected, all that there is counts."""
    shorter = train_in_memory(replayed.task, length=1, tracking=False)
    assert shorter.epoch == 1
    replay = Replay(shorter)
    np.testing.assert_array_equal(replay.table, shorter.parameters.table)
    explanation = replay.rank(QUERIES[0])
    assert explanation.prediction == answer_probabilities(replayed.task.model, replay.table, QUERIES)[0]
    assert explanation.influences.any()


@pytest.mark.parametrize("setting", [{"optimizer": "sgd"}, {"steps": "rows"}, {"constraint": "unit_norm"}])
def test_what_cannot_be_replayed(toy: TripleSet, setting: dict[str, str]) -> None:
    task = TripleTask(toy, TripleConfig(**setting))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="needs optimizer 'adam'"):
        Replay(Trained(task, task.initial_parameters, 1))
