"""Takes the derivatives of predicted ratings back over mini-batches of ratings; see batch_backward, of triples.

TensorFlow's tape differentiates a batch as it is trained (rating_batch_kernel), by the memory of its rows, by that of
the network, where the network moves, and by the weights of the ratings' losses.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.training.rating_batch_kernel import RatingBatchKernel, RatingPlan
from gr_tf.training.steps import Backward, Block
from gr_tf.types import Ids, Rows, Tensor

# See RatingBackward.
Plan = Callable[[Block, int, np.ndarray], tuple[Ids, RatingPlan]]
# Predictions that one compiled graph goes back with.
_AT_ONCE = 4


class RatingAdjoint(NamedTuple):
    """Derivatives of n predictions with respect to a state.

    Attributes:
        table: variable [n, num_rows + 1, columns], of the memory of the table.
        network: [n, 1, columns] each, of the memories of the network's arrays; empty where the network does not move.
    """

    table: Tensor
    network: list[Tensor]


class RatingBackward(Backward):
    """Goes back over the batches of a training with shares; see RatingShareSteps."""

    def __init__(self, kernel: RatingBatchKernel, at_once: int, plan: Plan) -> None:
        """
        Args:
            kernel: of the batches.
            at_once: batches of a plan, of which a block may have fewer.
            plan: gives the ratings of a block in their order, and its RatingPlan, from the block, the seed, and which
                ratings are kept.
        """
        self._kernel, self._at_once, self._plan = kernel, at_once, plan
        # To a factor of two (BUILD_NOTES, "Replay of ratings").
        self.seconds = 2e-3 + 3e-8 * 2 * kernel.config.batch_size * kernel.model.width
        self._recorded = tf.function(self._recorded_block)
        self._back = tf.function(self._back_over)
        # XLA's code is four times faster here, unlike for triples: a batch has few rows.
        self._derivatives = tf.function(self._batch_derivatives, jit_compile=True)

    def start(self, arrays: dict[str, np.ndarray], gradients: Sequence[Tensor]) -> RatingAdjoint:
        """See Backward; the weights are the first columns of a memory, and predictions depend on nothing else."""
        of_table, *of_network = gradients
        count, num_rows, width = of_table.shape
        columns = arrays["memory_0"].shape[1]
        table = tf.Variable(
            tf.pad(of_table, [[0, 0], [0, arrays["memory_0"].shape[0] - num_rows], [0, columns - width]])
        )
        if not self._kernel.model.trains_network:
            return RatingAdjoint(table, [])
        flat = [tf.reshape(part, [count, 1, -1]) for part in of_network]
        widths = [arrays[f"memory_{i}"].shape[1] for i in range(1, 1 + len(flat))]
        return RatingAdjoint(
            table,
            [
                tf.pad(part, [[0, 0], [0, 0], [0, most - part.shape[2]]])
                for part, most in zip(flat, widths, strict=True)
            ],
        )

    def back(
        self, arrays: dict[str, np.ndarray], block: Block, seed: int, kept: np.ndarray, adjoint: RatingAdjoint
    ) -> tuple[RatingAdjoint, Ids, np.ndarray]:
        """See Backward; changes the adjoint's table in place."""
        examples, plan = self._plan(block, seed, kept)
        size = tf.constant(block.count)
        memories = [tf.Variable(arrays[f"memory_{i}"]) for i in range(len(arrays))]
        before, networks = self._recorded(memories, plan, size)
        count, effects, network = adjoint.table.shape[0], [], []
        for first in range(0, count, _AT_ONCE):
            of_network = [part[first : first + _AT_ONCE] for part in adjoint.network]
            numbers = tf.range(first, min(first + _AT_ONCE, count))
            done, found = self._back(adjoint.table, of_network, numbers, before, networks, plan, size)
            effects.append(found.numpy())
            network.append(done)
        told = np.concatenate(effects).astype(np.float64).reshape(count, -1)[:, : len(examples)]
        joined = [tf.concat(parts, axis=0) for parts in zip(*network, strict=True)]
        return RatingAdjoint(adjoint.table, joined), examples, told

    def _recorded_block(
        self, memories: Sequence[Tensor], plan: RatingPlan, count: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Does `count` batches on variables; returns the memories before each.

        Returns:
            Of the distinct rows, [at_once, num_distinct, columns]; of the network's arrays, [at_once, 1, columns] each.
        """
        shapes = [[self._kernel.num_distinct, memories[0].shape[1]], *(memory.shape for memory in memories[1:])]
        told = [tf.TensorArray(memories[0].dtype, size=self._at_once, element_shape=shape) for shape in shapes]

        def body(i: Tensor, told: list[Any]) -> tuple[Tensor, list[Any]]:
            done = self._kernel.step(memories, plan.batch(i))
            parts = zip(told, [done.before, *done.network], strict=True)
            return i + 1, [array.write(i, part) for array, part in parts]

        _, told = tf.while_loop(lambda i, _: i < count, body, (tf.constant(0), told), parallel_iterations=1)
        rows, *network = (array.stack() for array in told)
        return rows, network

    def _back_over(
        self,
        table: Tensor,
        of_network: list[Tensor],
        numbers: Tensor,
        memories: Tensor,
        networks: list[Tensor],
        plan: RatingPlan,
        size: Tensor,
    ) -> tuple[list[Tensor], Tensor]:
        """Goes back over `size` batches with some predictions, on the adjoint's table.

        Args:
            table, of_network: of the adjoint; the network's of these predictions only.
            numbers: [count], the predictions' places in the table's.
            memories, networks: before each batch.
            plan: of the batches.
            size: how many there are.

        Returns:
            The adjoint of the network; the derivatives [count, at_once, batch] by the weights, times the weights.
        """
        kernel, count, slots = self._kernel, numbers.shape[0], self._kernel.num_distinct
        columns = memories.shape[2]
        shape = [count, plan.weights.shape[1]]
        told = tf.TensorArray(memories.dtype, size=self._at_once, element_shape=shape)

        def body(i: Tensor, of_network: list[Tensor], told: Any) -> tuple[Tensor, list[Tensor], Any]:
            one = plan.batch(i)
            # The adjoint's rows of each prediction.
            of_rows = tf.stack([tf.repeat(numbers, slots), tf.tile(one.distinct, [count])], axis=1)
            after = tf.reshape(
                tf.raw_ops.ResourceGatherNd(resource=table.handle, indices=of_rows, dtype=memories.dtype),
                [count, slots, columns],
            )
            network = [tf.gather(array, i) for array in networks]
            by_weights, by_rows, *by_network = self._derivatives(
                tf.gather(memories, i), network, one, [after, *of_network]
            )
            # The row beyond the table fills up batches; nothing depends on it.
            is_row = tf.cast(one.distinct < kernel.model.num_rows, memories.dtype)[None, :, None]
            write = tf.raw_ops.ResourceScatterNdUpdate(
                ref=table.handle, indices=of_rows, updates=tf.reshape(by_rows * is_row, [-1, columns])
            )
            with tf.control_dependencies([write]):
                return i - 1, by_network, told.write(i, by_weights * one.weights)

        loop = (size - 1, of_network, told)
        _, of_network, told = tf.while_loop(lambda i, *_: i >= 0, body, loop, parallel_iterations=1)
        return of_network, tf.transpose(told.stack(), [1, 0, 2])

    def _batch_derivatives(
        self, before: Rows, network: list[Tensor], plan: RatingPlan, after: list[Tensor]
    ) -> list[Tensor]:
        """The derivatives of n predictions by one batch's weights [n, batch], and by the memories before it.

        Args:
            before, network: the memories before the batch, see RatingBatchKernel.after.
            plan: of the batch.
            after: the derivatives by the memories after it, [n, *shape] each.
        """
        before = self._kernel.optimizer.differentiable(before)
        sources = [plan.weights, before]
        if self._kernel.model.trains_network:
            network = [self._kernel.optimizer.differentiable(array) for array in network]
            sources += network
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(sources)
            done = self._kernel.after(before, network, plan)
        found = [
            tape.gradient(done, sources, output_gradients=[part[place] for part in after])
            for place in range(after[0].shape[0])
        ]
        return [tf.stack(parts) for parts in zip(*found, strict=True)]
