"""The gradient of each example's loss, and batches in parts of one size."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.tasks.example_losses import Batch, ExampleLosses
from gr_tf.types import Rows, Tensor

# Losses [n] of rows, shared arrays, and a batch: ExampleLosses.losses or .query_losses.
LossFunction: TypeAlias = Callable[[Rows, Sequence[Tensor], Batch], Tensor]


def example_gradients(
    losses: ExampleLosses, function: LossFunction, arrays: Sequence[Tensor], batch: Batch
) -> list[Tensor]:
    """The gradient of the loss of each example: of its rows [n, k, width], and of each shared array [n, ...].

    Args:
        losses: of the model.
        function: the loss; one of the functions of `losses`.
        arrays: the parameters.
        batch: the examples.
    """
    if len(arrays) == 1:
        # Nothing is shared, so that the gradient of the sum of the losses is that of each.
        rows = tf.gather(arrays[0], losses.rows(batch))
        with tf.GradientTape() as tape:
            tape.watch(rows)
            total = tf.reduce_sum(function(rows, (), batch))
        return [tape.gradient(total, rows)]

    def of_one(example: Sequence[Tensor]) -> list[Tensor]:
        alone = [array[None] for array in example]
        rows, shared = tf.gather(arrays[0], losses.rows(alone)), list(arrays[1:])
        with tf.GradientTape() as tape:
            tape.watch([rows, shared])
            loss = function(rows, shared, alone)[0]
        zero = tf.UnconnectedGradients.ZERO
        of_rows, of_shared = tape.gradient(loss, [rows, shared], unconnected_gradients=zero)
        return [of_rows[0], *of_shared]

    if any(array.dtype == tf.string for array in batch):
        # Lookups of names cannot be vectorized.
        return list(tf.map_fn(of_one, tuple(batch), fn_output_signature=[array.dtype for array in arrays]))
    return list(tf.vectorized_map(of_one, tuple(batch)))


def batch_parts(batch: Sequence[np.ndarray], size: int, fill: float | None = None) -> Iterator[tuple[Tensor, ...]]:
    """A batch in parts of one size, so that one graph serves all.

    The last part is filled up with `fill`, or with copies of the batch's first example. A small batch has parts of a
    smaller size, a power of two: an example may look up every row of a large table.
    """
    count = len(batch[0])
    size = min(size, 1 << max(0, count - 1).bit_length())
    for first in range(0, count, size):
        places = np.arange(first, first + size)
        missing = places >= count
        part = [array[np.where(missing, 0, places)] for array in batch]
        if fill is not None:
            part = [np.where(missing, fill, array) for array in part]
        yield tuple(tf.constant(array) for array in part)
