"""Replay of ratings trained in batches, against trainings with weights; and of choices."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.block_replay import BlockReplay
from gr_tf.attribution.methods import check_task, explainer, method_of
from gr_tf.data.choices import ChoiceSet
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.triple_config import TripleConfig

QUERIES = [RatingQuery(0, 1), RatingQuery(3, 2), RatingQuery(5, 5), RatingQuery(2, 0), RatingQuery(1, 4)]
IN_BATCHES = {
    "dim": 4,
    "optimizer": "sgd",
    "epochs": 3,
    "batch_size": 7,
    "learning_rate": 0.03,
    "weight_decay": 0.1,
    "initial_deviation": 0.3,
    "dtype": "float64",
}
SETTINGS: list[dict[str, Any]] = [
    {"model": "mf", "optimizer": "adagrad", "learning_rate": 0.1},
    {"model": "mf", "batch_size": 1},
    {"model": "mf", "batch_size": 92, "weight_decay": 0.0},
    {"model": "ncf", "optimizer": "adagrad", "learning_rate": 0.05},
    {"model": "ncf"},
]
CHOICES = {
    "dim": 3,
    "num_negatives": 5,
    "epochs": 3,
    "batch_size": 7,
    "optimizer": "adagrad",
    "learning_rate": 0.3,
    "dtype": "float64",
}


def trained_with(ratings: RatingSet, setting: dict[str, Any]) -> Trained:
    return train_in_memory(RatingTask(ratings, RatingConfig(**{**IN_BATCHES, **setting})), tracking=False)


def twice(ratings: RatingSet) -> RatingSet:
    """The last training rating is of the same user and item as the first, with other stars."""
    pairs, values = ratings.train.pairs.copy(), ratings.train.values.copy()
    pairs[-1], values[-1] = pairs[0], 6 - values[0]
    return dataclasses.replace(ratings, train=dataclasses.replace(ratings.train, pairs=pairs, values=values))


def measured(task: Task[Any], queries: list[Any], example_id: int, first_epoch: int) -> np.ndarray:
    """The derivatives of the predictions by an example's weight from an epoch on, by trainings with two weights."""
    values, size, steps = [], 1e-5, task.steps
    for change in (size, -size):
        state, epoch = steps.start(task.initial_parameters, np.zeros(0, int), task.config.seed), 1
        for block in steps.blocks(task.length):
            # What is kept is weighed with 1.
            weights = np.ones(task.num_examples)
            weights[example_id] += change * (epoch >= first_epoch)
            state, _ = steps.run_untracked(state, block, weights)
            epoch += block.ends is not None
        values.append(task.value(steps.parameters(state), queries))
    difference: np.ndarray = (values[0] - values[1]) / (2 * size)
    return difference


@pytest.mark.parametrize(
    "setting",
    [SETTINGS[0], *(pytest.param(setting, marks=pytest.mark.slow) for setting in SETTINGS[1:])],
    ids=lambda setting: "-".join(map(str, setting.values())),
)
def test_equals_finite_differences(toy_ratings: RatingSet, setting: dict[str, Any]) -> None:
    trained = trained_with(twice(toy_ratings), setting)
    for first_epoch in (1, 2):
        replay = BlockReplay(trained, first_epoch=first_epoch)
        for replayed, wanted in zip(replay.parameters.arrays, trained.parameters.arrays, strict=True):
            np.testing.assert_array_equal(replayed, wanted)
        found = replay.matrix(QUERIES[:2] if setting is SETTINGS[0] else QUERIES)
        for example_id in (0, 17, trained.task.num_examples - 1):
            told = measured(trained.task, QUERIES[: len(found)], example_id, first_epoch)
            np.testing.assert_allclose(found[:, example_id], told, rtol=1e-6, atol=1e-9)
            assert np.abs(told).max() > 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mf", "ncf"])
def test_parts_change_nothing(toy_ratings: RatingSet, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer queries at a time, or smaller blocks, but for rounding; epochs are parts of the sum."""
    replayed = trained_with(toy_ratings, {"model": model, "optimizer": "adagrad"})
    found = BlockReplay(replayed).matrix(QUERIES)
    parts = BlockReplay(replayed, first_epoch=1).by_epoch(QUERIES)
    assert parts.shape == (3, len(QUERIES), replayed.task.num_examples)
    np.testing.assert_allclose(found, parts[1:].sum(axis=0), rtol=1e-9, atol=1e-15)
    assert np.abs(parts[0]).max() > 1e-3
    monkeypatch.setattr("gr_tf.attribution.block_replay._ADJOINT_BYTES", 1)
    np.testing.assert_allclose(BlockReplay(replayed).matrix(QUERIES), found, rtol=1e-9, atol=1e-15)
    monkeypatch.setattr("gr_tf.training.rating_share_steps._RATINGS_AT_ONCE", 21)
    again = replayed.with_task(RatingTask(replayed.task.dataset, replayed.task.config))
    assert len(again.task.steps.blocks(1)) > len(replayed.task.steps.blocks(1))
    np.testing.assert_allclose(BlockReplay(again).matrix(QUERIES), found, rtol=1e-9, atol=1e-15)


@pytest.mark.slow
def test_choices_equal_finite_differences(toy_choices: ChoiceSet) -> None:
    trained = train_in_memory(ChoiceTask(toy_choices, TripleConfig(**CHOICES)), tracking=False)  # type: ignore[arg-type]
    task, items = trained.task, trained.task.model.columns
    users = toy_choices.train[[0, 9], 0]
    queries = [Query(int(user), 0, int(item)) for user, item in zip(users, items[[1, 4]], strict=True)]
    replay = explainer(trained, "replay")
    assert isinstance(replay, BlockReplay)
    found = replay.matrix(queries)
    for example_id in (0, 17, task.num_examples - 1):
        told = measured(task, queries, example_id, 2)
        np.testing.assert_allclose(found[:, example_id], told, rtol=1e-6, atol=1e-9)
        assert np.abs(told).max() > 1e-6


@pytest.mark.parametrize("batch_size", [1, 20])
def test_what_is_refused(toy_ratings: RatingSet, batch_size: int) -> None:
    task = RatingTask(toy_ratings, RatingConfig(dim=2, steps=20, batch_size=batch_size))
    with pytest.raises(InputError, match=r"^replaying a training of ratings needs optimizer='sgd' or 'adagrad'\.$"):
        check_task(method_of("ratings", "replay"), task)


def test_derivatives_of_predictions(toy_ratings: RatingSet) -> None:
    """By differences, of a number of each array: the first item's row, and the first of each of the network's."""
    task = RatingTask(toy_ratings, RatingConfig(**{**IN_BATCHES, "model": "ncf"}))  # type: ignore[arg-type]
    initial, size = task.initial_parameters, 1e-6
    # No ReLU is at its kink, as where all biases are 0.
    parameters = Parameters(initial.table.copy(), tuple(array + 0.1 for array in initial.shared))
    asked = [RatingQuery(0, 0), RatingQuery(1, 0)]
    told = task.value_gradients(parameters, asked)
    places = [task.model.num_users * task.model.width] + [0] * len(parameters.shared)
    for array, of_array, place in zip(parameters.arrays, told, places, strict=True):
        assert of_array.shape == (2, *array.shape)
        values = []
        for change in (size, -size):
            array.ravel()[place] += change
            values.append(task.value(parameters, asked))
            array.ravel()[place] -= change
        difference = (values[0] - values[1]) / (2 * size)
        np.testing.assert_allclose(of_array.numpy().reshape(2, -1)[:, place], difference, rtol=1e-6, atol=1e-9)
