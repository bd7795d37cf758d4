"""The steps of sequential recommenders: the loss they step on, and when they end."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.sequence_recommender import NAMES
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.training.optimizers import Adam
from gr_tf.training.sequence_config import SequenceConfig

CONFIG = SequenceConfig(
    dim=3,
    hidden=4,
    kept_epochs=(),
    epochs=3,
    batch_size=16,
    learning_rate=0.01,
    l2=0.01,
    train_embeddings=True,
    dtype="float64",
)


@pytest.mark.parametrize("train_embeddings", [False, True])
def test_steps_are_adams_on_the_written_loss(toy_sequences: SequenceSet, train_embeddings: bool) -> None:
    """Against a plain loop: a tape over all parameters, and the project's own Adam as a pure function."""
    config = dataclasses.replace(CONFIG, train_embeddings=train_embeddings)
    task = SequenceTask(toy_sequences, config)
    removed = 7
    got = task.train(removed=[removed]).parameters

    adam = Adam(epsilon=1e-8)
    values = [tf.constant(array) for array in task.initial_parameters.arrays]
    slots = [adam.initial_slots(value) for value in values]
    train = toy_sequences.train
    examples, step = np.arange(len(train)), 0
    for _ in range(config.epochs):
        for first in range(0, len(train), config.batch_size):
            batch = examples[first : first + config.batch_size]
            batch = batch[batch != removed]
            with tf.GradientTape() as tape:
                tape.watch(values)
                embedded = tf.gather(values[0], train.histories[batch])
                loss = tf.reduce_mean(task.model.losses(embedded, values[1:], train.targets[batch]))
            gradients = tape.gradient(loss, values)
            for i in range(0 if train_embeddings else 1, len(values)):
                gradient = tf.convert_to_tensor(gradients[i]) + config.l2 * values[i]
                values[i], slots[i] = adam.apply(
                    values[i], slots[i], gradient, tf.constant(float(step), tf.float64), config.learning_rate
                )
            step += 1
    for name, array, value in zip(NAMES, got.arrays, values, strict=True):
        np.testing.assert_allclose(array, value, atol=1e-9, err_msg=name)
    untouched = np.array_equal(got.table, task.initial_parameters.table)
    assert untouched is not train_embeddings


def test_training_learns_the_toy(toy_sequences: SequenceSet) -> None:
    history = SequenceTask(toy_sequences, dataclasses.replace(CONFIG, epochs=150, l2=0.0)).train().history
    losses = [epoch.loss for epoch in history]
    assert losses[0] == pytest.approx(np.log(len(toy_sequences.items) + 1), abs=0.3)
    assert losses[-1] < 0.6 * losses[0]


def test_a_loss_that_is_not_finite_names_its_step(toy_sequences: SequenceSet) -> None:
    task = SequenceTask(toy_sequences, dataclasses.replace(CONFIG, learning_rate=1.0, l2=1e300))
    told = r"the loss is (nan|inf) at step \d+, batch \d+ of epoch \d; a lower learning rate may help"
    with pytest.raises(TrainingError, match=told):
        task.train()


def test_settings_out_of_range() -> None:
    for settings, message in (
        ({"dim": 0}, "dim must be from 1 to 16384; got 0"),
        ({"hidden": 0}, "hidden must be from 1"),
        ({"epochs": 0}, "epochs must be from 1"),
        ({"batch_size": 0}, "batch_size must be from 1"),
        ({"seed": -1}, "seed must be from 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"l2": float("nan")}, "l2 must be a number of at least 0; got nan"),
        ({"dtype": "int8"}, "dtype must be one of"),
        ({"patience": 0}, "patience must be from 1 to 1048576; got 0"),
        ({"kept_epochs": (60,)}, "kept_epochs must be from 1 to 50; got 60"),
    ):
        with pytest.raises(InputError, match=message):
            SequenceConfig(**settings)


def test_training_ends_when_validation_gets_no_better(toy_sequences: SequenceSet) -> None:
    """The result is the best epoch's; what is kept ends with it."""
    config = dataclasses.replace(CONFIG, epochs=40, learning_rate=0.1, patience=3, kept_epochs=tuple(range(1, 41)))
    task = SequenceTask(toy_sequences, config)
    trained = task.train(validating=True, kept_epochs=config.kept_epochs)
    scores = [epoch.validation["mrr"] for epoch in trained.history]
    assert len(scores) < 40
    assert trained.epoch == int(np.argmax(scores)) + 1 == len(scores) - 3
    assert list(trained.kept) == list(range(1, trained.epoch + 1))
    assert task.validate(trained.parameters) == trained.history[trained.epoch - 1].validation
    whole = task.train(kept_epochs=config.kept_epochs)
    np.testing.assert_array_equal(whole.kept[trained.epoch].arrays[1], trained.parameters.arrays[1])
    assert whole.epoch == 40
    none = dataclasses.replace(toy_sequences, valid=toy_sequences.valid.only(slice(0)))
    with pytest.raises(InputError, match="patience needs validation sequences"):
        SequenceTask(none, config).train()
    assert SequenceTask(none, CONFIG).train(validating=True).epoch == 3
