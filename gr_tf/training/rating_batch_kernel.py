"""What a batch of ratings computes: gradients of its ratings, and what the optimizer does with them.

A native loop gathers the distinct rows of a batch, sums their gradients, and writes them; the arithmetic between is
compiled, as in rating_steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.row_optimizers import RowOptimizer
from gr_tf.types import Rows, Tensor


class RatingPlan(NamedTuple):
    """Batches before they are done; or one, without the first axis.

    Attributes:
        distinct: [batches, num_distinct] int32, the distinct rows of each; the row beyond the table fills them up.
        places: [batches, 2 * batch] int32, where among them the user's and the item's row of each rating are.
        values: [batches, batch], the ratings.
        weights: [batches, batch], what a rating's loss is multiplied with; 0: it is left out.
    """

    distinct: Tensor
    places: Tensor
    values: Tensor
    weights: Tensor

    def batch(self, place: Tensor) -> "RatingPlan":
        """One of the batches."""
        return RatingPlan(*(tf.gather(part, place) for part in self))


class Step(NamedTuple):
    """What a batch did.

    Attributes:
        error: its mean squared error, before it.
        of_rows: [2 * batch, width], the gradients of each rating by its two rows.
        factor: [num_distinct, width], see RowOptimizer.apply.
        before: [num_distinct, columns], the memory of its rows before it.
        network: the memories [1, columns] of the network's arrays before it.
    """

    error: Tensor
    of_rows: Rows
    factor: Rows
    before: Rows
    network: list[Tensor]


class RatingBatchKernel:
    """Batches of one size, of one model, by SGD or Adagrad.

    Attributes:
        model, config, optimizer: as given.
        num_distinct: how many distinct rows a batch has at most.
    """

    def __init__(
        self, model: RatingModel, config: RatingConfig, optimizer: RowOptimizer, shapes: Sequence[tuple[int, ...]]
    ) -> None:
        """
        Args:
            model, config: of the training.
            optimizer: one that does not count its steps.
            shapes: of the network's arrays.
        """
        self.model, self.config, self.optimizer = model, config, optimizer
        self.num_distinct = min(2 * config.batch_size, model.num_rows + 1)
        self._shapes = shapes
        self._rate = tf.constant(config.learning_rate, config.dtype)
        self._gradients = tf.function(self._batch_gradients, jit_compile=True)
        self._apply = tf.function(self._applied, jit_compile=True)

    def step(self, memories: Sequence[Tensor], plan: RatingPlan) -> Step:
        """Does a batch on variables, see RatingShareState."""
        before = tf.gather(memories[0], plan.distinct)
        network = [tf.identity(memory) for memory in memories[1:]]
        error, of_rows, of_network = self._gradients(tf.gather(before, plan.places), network, plan.values, plan.weights)
        summed = tf.math.unsorted_segment_sum(of_rows, plan.places, self.num_distinct)
        after, factor = self._apply(before, summed)
        memories[0].scatter_update(tf.IndexedSlices(after, plan.distinct))
        if self.model.trains_network:
            for memory, array, gradient in zip(memories[1:], network, of_network):  # noqa: B905  (autograph)
                memory.assign(self._apply(array, gradient)[0])
        return Step(error, of_rows, factor, before, network)

    def after(self, before: Rows, network: Sequence[Tensor], plan: RatingPlan) -> list[Tensor]:
        """The memories after a batch as a differentiable function: of its distinct rows, then of the network's arrays.

        The network's are left out where it does not move.
        """
        _, of_rows, of_network = self._batch_gradients(
            tf.gather(before, plan.places), network, plan.values, plan.weights
        )
        summed = tf.math.unsorted_segment_sum(of_rows, plan.places, self.num_distinct)
        done = [self._applied(before, summed)[0]]
        if self.model.trains_network:
            parts = zip(network, of_network, strict=True)
            done += [self._applied(memory, gradient)[0] for memory, gradient in parts]
        return done

    def _batch_gradients(self, own: Rows, network: Sequence[Tensor], values: Tensor, weights: Tensor) -> Tensor:
        """The mean squared error of a batch; the gradients of each rating by its rows, and their sums by the network.

        Args:
            own: [2 * batch, columns], the memories of each rating's user's and item's row.
            network: the memories of the network's arrays.
            values, weights: [batch].
        """
        rows = own[:, : self.model.width]
        arrays = [
            tf.reshape(memory[0, : int(np.prod(shape))], shape)
            for memory, shape in zip(network, self._shapes, strict=True)
        ]
        with tf.GradientTape() as tape:
            tape.watch([rows, arrays])
            pairs = tf.reshape(rows, [self.config.batch_size, 2, -1])
            predicted = self.model.predict(pairs[:, 0], pairs[:, 1], arrays)
            total = tf.reduce_sum(tf.square(predicted - values) * weights)
        of_rows, of_network = tape.gradient(total, [rows, arrays])
        of_rows += self.config.weight_decay * tf.repeat(weights, 2)[:, None] * rows
        # At least one: a batch may have nothing left in it.
        error = total / tf.maximum(tf.reduce_sum(weights), 1)
        return error, of_rows, [tf.reshape(gradient, [1, -1]) for gradient in of_network]

    def _applied(self, memory: Rows, gradient: Rows) -> tuple[Rows, Rows]:
        """See RowOptimizer.apply; SGD and Adagrad do not count their steps."""
        return self.optimizer.apply(memory, gradient, tf.constant(0, self.config.dtype), self._rate)
