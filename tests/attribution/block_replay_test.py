"""Replay of batches against finite differences of trainings in which an example's losses have a weight."""

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.block_replay import BlockReplay
from gr_tf.attribution.credible import SHORTENED, spread
from gr_tf.attribution.methods import explainer
from gr_tf.data.triples import HEAD, Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.compared import OneTraining, compared
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training import batch_backward
from gr_tf.training.triple_config import TripleConfig

QUERIES = [Query(0, 0, 1), Query(2, 1, 2), Query(4, 2, 1, HEAD), Query(3, 0, 0), Query(1, 3, 5)]
IN_BATCHES = {
    "dim": 4,
    "epochs": 3,
    "batch_size": 7,
    "optimizer": "adagrad",
    "learning_rate": 0.1,
    "num_negatives": 4,
    "dtype": "float64",
}
SETTINGS: list[dict[str, Any]] = [
    {"reciprocal": True, "penalty": 0.01, "dropout": 0.2},
    {"model": "complex", "reciprocal": True, "penalty": 0.01, "loss": "sigmoid"},
    {"optimizer": "adam", "learning_rate": 0.02},
    {"optimizer": "sgd", "learning_rate": 1.0},
    {"model": "transe", "candidates": "1vsall", "label_smoothing": 0.1},
    {"candidates": "kvsall", "reciprocal": True},
]


def trained_with(toy: TripleSet, setting: dict[str, Any]) -> Trained:
    return train_in_memory(TripleTask(toy, TripleConfig(**{**IN_BATCHES, **setting})), tracking=False)


def measured(task: TripleTask, example_id: int, first_epoch: int) -> np.ndarray:
    """The derivatives of the predictions by an example's weight from an epoch on, by trainings with two weights."""
    values, size, steps = [], 1e-5, task.steps
    weights: np.ndarray = steps._weights  # type: ignore[union-attr]
    for change in (size, -size):
        state = steps.start(task.initial_parameters, np.zeros(0, int), task.config.seed)
        epoch = 1
        for block in steps.blocks(task.length):
            factor = np.ones(task.num_examples)
            factor[example_id] += change * (epoch >= first_epoch)
            steps._weights = weights * factor  # type: ignore[union-attr]
            state, _ = steps.run_untracked(state, block, np.ones(task.num_examples, bool))
            epoch += block.ends is not None
        values.append(task.value(steps.parameters(state), QUERIES))
    steps._weights = weights  # type: ignore[union-attr]
    difference: np.ndarray = (values[0] - values[1]) / (2 * size)
    return difference


@pytest.mark.parametrize(
    "setting",
    [SETTINGS[0], *(pytest.param(setting, marks=pytest.mark.slow) for setting in SETTINGS[1:])],
    ids=lambda setting: "-".join(map(str, setting.values())),
)
def test_equals_finite_differences(toy: TripleSet, setting: dict[str, Any]) -> None:
    trained = trained_with(toy, setting)
    for first_epoch in (1, 2):
        replay = BlockReplay(trained, first_epoch=first_epoch)
        # Not to the bit: XLA joins other operations where shares are wanted.
        np.testing.assert_allclose(replay.parameters.table, trained.parameters.table, rtol=1e-12, atol=1e-15)
        found = replay.matrix(QUERIES)
        for example_id in (0, 17, trained.task.num_examples - 1):
            told = measured(trained.task, example_id, first_epoch)  # type: ignore[arg-type]
            np.testing.assert_allclose(found[:, example_id], told, rtol=1e-6, atol=1e-9)
            assert np.abs(told).max() > 1e-6


@pytest.fixture(scope="module")
def replayed(toy: TripleSet) -> Trained:
    return trained_with(toy, SETTINGS[0])


@pytest.mark.slow
def test_parts_change_nothing(replayed: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer queries at a time, fewer predictions in a graph, or smaller blocks, but for rounding."""
    found = BlockReplay(replayed).matrix(QUERIES)
    monkeypatch.setattr("gr_tf.attribution.block_replay._ADJOINT_BYTES", 1)
    np.testing.assert_allclose(BlockReplay(replayed).matrix(QUERIES), found, rtol=1e-9, atol=1e-15)
    monkeypatch.setattr("gr_tf.training.batch_triple_steps._BLOCK_TRIPLES", 14)
    again = replayed.with_task(TripleTask(replayed.task.dataset, replayed.task.config))
    assert len(again.task.steps.blocks(1)) > len(replayed.task.steps.blocks(1))
    np.testing.assert_allclose(BlockReplay(again).matrix(QUERIES), found, rtol=1e-9, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 7], ids=["some rows", "all rows"])
def test_joined_operations_change_nothing(toy: TripleSet, batch_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA's code of small batches and TensorFlow's kernels agree; so do batches that read all rows, and some."""
    setting = {**SETTINGS[0], "batch_size": batch_size, "epochs": 2, "num_negatives": 3}
    trained, queries = trained_with(toy, setting), QUERIES[:2]
    steps, kept = trained.task.steps, np.ones(trained.task.num_examples, bool)
    _, plan = steps._plan(steps.blocks(1)[0], 0, kept)  # type: ignore[attr-defined]
    assert (plan.reads.shape[1] == trained.task.model.num_rows + 1) == (batch_size == 7)
    found = BlockReplay(trained).matrix(queries)
    monkeypatch.setattr("gr_tf.training.batch_backward._JOINED_PRODUCTS", 0)
    batch_backward._backward.cache_clear()
    np.testing.assert_allclose(BlockReplay(trained).matrix(queries), found, rtol=1e-9, atol=1e-12)
    batch_backward._backward.cache_clear()


@pytest.mark.slow
def test_parts_by_epoch(replayed: Trained) -> None:
    parts = BlockReplay(replayed, first_epoch=1).by_epoch(QUERIES)
    assert parts.shape == (3, len(QUERIES), replayed.task.num_examples)
    np.testing.assert_allclose(BlockReplay(replayed).matrix(QUERIES), parts[1:].sum(axis=0), rtol=1e-9, atol=1e-15)
    assert not BlockReplay(replayed, first_epoch=3).by_epoch(QUERIES)[:2].any()
    with pytest.raises(InputError, match="first_epoch must be from 1 to 3; got 4"):
        BlockReplay(replayed, first_epoch=4)


def test_it_goes_back_as_far_as_is_credible(replayed: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, replay = BlockReplay(replayed, first_epoch=1).by_epoch(QUERIES), BlockReplay(replayed)
    np.testing.assert_allclose(replay.matrix(QUERIES), parts[1:].sum(axis=0), rtol=1e-9, atol=1e-15)
    assert not any(one.warnings for one in replay.influences(QUERIES))
    # Between the spreads of the two predictions, so that the second's derivatives do not go back further.
    task = replayed.task
    shares = spread(parts[1:].sum(axis=0)) / task.value(replayed.parameters, QUERIES)
    near, far = np.argsort(shares)[[0, -1]]
    monkeypatch.setattr("gr_tf.attribution.credible._SHARE", (shares[near] + shares[far]) / 2)
    found = replay.matrix(QUERIES)
    np.testing.assert_allclose(found[near], parts[1:, near].sum(axis=0), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found[far], parts[-1, far], rtol=1e-9, atol=1e-15)
    told = [one.warnings for one in replay.influences(QUERIES)]
    assert told[far] == (SHORTENED,)
    assert not told[near]
    # The comparison's are the same.
    one = OneTraining(replayed, QUERIES)
    for row, of_query in zip(found, compared("triples")["replay"](one).influences, strict=True):
        np.testing.assert_allclose(of_query.values, row, rtol=1e-9, atol=1e-15)


def test_what_is_not_finite_is_told(replayed: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the last epoch; what an earlier one would add is left out."""
    replay, count = BlockReplay(replayed), replayed.task.num_examples

    def parts(last: float, before: float) -> Generator[tuple[int, np.ndarray]]:
        yield 2, np.where(np.arange(count) == 5, last, 1e-6)[None]
        yield 1, np.where(np.arange(count) == 5, before, 1e-6)[None]

    monkeypatch.setattr(replay, "_back_over", lambda _: parts(1e-6, np.inf))
    np.testing.assert_array_equal(replay.matrix(QUERIES[:1]), np.full((1, count), 1e-6))
    monkeypatch.setattr(replay, "_back_over", lambda _: parts(np.nan, 0))
    with pytest.raises(InputError, match="influence of training example 5 is not finite"):
        replay.matrix(QUERIES[:1])


def test_it_is_found_by_its_name(replayed: Trained) -> None:
    found = explainer(replayed, "replay")
    assert isinstance(found, BlockReplay)
    explanation = found.rank(QUERIES[0])
    assert explanation.prediction == replayed.task.value(replayed.parameters, QUERIES[:1])[0]
    assert np.isnan(explanation.without).all()
