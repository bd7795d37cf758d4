"""Optimizer steps as pure functions: a step's change is a value.

Optimizers are frozen dataclasses, so that one compiled graph serves equal ones.
"""

import dataclasses
from typing import TypeAlias

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.types import Tensor

# What an optimizer keeps per parameter, each [num_rows, width].
Slots = tuple[Tensor, ...]


@dataclasses.dataclass(frozen=True)
class Sgd:
    """w -= rate * gradient: the update that Gradient Rollback's theory speaks of."""

    def initial_slots(self, table: Tensor) -> Slots:
        """SGD has no slots."""
        return ()

    def apply(
        self, table: Tensor, slots: Slots, gradient: Tensor, step: Tensor, learning_rate: Tensor
    ) -> tuple[Tensor, Slots]:
        """One step; see Adam."""
        return table - learning_rate * gradient, slots


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam as Keras applies it: epsilon outside the bias correction, every row at every step.

    Kingma and Ba (2015), the form before Section 2.1:
        w -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * mean / (sqrt(square) + epsilon)
    Not lazy: a row whose gradient is zero still moves by its momentum.

    Attributes:
        decay_rate, decay_steps: the learning rate of step t is rate * decay_rate^(t / decay_steps),
            t counted from 0; decay_rate 1 is a constant rate.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-7
    decay_rate: float = 1.0
    decay_steps: int = 1000

    def with_float32_hyperparameters(self) -> "Adam":
        """The same with beta1 and beta2 rounded to float32, as in the authors' run."""
        return dataclasses.replace(self, beta1=float(np.float32(self.beta1)), beta2=float(np.float32(self.beta2)))

    def initial_slots(self, table: Tensor) -> Slots:
        """Slots before the first step, for a table [num_rows, width]: both means are zero."""
        return tf.zeros_like(table), tf.zeros_like(table)

    def rate(self, step: Tensor, learning_rate: Tensor) -> Tensor:
        """What multiplies mean / (sqrt(square) + epsilon) in the step after `step` others."""
        if self.decay_rate != 1:
            learning_rate = learning_rate * self.decay_rate ** (step / self.decay_steps)
        count = step + 1
        return learning_rate * tf.sqrt(1 - self.beta2**count) / (1 - self.beta1**count)

    def apply(
        self, table: Tensor, slots: Slots, gradient: Tensor, step: Tensor, learning_rate: Tensor
    ) -> tuple[Tensor, Slots]:
        """One step.

        Args:
            table, gradient: [num_rows, width].
            slots: the running means of the gradient and of its square, [num_rows, width] each.
            step: scalar, the number of steps done before this one, in the table's dtype.
            learning_rate: scalar.

        Returns:
            The new table and slots.
        """
        mean, square = slots
        rate = self.rate(step, learning_rate)
        mean = self.beta1 * mean + (1 - self.beta1) * gradient
        square = self.beta2 * square + (1 - self.beta2) * gradient * gradient
        return table - rate * mean / (tf.sqrt(square) + self.epsilon), (mean, square)


Optimizer: TypeAlias = Sgd | Adam
