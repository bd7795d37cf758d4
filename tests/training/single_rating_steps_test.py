"""The steps on single ratings: the loss they step on, what each rating changed."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.ratings import RatingTask
from gr_tf.training import single_rating_steps
from gr_tf.training.optimizers import Adam
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RATING_MODELS, RatingConfig
from gr_tf.training.rollback_store import RollbackStore

CONFIG = RatingConfig(dim=4, steps=130, batch_size=1, learning_rate=0.01, weight_decay=0.01, dtype="float64", seed=3)


def example_loss(
    task: RatingTask, values: list[tf.Tensor], example: int, counts: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor]:
    """A rating's part of the loss, as the module's docstring writes it; and its squared error."""
    ratings, config = task.dataset, task.config
    rows = task.model.rows_of(ratings.train.pairs[example])
    own = tf.gather(values[0], rows)
    error = task.model.predict(own[:1], own[1:], values[1:])[0] - ratings.train.values[example]
    shares = (ratings.num_examples / counts[rows])[:, None] * task.model.row_penalty
    decay = tf.reduce_sum(shares * tf.square(own))
    for array, penalty in zip(values[1:], task.model.network_penalty, strict=True):
        decay += penalty * tf.reduce_sum(tf.square(array))
    return tf.square(error) + config.weight_decay / 2 * decay, tf.square(error)


def row_counts(task: RatingTask) -> np.ndarray:
    rows = task.model.rows_of(task.dataset.train.pairs)
    return np.bincount(rows.ravel(), minlength=task.model.num_rows)


def values_of(parameters: Parameters) -> list[tf.Tensor]:
    return [tf.constant(array) for array in parameters.arrays]


@pytest.mark.parametrize(
    ("model", "dtype", "allowed"),
    [("mf", "float32", 2e-4), pytest.param("ncf", "float64", 1e-8, marks=pytest.mark.slow)],
)
def test_steps_are_adams_on_the_written_loss(toy_ratings: RatingSet, model: str, dtype: str, allowed: float) -> None:
    """Against a plain loop of dense Adam; the deltas against the rows before and after each step.

    An epoch and a piece of a second one.
    """
    config = dataclasses.replace(CONFIG, model=model, dtype=dtype)
    task = RatingTask(toy_ratings, config)
    store, removed = RollbackStore(task.num_examples, task.model.width, dtype, rows=2), 7
    end = task.train(removed=[removed], store=store, kept_epochs=(1, 2))
    ends = (toy_ratings.num_examples, CONFIG.steps)

    adam, counts = Adam(epsilon=1e-8), row_counts(task)
    values = values_of(task.initial_parameters.astype("float64"))
    slots = [adam.initial_slots(value) for value in values]
    deltas = np.zeros((toy_ratings.num_examples, 2, task.model.width))
    order = RatingBatches(toy_ratings.num_examples, 1, CONFIG.seed).take(0, CONFIG.steps)[:, 0]
    errors, wanted = [], {}
    for step, example in enumerate(order):
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss, error = example_loss(task, values, example, counts)
            loss -= error * float(example == removed)
        errors.append(float(error) * (example != removed))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, values)]
        moved = [
            adam.apply(value, slot, gradient, tf.constant(float(step), tf.float64), CONFIG.learning_rate)
            for value, slot, gradient in zip(values, slots, gradients, strict=True)
        ]
        if example != removed:
            rows = task.model.rows_of(toy_ratings.train.pairs[example])
            deltas[example] += (moved[0][0].numpy() - values[0].numpy())[rows]
        values, slots = [value for value, _ in moved], [slot for _, slot in moved]
        wanted[step + 1] = [value.numpy() for value in values]
    # Row Adam's series leaves some 1e-14 a step, float32 1e-7; Adam's first steps divide by tiny numbers.
    assert list(end.kept) == [1, 2]
    for epoch, first, last in zip(end.history, (0, ends[0]), ends, strict=True):
        for value, want in zip(end.kept[epoch.epoch].arrays, wanted[last], strict=True):
            np.testing.assert_allclose(value, want, atol=allowed)
        assert epoch.loss == pytest.approx(np.mean(errors[first:last]), abs=allowed)
    np.testing.assert_array_equal(end.parameters.table, end.kept[2].table)
    np.testing.assert_allclose(store.to_numpy(), deltas, atol=allowed)
    assert np.abs(deltas).max() > 0.01
    assert not store.to_numpy()[removed].any()


@pytest.mark.parametrize("model", list(RATING_MODELS))
def test_the_ratings_losses_sum_to_that_of_batches(toy_ratings: RatingSet, model: str) -> None:
    """n times mean squared error + wd/2 * sum of squares, see RatingConfig; every row has ratings."""
    task = RatingTask(toy_ratings, dataclasses.replace(CONFIG, model=model))
    parameters = task.initial_parameters
    values, counts = values_of(parameters), row_counts(task)
    assert counts.min() > 0
    total = sum(float(example_loss(task, values, i, counts)[0]) for i in range(toy_ratings.num_examples))
    errors = task.model.predict_pairs(parameters, toy_ratings.train.pairs) - toy_ratings.train.values
    squares = (task.model.row_penalty * parameters.table**2).sum()
    for array, penalty in zip(parameters.shared, task.model.network_penalty, strict=True):
        squares += penalty * (array**2).sum()
    whole = toy_ratings.num_examples * ((errors**2).mean() + CONFIG.weight_decay / 2 * squares)
    assert total == pytest.approx(whole, rel=1e-12)


def test_blocks_change_no_bit(toy_ratings: RatingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    task = RatingTask(toy_ratings, dataclasses.replace(CONFIG, dtype="float32"))
    stores = [RollbackStore(task.num_examples, task.model.width, "float32", rows=2) for _ in range(2)]
    want = task.train(removed=[4], store=stores[0]).state()
    monkeypatch.setattr(single_rating_steps, "_BLOCK_STEPS", 17)
    again = task.with_config().train(removed=[4], store=stores[1]).state()
    for name, array in want.items():
        np.testing.assert_array_equal(again[name], array, err_msg=name)
    np.testing.assert_array_equal(stores[1].to_numpy(), stores[0].to_numpy())


def test_what_is_refused(toy_ratings: RatingSet) -> None:
    with pytest.raises(InputError, match="16777216 steps are too many for float32"):
        RatingTask(toy_ratings, dataclasses.replace(CONFIG, dtype="float32", steps=1 << 24)).train()
