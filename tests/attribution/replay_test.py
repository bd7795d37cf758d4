from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.replay import Replay
from gr_tf.data.negatives import draw_candidates
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.losses import LOSSES
from gr_tf.models.prediction import tail_probabilities
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer

QUERIES = [Query(0, 0, 1), Query(2, 1, 2), Query(3, 0, 0)]


def weighted_training(trainer: Trainer) -> Callable[[np.ndarray], np.ndarray]:
    """From the weights of the examples' steps to the probabilities after the training, written plainly."""
    config, model, triples = trainer.config, trainer.model, trainer.triples
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
        table = tf.constant(trainer.initial_table)
        state = (table, *adam.initial_slots(table), tf.constant(0.0, tf.float64))
        for _ in range(config.epochs):
            for place, weight in enumerate(tf.constant(weights)):
                state = step(state, weight, rows[place])
        return tail_probabilities(model, state[0], QUERIES)

    return train


@pytest.fixture(params=["distmult", "complex"])
def trainer(request: pytest.FixtureRequest, toy: TripleSet) -> Trainer:
    loss = "softmax" if request.param == "distmult" else "sigmoid"
    config = TrainConfig(model=request.param, dim=3, num_negatives=4, epochs=2, learning_rate=0.02, loss=loss)
    return Trainer(toy, config)


def test_equals_finite_differences(trainer: Trainer) -> None:
    found = Replay(trainer, segment=25).influences(QUERIES)
    weighted = weighted_training(trainer)
    ones = np.ones(trainer.triples.num_examples)
    np.testing.assert_allclose(
        weighted(ones), tail_probabilities(trainer.model, trainer.run().table, QUERIES), rtol=1e-12
    )
    for example_id in (0, 17, len(ones) - 1):
        step = 1e-5 * np.eye(len(ones))[example_id]
        measured = (weighted(ones + step) - weighted(ones - step)) / 2e-5
        np.testing.assert_allclose(found[:, example_id], measured, rtol=1e-6, atol=1e-9)


def test_segments_and_batches_change_nothing(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Replay(trainer, segment=1000)
    found = whole.influences(QUERIES)
    np.testing.assert_array_equal(whole.table, trainer.run().table)
    np.testing.assert_allclose(Replay(trainer, segment=7).influences(QUERIES), found, rtol=1e-9, atol=1e-15)
    monkeypatch.setattr("gr_tf.attribution.replay._ADJOINT_NUMBERS", 1)
    np.testing.assert_allclose(Replay(trainer, segment=30).influences(QUERIES), found, rtol=1e-9, atol=1e-15)


def test_parts_by_epoch(trainer: Trainer) -> None:
    parts = Replay(trainer).by_epoch(QUERIES)
    np.testing.assert_array_equal(parts.sum(axis=0), Replay(trainer).influences(QUERIES))
    later = Replay(trainer, first_epoch=2)
    np.testing.assert_array_equal(later.influences(QUERIES), parts[1])
    explanation = later.rank(QUERIES[1])
    np.testing.assert_allclose(explanation.influences, parts[1, 1, explanation.example_ids], rtol=1e-9, atol=1e-15)
    with pytest.raises(InputError, match="first_epoch must be from 1 to 2; got 3"):
        Replay(trainer, first_epoch=3)


def test_fewer_epochs(trainer: Trainer) -> None:
    replay = Replay(trainer, epochs=1)
    np.testing.assert_array_equal(replay.table, trainer.run(epochs=1).table)
    assert replay.rank(QUERIES[0]).probability == tail_probabilities(trainer.model, replay.table, QUERIES)[0]


@pytest.mark.parametrize("setting", [{"optimizer": "sgd"}, {"steps": "rows"}, {"constraint": "unit_norm"}])
def test_what_cannot_be_replayed(toy: TripleSet, setting: dict[str, str]) -> None:
    with pytest.raises(InputError, match="needs optimizer 'adam'"):
        Replay(Trainer(toy, TrainConfig(**setting)))  # type: ignore[arg-type]
