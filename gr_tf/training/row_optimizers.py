"""Optimizers of the rows that a batch touches, and the share of each example in what they do.

A row's memory is its weights, and beside them what the optimizer keeps of it. In a batch the gradient of a row is the
sum of its examples' gradients, and the update is linear in it once the denominators are known:

    w += factor * sum_i g_i,      share of example i = factor * g_i.

    SGD:      factor = -rate
    Adagrad:  factor = -rate / (sqrt(A) + epsilon), A the sum of squared gradients after the batch
              (Duchi et al. 2011)
    Adam:     the batch moves the row by its part of the momentum now and in later steps. factor is the sum of
              both, with the denominator as it is after the batch (BUILD_NOTES, "Shares of Adam").

The start plus all shares is the end, to rounding, for SGD and Adagrad; for Adam it is so approximately.
"""

import abc
import dataclasses

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.training.optimizers import Adam
from gr_tf.training.row_adam import RowAdam, split_memory
from gr_tf.types import Rows, Tensor

# Adam's bias correction by beta1 is below rounding from here on.
_BIAS_GONE = 400
# A square that changes no result, and whose root has a derivative.
_ALMOST_0 = 1e-30


class RowOptimizer(abc.ABC):
    """What a batch does to rows; equal ones share compiled graphs."""

    @abc.abstractmethod
    def memory(self, table: np.ndarray) -> np.ndarray:
        """The memory [n, columns] of rows [n, width] before the first batch; the weights are its first columns."""

    @abc.abstractmethod
    def weights(self, memory: Rows, width: int, step: Tensor, rate: Tensor) -> Rows:
        """The weights [n, width] of rows of the memory after `step` batches."""

    def differentiable(self, memory: Rows) -> Rows:
        """The memory [n, columns] with nothing in it that has no derivative: a sum of squares of 0 is almost 0."""
        return memory

    @abc.abstractmethod
    def apply(self, memory: Rows, gradient: Rows, step: Tensor, rate: Tensor) -> tuple[Rows, Rows]:
        """One batch.

        Args:
            memory: [n, columns].
            gradient: [n, width], sums over the batch's examples.
            step: scalar, the number of batches done before, in the dtype.
            rate: scalar, the learning rate.

        Returns:
            The new memory; and factor [n, width].
        """


@dataclasses.dataclass(frozen=True)
class RowSgd(RowOptimizer):
    """w -= rate * gradient."""

    def memory(self, table: np.ndarray) -> np.ndarray:
        """See RowOptimizer; SGD keeps nothing."""
        return table

    def weights(self, memory: Rows, width: int, step: Tensor, rate: Tensor) -> Rows:
        """See RowOptimizer."""
        return memory

    def apply(self, memory: Rows, gradient: Rows, step: Tensor, rate: Tensor) -> tuple[Rows, Rows]:
        """See RowOptimizer."""
        return memory - rate * gradient, tf.fill(tf.shape(gradient), -rate)


@dataclasses.dataclass(frozen=True)
class RowAdagrad(RowOptimizer):
    """w -= rate / (sqrt(A) + epsilon) * gradient, element by element; a row without gradient does not move."""

    epsilon: float = 1e-10

    def memory(self, table: np.ndarray) -> np.ndarray:
        """See RowOptimizer; A stands beside the weights, 0 at first."""
        return np.concatenate([table, np.zeros_like(table)], axis=1)

    def differentiable(self, memory: Rows) -> Rows:
        """See RowOptimizer."""
        weights, squares = tf.split(memory, 2, axis=1)
        return tf.concat([weights, tf.maximum(squares, _ALMOST_0)], axis=1)

    def weights(self, memory: Rows, width: int, step: Tensor, rate: Tensor) -> Rows:
        """See RowOptimizer."""
        return memory[:, :width]

    def apply(self, memory: Rows, gradient: Rows, step: Tensor, rate: Tensor) -> tuple[Rows, Rows]:
        """See RowOptimizer."""
        weights, squares = tf.split(memory, 2, axis=1)
        squares += gradient * gradient
        factor = -rate / (tf.sqrt(squares) + self.epsilon)
        return tf.concat([weights + factor * gradient, squares], axis=1), factor


@dataclasses.dataclass(frozen=True)
class RowAdamShares(RowOptimizer):
    """Dense Adam, whose momentum moves every row at every step, by catch-up (see row_adam).

    Attributes:
        dtype: precision.
        num_steps: batches of a whole training.
    """

    dtype: str
    num_steps: int

    def __post_init__(self) -> None:
        self._rows.check_steps(self.num_steps)

    @property
    def _rows(self) -> RowAdam:
        return RowAdam(Adam(), self.dtype)

    def _future(self, rate: Tensor) -> Tensor:
        return rate * tf.constant(self._rows.future(1.0, self.num_steps))

    def memory(self, table: np.ndarray) -> np.ndarray:
        """See RowOptimizer; means, squares, and the last touch stand beside the weights, all 0 at first."""
        return np.pad(table, ((0, 0), (0, 2 * table.shape[1] + 1)))

    def differentiable(self, memory: Rows) -> Rows:
        """See RowOptimizer."""
        rows, mean, square, touched = split_memory(memory, (memory.shape[1] - 1) // 3)
        return tf.concat([rows, mean, tf.maximum(square, _ALMOST_0), touched[:, None]], axis=1)

    def weights(self, memory: Rows, width: int, step: Tensor, rate: Tensor) -> Rows:
        """See RowOptimizer; caught up."""
        return self._rows.catch_up(*split_memory(memory, width), step, self._future(rate))[0]

    def apply(self, memory: Rows, gradient: Rows, step: Tensor, rate: Tensor) -> tuple[Rows, Rows]:
        """See RowOptimizer."""
        rows, future = self._rows, self._future(rate)
        adam = rows.adam
        before, *slots = rows.catch_up(*split_memory(memory, gradient.shape[1]), step, future)
        after, (mean, square) = adam.apply(before, tuple(slots), gradient, step, rate)
        count = tf.minimum(tf.cast(step, tf.int32), _BIAS_GONE)
        rates = -adam.rate(step, rate) * tf.gather(tf.constant(_later_parts(adam.beta1), self.dtype), count)
        factor = rates / (tf.sqrt(square) + adam.epsilon)
        touched = tf.fill([tf.shape(after)[0], 1], step + 1)
        return tf.concat([after, mean, square, touched], axis=1), factor


def _later_parts(beta1: float) -> np.ndarray:
    """What a gradient moves in its step and all later ones together, in units of its step's corrected rate.

    sum_k (1 - beta1) beta1^k (1 - beta1^t) / (1 - beta1^(t+k)) for t = 1, 2, ...: the later steps' denominators,
    corrected for their bias by beta2, are taken to be the step's own.
    """
    counts = np.arange(1, _BIAS_GONE + 2)
    later = np.arange(2 * _BIAS_GONE)
    corrected = 1 / (1 - beta1 ** (counts[:, None] + later))
    found: np.ndarray = ((1 - beta1) * beta1**later * corrected).sum(axis=1) * (1 - beta1**counts)
    return found
