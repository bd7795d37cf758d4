"""Steps of Adam on all weights of a model whose losses are a function of them: a given Keras model goes on by these."""

import dataclasses
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.settings import RATE, SEED, Range, Settings
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

    def __init__(
        self, losses: Losses, num_weights: int, train: Sequence[np.ndarray], config: WeightConfig, dtype: str
    ) -> None:
        """
        Args:
            losses: of the model.
            num_weights: how many arrays it has.
            train: the training examples, [num_examples, ...] each.
            config: the settings.
            dtype: of the losses.
        """
        super().__init__(len(train[0]), config, dtype, range(1, 1 + num_weights))
        self._losses, self._train = losses, [tf.constant(array) for array in train]

    @property
    def num_rows(self) -> int:
        """See EpochSteps."""
        return 0

    def batch_of(self, examples: Tensor) -> list[Tensor]:
        """See EpochSteps."""
        examples = tf.minimum(examples, self.num_examples - 1)
        return [tf.gather(array, examples) for array in self._train]

    def lookups(self, batch: Sequence[Tensor]) -> Tensor:
        """See EpochSteps."""
        return tf.zeros([0], tf.int32)

    def losses(self, inputs: Sequence[Tensor], batch: Sequence[Tensor]) -> Tensor:
        """See EpochSteps."""
        return self._losses(inputs[1:], batch)
