"""The steps of rating models: the loss they step on, their batches, what is refused."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError
from gr_tf.tasks.ratings import RatingTask
from gr_tf.training import rating_steps
from gr_tf.training.optimizers import Adam
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RATING_MODELS, RatingConfig

CONFIG = RatingConfig(dim=4, steps=30, batch_size=25, learning_rate=0.02, weight_decay=0.01, dtype="float64")


@pytest.mark.parametrize("model", list(RATING_MODELS))
def test_steps_are_adams_on_the_written_loss(toy_ratings: RatingSet, model: str) -> None:
    """Against a plain loop: a tape over the whole tables, and the project's own Adam as a pure function."""
    config = dataclasses.replace(CONFIG, model=model)
    task = RatingTask(toy_ratings, config)
    scorer, removed = task.model, 7
    got = task.train(seed=5, removed=[removed])

    adam = Adam(epsilon=1e-8)
    values = [tf.constant(array) for array in task.initial_parameters.arrays]
    penalties = [scorer.row_penalty[None], *scorer.network_penalty]
    slots = [adam.initial_slots(value) for value in values]
    rows = scorer.rows_of(toy_ratings.train.pairs)
    batches = RatingBatches(len(toy_ratings.train), config.batch_size, 5).take(0, config.steps)
    for step in range(config.steps):
        batch = batches[step][batches[step] != removed]
        with tf.GradientTape() as tape:
            tape.watch(values)
            users, items = tf.gather(values[0], rows[batch, 0]), tf.gather(values[0], rows[batch, 1])
            predicted = scorer.predict(users, items, values[1:])
            loss = tf.reduce_mean(tf.square(predicted - toy_ratings.train.values[batch]))
            for value, penalty in zip(values, penalties, strict=True):
                loss += config.weight_decay / 2 * tf.reduce_sum(penalty * tf.square(value))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, values)]
        moved = [
            adam.apply(value, slot, gradient, tf.constant(float(step), tf.float64), config.learning_rate)
            for value, slot, gradient in zip(values, slots, gradients, strict=True)
        ]
        values, slots = [value for value, _ in moved], [slot for _, slot in moved]
    # Sums in another order, amplified by 30 steps of Adam, whose first ones divide by tiny numbers.
    for value, want in zip(got.parameters.arrays, values, strict=True):
        np.testing.assert_allclose(value, want.numpy(), atol=1e-9)
    assert got.state()["step"] == config.steps
    assert [(epoch.epoch, len(epoch.validation)) for epoch in got.history] == [(10, 0)]


def test_batches_are_an_epochs_ratings_once(toy_ratings: RatingSet) -> None:
    count = len(toy_ratings.train)
    per_epoch = count // 25
    taken = RatingBatches(count, 25, 3).take(0, 2 * per_epoch)
    for epoch in (taken[:per_epoch], taken[per_epoch : 2 * per_epoch]):
        assert len(np.unique(epoch)) == epoch.size
    assert not np.array_equal(taken[:per_epoch], taken[per_epoch : 2 * per_epoch])
    later = RatingBatches(count, 25, 3).take(per_epoch, per_epoch)
    np.testing.assert_array_equal(later[:per_epoch], taken[per_epoch : 2 * per_epoch])


def test_very_large_batches_are_done_in_parts(toy_ratings: RatingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RatingTask(toy_ratings, CONFIG).train()
    monkeypatch.setattr(rating_steps, "_RATINGS_AT_ONCE", 7 * CONFIG.batch_size)
    parts = RatingTask(toy_ratings, CONFIG).train()
    assert parts.history == whole.history
    for name, array in whole.state().items():
        np.testing.assert_array_equal(parts.state()[name], array, err_msg=name)


def test_an_epoch_ends_with_the_block_of_its_last_step(toy_ratings: RatingSet) -> None:
    """92 ratings in batches of 25: three steps an epoch. Blocks are of 250 steps, or what is left."""
    steps = RatingTask(toy_ratings, CONFIG).steps
    blocks = [(block.first, block.count, block.ends) for block in steps.blocks(502)]
    assert blocks == [(0, 250, 83), (250, 250, 166), (500, 2, 168)]
    assert [block.ends for block in steps.blocks(2)] == [1]


@pytest.mark.parametrize("model", list(RATING_MODELS))
def test_training_learns_the_toy(toy_ratings: RatingSet, model: str) -> None:
    config = dataclasses.replace(CONFIG, model=model, weight_decay=1e-4)
    task = RatingTask(toy_ratings, config)
    quality = task.quality(task.train(length=1500, seed=0).parameters)["train"]
    assert quality is not None
    assert (quality["rmse"] or np.inf) ** 2 < np.var(toy_ratings.train.values) / 4


def test_settings_out_of_range(toy_ratings: RatingSet) -> None:
    for name, value, message in (
        ("dim", 0, "dim must be from 1 to"),
        ("steps", 0, "steps must be from 1 to"),
        ("batch_size", -3, "batch_size must be from 1 to"),
        ("seed", -1, "seed must be from 0 to"),
        ("model", "svd", "model must be one of mf, ncf; got 'svd'"),
        ("dtype", "half", "dtype must be one of"),
        ("learning_rate", 0.0, "learning_rate must be above 0"),
        ("learning_rate", float("nan"), "learning_rate must be above 0"),
        ("weight_decay", -0.1, "weight_decay must be a number of at least 0"),
    ):
        with pytest.raises(InputError, match=message):
            RatingConfig(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="batch_size must be at most the 92 training ratings; got 3020"):
        RatingTask(toy_ratings, RatingConfig()).train()
    with pytest.raises(InputError, match="dim must be even; got 5"):
        _ = RatingTask(toy_ratings, dataclasses.replace(CONFIG, model="ncf", dim=5)).model
