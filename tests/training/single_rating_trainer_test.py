"""Training rating by rating: the loss it steps on, what each rating changed, removal."""

import concurrent.futures
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.ratings import Ratings, RatingSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.rating_model import RatingParameters
from gr_tf.optimizers import Adam
from gr_tf.training import single_rating_trainer
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RATING_MODELS, RatingTrainConfig
from gr_tf.training.single_rating_trainer import RatingEpoch, SingleRatingTrainer

CONFIG = RatingTrainConfig(
    dim=4, steps=130, batch_size=1, learning_rate=0.01, weight_decay=0.01, dtype="float64", seed=3
)


def store_of(trainer: SingleRatingTrainer) -> RollbackStore:
    return RollbackStore(trainer.ratings.num_examples, trainer.model.width, trainer.config.dtype, rows=2)


def example_loss(
    trainer: SingleRatingTrainer, values: list[tf.Tensor], example: int, counts: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor]:
    """A rating's part of the loss, as the module's docstring writes it; and its squared error."""
    ratings, config = trainer.ratings, trainer.config
    rows = trainer.model.rows_of(ratings.train.pairs[example])
    own = tf.gather(values[0], rows)
    error = trainer.model.predict(own[:1], own[1:], values[1:])[0] - ratings.train.values[example]
    shares = (ratings.num_examples / counts[rows])[:, None] * trainer.model.row_penalty
    decay = tf.reduce_sum(shares * tf.square(own))
    for array, penalty in zip(values[1:], trainer.model.network_penalty, strict=True):
        decay += penalty * tf.reduce_sum(tf.square(array))
    return tf.square(error) + config.weight_decay / 2 * decay, tf.square(error)


def row_counts(trainer: SingleRatingTrainer) -> np.ndarray:
    rows = trainer.model.rows_of(trainer.ratings.train.pairs)
    return np.bincount(rows.ravel(), minlength=trainer.model.num_rows)


def values_of(parameters: RatingParameters) -> list[tf.Tensor]:
    return [tf.constant(array) for array in (parameters.table, *parameters.network)]


@pytest.mark.parametrize(("model", "dtype", "allowed"), [("mf", "float32", 2e-4), ("ncf", "float64", 1e-8)])
def test_steps_are_adams_on_the_written_loss(toy_ratings: RatingSet, model: str, dtype: str, allowed: float) -> None:
    """Against a plain loop of dense Adam; the deltas against the rows before and after each step.

    An epoch and a piece of a second one.
    """
    config = dataclasses.replace(CONFIG, model=model, dtype=dtype)
    trainer = SingleRatingTrainer(toy_ratings, config)
    store, removed = store_of(trainer), 7
    told: list[RatingEpoch] = []
    end = trainer.run(removed=[removed], store=store, on_epoch=told.append)
    assert [epoch.steps for epoch in told] == [toy_ratings.num_examples, CONFIG.steps]

    adam, counts = Adam(epsilon=1e-8), row_counts(trainer)
    values = values_of(trainer.model.initial_parameters(CONFIG.seed).astype("float64"))
    slots = [adam.initial_slots(value) for value in values]
    deltas = np.zeros((toy_ratings.num_examples, 2, trainer.model.width))
    order = RatingBatches(toy_ratings.num_examples, 1, CONFIG.seed).take(0, CONFIG.steps)[:, 0]
    errors, wanted = [], {}
    for step, example in enumerate(order):
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss, error = example_loss(trainer, values, example, counts)
            loss -= error * float(example == removed)
        errors.append(float(error) * (example != removed))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, values)]
        moved = [
            adam.apply(value, slot, gradient, tf.constant(float(step), tf.float64), CONFIG.learning_rate)
            for value, slot, gradient in zip(values, slots, gradients, strict=True)
        ]
        if example != removed:
            rows = trainer.model.rows_of(toy_ratings.train.pairs[example])
            deltas[example] += (moved[0][0].numpy() - values[0].numpy())[rows]
        values, slots = [value for value, _ in moved], [slot for _, slot in moved]
        wanted[step + 1] = [value.numpy() for value in values]
    # Row Adam's series leaves some 1e-14 a step, float32 1e-7; Adam's first steps divide by tiny numbers.
    for epoch, first in zip(told, (0, toy_ratings.num_examples), strict=True):
        for value, want in zip(values_of(epoch.parameters), wanted[epoch.steps], strict=True):
            np.testing.assert_allclose(value.numpy(), want, atol=allowed)
        assert epoch.mean_squared_error == pytest.approx(np.mean(errors[first : epoch.steps]), abs=allowed)
    np.testing.assert_array_equal(end.table, told[-1].parameters.table)
    np.testing.assert_allclose(store.to_numpy(), deltas, atol=allowed)
    assert np.abs(deltas).max() > 0.01
    assert not store.to_numpy()[removed].any()


@pytest.mark.parametrize("model", list(RATING_MODELS))
def test_the_ratings_losses_sum_to_that_of_batches(toy_ratings: RatingSet, model: str) -> None:
    """n times mean squared error + wd/2 * sum of squares, see RatingTrainConfig; every row has ratings."""
    trainer = SingleRatingTrainer(toy_ratings, dataclasses.replace(CONFIG, model=model))
    parameters = trainer.model.initial_parameters(0)
    values, counts = values_of(parameters), row_counts(trainer)
    assert counts.min() > 0
    total = sum(float(example_loss(trainer, values, i, counts)[0]) for i in range(toy_ratings.num_examples))
    errors = trainer.model.predict_pairs(parameters, toy_ratings.train.pairs) - toy_ratings.train.values
    squares = (trainer.model.row_penalty * parameters.table**2).sum()
    for array, penalty in zip(parameters.network, trainer.model.network_penalty, strict=True):
        squares += penalty * (array**2).sum()
    whole = toy_ratings.num_examples * ((errors**2).mean() + CONFIG.weight_decay / 2 * squares)
    assert total == pytest.approx(whole, rel=1e-12)


def test_blocks_and_threads_change_no_bit(toy_ratings: RatingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dataclasses.replace(CONFIG, dtype="float32")
    trainer = SingleRatingTrainer(toy_ratings, config)
    store = store_of(trainer)
    want = trainer.run(removed=[4], store=store).to_arrays()
    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        runs = [executor.submit(trainer.run, removed=[example]) for example in (4, 5, 4)]
    for run in (runs[0], runs[2]):
        for name, array in run.result().to_arrays().items():
            np.testing.assert_array_equal(array, want[name])
    assert not np.array_equal(runs[1].result().table, want["table"])
    monkeypatch.setattr(single_rating_trainer, "_BLOCK_STEPS", 17)
    again = SingleRatingTrainer(toy_ratings, config)
    in_pieces = store_of(again)
    for name, array in again.run(removed=[4], store=in_pieces).to_arrays().items():
        np.testing.assert_array_equal(array, want[name])
    np.testing.assert_array_equal(in_pieces.to_numpy(), store.to_numpy())


def test_what_is_refused(toy_ratings: RatingSet) -> None:
    with pytest.raises(InputError, match="rating by rating wants batch_size 1; got 25"):
        SingleRatingTrainer(toy_ratings, dataclasses.replace(CONFIG, batch_size=25))
    with pytest.raises(InputError, match="16777216 steps are too many for float32"):
        SingleRatingTrainer(toy_ratings, dataclasses.replace(CONFIG, dtype="float32", steps=1 << 24))
    with pytest.raises(InputError, match="example ids are 0 to 91; got 92"):
        toy_ratings.kept(np.array([4, 92]))


def test_a_rating_that_is_not_finite_is_named(toy_ratings: RatingSet) -> None:
    values = toy_ratings.train.values.copy()
    values[11] = np.inf
    broken = dataclasses.replace(toy_ratings, train=Ratings(toy_ratings.train.pairs, values))
    names = toy_ratings.train_frame.iloc[11]
    with pytest.raises(TrainingError, match=rf"is inf at step \d+, training rating 11 \({names.user}, {names['item']}"):
        SingleRatingTrainer(broken, CONFIG).run()
