"""The sequential recommender against an LSTM's equations, and the ranking of next items."""

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.sequences import SequenceSet
from gr_tf.models.parameters import Parameters
from gr_tf.models.sequence_ranking import next_item_metrics, ranks_and_losses
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.training.sequence_config import SequenceConfig

CONFIG = SequenceConfig(dim=3, hidden=4, kept_epochs=(), dtype="float64")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_the_model_is_an_lstm(toy_sequences: SequenceSet) -> None:
    """Hochreiter and Schmidhuber's equations with a forget gate, written plainly; gates in Keras's order i f c o."""
    task = SequenceTask(toy_sequences, CONFIG)
    embeddings, kernel, recurrent, bias, output, output_bias = task.initial_parameters.arrays
    assert (embeddings[0] == 0).all()
    for place in (0, 7, 30):
        hidden, cell = np.zeros(4), np.zeros(4)
        for item in toy_sequences.train.histories[place]:
            gates = np.split(embeddings[item] @ kernel + hidden @ recurrent + bias, 4)
            cell = sigmoid(gates[1]) * cell + sigmoid(gates[0]) * np.tanh(gates[2])
            hidden = sigmoid(gates[3]) * np.tanh(cell)
        want = hidden @ output + output_bias
        got = task.model.logits(
            tf.constant(embeddings[toy_sequences.train.histories[place : place + 1]]),
            task.initial_parameters.arrays[1:],
        )
        np.testing.assert_allclose(got[0], want, atol=1e-12)


def test_ranks_of_the_next_item(toy_sequences: SequenceSet) -> None:
    task = SequenceTask(toy_sequences, CONFIG)
    arrays = list(task.initial_parameters.arrays)
    # The padding never competes, and two items are as good.
    arrays[-1] = np.where(np.arange(len(arrays[-1])) == 0, 100.0, arrays[-1])
    arrays[4][:, 2], arrays[5][2] = arrays[4][:, 3], arrays[5][3]
    parameters = Parameters.of(arrays)
    sequences = toy_sequences.train
    logits = np.asarray(task.model.logits(tf.constant(arrays[0][sequences.histories]), arrays[1:]))[:, 1:]
    own = logits[np.arange(len(logits)), sequences.targets - 1][:, None]
    want = (logits > own).sum(axis=1) + ((logits == own).sum(axis=1) + 1) / 2
    ranks, cross_entropies = ranks_and_losses(task.model, parameters, sequences)
    np.testing.assert_array_equal(ranks, want)
    assert (ranks % 1 == 0.5).any()
    # The padding is a class of the loss.
    all_logits = np.asarray(task.model.logits(tf.constant(arrays[0][sequences.histories]), arrays[1:]))
    losses = np.log(np.exp(all_logits - 100).sum(axis=1)) + 100 - all_logits[np.arange(len(own)), sequences.targets]
    np.testing.assert_allclose(cross_entropies, losses, rtol=1e-5)
    metrics = next_item_metrics(np.array([1.0, 4.0, 20.0]), np.array([1.0, 2.0, 6.0]))
    assert metrics["cross_entropy"] == 3
    assert metrics["mrr"] == pytest.approx((1 + 1 / 4 + 1 / 20) / 3)
    assert metrics["recall_at_10"] == pytest.approx(2 / 3)
    assert len(ranks_and_losses(task.model, parameters, sequences.only(slice(0)))[0]) == 0
