"""Steps of Adam on all weights of a model whose losses are a function of them: a given Keras model goes on by these."""

import dataclasses
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.settings import RATE, SEED, Range, Settings
from gr_tf.training.adam_kernel import adam_step
from gr_tf.training.epoch_steps import EpochSteps
from gr_tf.types import Tensor

# From the weights and a batch of examples, arrays [n, ...], to their losses [n].
Losses = Callable[[Sequence[Tensor], Sequence[Tensor]], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightConfig(Settings):
    """How a given model goes on.

    Attributes:
        epochs: passes over the training examples, in random batches.
        batch_size: examples of a step.
        learning_rate: of Adam, whose moments start at 0.
        seed: of the batches.
    """

    epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 0.001
    seed: int = 0

    ranges = types.MappingProxyType(
        {"epochs": Range(1, 1 << 20), "batch_size": Range(1, 1 << 24), "seed": SEED, "learning_rate": RATE}
    )
    shuffle = True


class WeightSteps(EpochSteps):
    """Steps on random batches, of the mean loss; the parameters' table is not used."""

    def __init__(self, losses: Losses, train: Sequence[np.ndarray], config: WeightConfig, dtype: str) -> None:
        """
        Args:
            losses: of the model.
            train: the training examples, [num_examples, ...] each.
            config: the settings.
            dtype: of the losses.
        """
        super().__init__(len(train[0]), config, dtype)
        self._losses, self._train = losses, [tf.constant(array) for array in train]

    def _epoch(
        self, parameters: Tensor, means: Tensor, squares: Tensor, order: Tensor, all_weights: Tensor, first: Tensor
    ) -> Tensor:
        """See EpochSteps."""
        errors = tf.TensorArray(self._dtype, size=tf.shape(order)[0])
        for place in tf.range(tf.shape(order)[0]):
            counts = tf.gather(all_weights, order[place])
            examples = tf.minimum(order[place], self._num_examples - 1)
            batch = [tf.gather(array, examples) for array in self._train]
            weights = [tf.convert_to_tensor(array) for array in parameters[1:]]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                losses = self._losses(weights, batch)
                loss = tf.reduce_sum(losses * counts) / tf.maximum(tf.reduce_sum(counts), 1)
            gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            number = tf.cast(first + place + 1, self._dtype)
            for i, gradient in enumerate(gradients):
                dense = tf.convert_to_tensor(gradient)
                adam_step(parameters[i + 1], means[i + 1], squares[i + 1], dense, number, self._config.learning_rate)
            errors = errors.write(place, loss)
        return errors.stack()
