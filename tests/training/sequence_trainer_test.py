"""Training of sequential recommenders: its loss, removal, resuming; and the ranking of next items."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.sequence_ranking import NextItemMetrics, NextItems, next_items
from gr_tf.models.sequence_recommender import NAMES
from gr_tf.optimizers import Adam
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.sequence_config import SequenceTrainConfig
from gr_tf.training.sequence_trainer import EpochDone, SequenceTrainer, TrainedSequences

CONFIG = SequenceTrainConfig(
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


def assert_same(first: TrainedSequences, second: TrainedSequences) -> None:
    assert (first.epoch, first.epochs, list(first.kept)) == (second.epoch, second.epochs, list(second.kept))
    pairs = [(first.parameters, second.parameters), *((first.kept[epoch], second.kept[epoch]) for epoch in first.kept)]
    for one, other in pairs:
        for name, array in one.to_arrays().items():
            np.testing.assert_array_equal(array, other.to_arrays()[name], err_msg=name)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_model_is_an_lstm(toy_sequences: SequenceSet) -> None:
    """Hochreiter and Schmidhuber's equations with a forget gate, written plainly; gates in Keras's order i f c o."""
    trainer = SequenceTrainer(toy_sequences, CONFIG)
    embeddings, kernel, recurrent, bias, output, output_bias = trainer.initial_state().parameters.arrays
    assert (embeddings[0] == 0).all()
    for place in (0, 7, 30):
        hidden, cell = np.zeros(4), np.zeros(4)
        for item in toy_sequences.train.histories[place]:
            gates = np.split(embeddings[item] @ kernel + hidden @ recurrent + bias, 4)
            cell = sigmoid(gates[1]) * cell + sigmoid(gates[0]) * np.tanh(gates[2])
            hidden = sigmoid(gates[3]) * np.tanh(cell)
        want = hidden @ output + output_bias
        got = trainer.model.logits(
            tf.constant(embeddings[toy_sequences.train.histories[place : place + 1]]),
            trainer.initial_state().parameters.arrays[1:],
        )
        np.testing.assert_allclose(got[0], want, atol=1e-12)


@pytest.mark.parametrize("train_embeddings", [False, True])
def test_steps_are_adams_on_the_written_loss(toy_sequences: SequenceSet, train_embeddings: bool) -> None:
    """Against a plain loop: a tape over all parameters, and the project's own Adam as a pure function."""
    config = dataclasses.replace(CONFIG, train_embeddings=train_embeddings)
    trainer = SequenceTrainer(toy_sequences, config)
    removed = 7
    got = trainer.run(removed=[removed]).parameters

    adam = Adam(epsilon=1e-8)
    values = [tf.constant(array) for array in trainer.initial_state().parameters.arrays]
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
                loss = tf.reduce_mean(trainer.model.losses(embedded, values[1:], train.targets[batch]))
            gradients = tape.gradient(loss, values)
            for i in range(0 if train_embeddings else 1, len(values)):
                gradient = tf.convert_to_tensor(gradients[i]) + config.l2 * values[i]
                values[i], slots[i] = adam.apply(
                    values[i], slots[i], gradient, tf.constant(float(step), tf.float64), config.learning_rate
                )
            step += 1
    for name, array, value in zip(NAMES, got.arrays, values, strict=True):
        np.testing.assert_allclose(array, value, atol=1e-9, err_msg=name)
    untouched = np.array_equal(got.arrays[0], trainer.initial_state().parameters.arrays[0])
    assert untouched is not train_embeddings


def test_same_seed_same_bits_and_resuming_is_going_on(toy_sequences: SequenceSet, tmp_path: pathlib.Path) -> None:
    config = dataclasses.replace(CONFIG, dtype="float32", shuffle=True, epochs=5, kept_epochs=(1, 3, 4), patience=2)
    trainer = SequenceTrainer(toy_sequences, config)
    whole = trainer.run()
    assert_same(trainer.run(), whole)
    checkpoints = CheckpointFolder(tmp_path, every_seconds=0)

    def stop(done: EpochDone) -> None:
        if done.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.run(checkpoints=checkpoints, on_epoch=stop)
    resumed: list[int] = []
    assert_same(trainer.run(checkpoints=checkpoints, on_resume=resumed.append), whole)
    assert resumed == [2]
    other = SequenceTrainer(toy_sequences, dataclasses.replace(config, seed=1)).run()
    assert not np.array_equal(other.parameters.arrays[1], whole.parameters.arrays[1])


def test_removing_nothing_changes_nothing_and_something_does(toy_sequences: SequenceSet) -> None:
    trainer = SequenceTrainer(toy_sequences, CONFIG)
    whole = trainer.run()
    assert_same(trainer.run(removed=[]), whole)
    without = trainer.run(removed=[0])
    assert not np.array_equal(without.parameters.arrays[1], whole.parameters.arrays[1])
    with pytest.raises(InputError, match=f"example ids are 0 to {len(toy_sequences.train) - 1}; got -1"):
        trainer.run(removed=[-1])


def test_training_learns_the_toy(toy_sequences: SequenceSet) -> None:
    losses: list[float] = []
    trainer = SequenceTrainer(toy_sequences, dataclasses.replace(CONFIG, epochs=150, l2=0.0))

    trainer.run(on_epoch=lambda done: losses.append(done.loss))
    assert losses[0] == pytest.approx(np.log(len(toy_sequences.items) + 1), abs=0.3)
    assert losses[-1] < 0.6 * losses[0]


def test_a_loss_that_is_not_finite_names_its_step(toy_sequences: SequenceSet) -> None:
    trainer = SequenceTrainer(toy_sequences, dataclasses.replace(CONFIG, learning_rate=1.0, l2=1e300))
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step \d+; a lower learning rate may help"):
        trainer.run()


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
        ({"patience": 0}, "patience must be at least 1; got 0"),
        ({"kept_epochs": (60,)}, "kept_epochs must be from 1 to 50; got 60"),
    ):
        with pytest.raises(InputError, match=message):
            SequenceTrainConfig(**settings)


def test_ranks_of_the_next_item(toy_sequences: SequenceSet) -> None:
    trainer = SequenceTrainer(toy_sequences, CONFIG)
    arrays = list(trainer.initial_state().parameters.arrays)
    # The padding never competes, and two items are as good.
    arrays[-1] = np.where(np.arange(len(arrays[-1])) == 0, 100.0, arrays[-1])
    arrays[4][:, 2], arrays[5][2] = arrays[4][:, 3], arrays[5][3]
    parameters = dataclasses.replace(trainer.initial_state().parameters, arrays=tuple(arrays))
    sequences = toy_sequences.train
    logits = np.asarray(trainer.model.logits(tf.constant(arrays[0][sequences.histories]), arrays[1:]))[:, 1:]
    own = logits[np.arange(len(logits)), sequences.targets - 1][:, None]
    want = (logits > own).sum(axis=1) + ((logits == own).sum(axis=1) + 1) / 2
    predicted = next_items(trainer.model, parameters, sequences)
    np.testing.assert_array_equal(predicted.ranks, want)
    assert (predicted.ranks % 1 == 0.5).any()
    # The padding is a class of the loss.
    all_logits = np.asarray(trainer.model.logits(tf.constant(arrays[0][sequences.histories]), arrays[1:]))
    losses = np.log(np.exp(all_logits - 100).sum(axis=1)) + 100 - all_logits[np.arange(len(own)), sequences.targets]
    np.testing.assert_allclose(predicted.losses, losses, rtol=1e-5)
    metrics = NextItemMetrics.of(NextItems(np.array([1.0, 4.0, 20.0]), np.array([1.0, 2.0, 6.0])))
    assert metrics.cross_entropy == 3
    assert metrics.mrr == pytest.approx((1 + 1 / 4 + 1 / 20) / 3)
    assert metrics.recall_at_10 == pytest.approx(2 / 3)
    assert len(next_items(trainer.model, parameters, sequences.only(slice(0))).ranks) == 0


def test_training_ends_when_validation_gets_no_better(toy_sequences: SequenceSet) -> None:
    """The result is the best epoch's; what is kept ends with it."""
    config = dataclasses.replace(CONFIG, epochs=40, learning_rate=0.1, patience=3, kept_epochs=tuple(range(1, 41)))
    trainer = SequenceTrainer(toy_sequences, config)
    told: list[EpochDone] = []
    trained = trainer.run(on_epoch=told.append)
    scores = [done.validation.mrr for done in told if done.validation is not None]
    assert len(scores) == trained.epochs < 40
    assert trained.epoch == int(np.argmax(scores)) + 1 == trained.epochs - 3
    assert list(trained.kept) == list(range(1, trained.epoch + 1))
    again = trainer.accuracy(trained.parameters, toy_sequences.valid)
    assert again == told[trained.epoch - 1].validation
    whole = SequenceTrainer(toy_sequences, dataclasses.replace(config, patience=None)).run()
    np.testing.assert_array_equal(whole.kept[trained.epoch].arrays[1], trained.parameters.arrays[1])
    assert whole.epoch == 40
    none = dataclasses.replace(toy_sequences, valid=toy_sequences.valid.only(slice(0)))
    with pytest.raises(InputError, match="patience needs validation sequences"):
        SequenceTrainer(none, config)
    assert SequenceTrainer(none, CONFIG).run().epoch == 3
