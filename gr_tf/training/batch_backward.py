"""Takes the derivatives of predictions back over mini-batches of triples.

A batch turns its rows' memory m into apply(m, sum_i w_i g_i(m)), where w_i = 1 is the weight of triple i's loss. If a
is the derivative of a prediction with respect to the memory after the batch, then the derivatives with respect to the
memory before, and to each w_i, are products of a with derivatives of this function: of the optimizer, and of the
gradients, which are Hessian-vector products. TensorFlow's tape gives both at once, by differentiating the batch as it
is trained (batch_kernel), so that whatever the model, the loss, and the optimizer are, nothing is written twice.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.training.batch_kernel import BatchPlan, Objective, batches, gradients
from gr_tf.training.row_optimizers import RowOptimizer
from gr_tf.training.steps import Backward, Block
from gr_tf.types import Ids, Tensor

# See BatchBackward.
Plan = Callable[[Block, int, np.ndarray], tuple[Ids, BatchPlan]]
# Predictions that one compiled graph goes back with.
_AT_ONCE = 4
# XLA joins the operations of batches with at most so many products; that of larger ones is slower than TensorFlow's own
# kernels (BUILD_NOTES, "Replay of batches").
_JOINED_PRODUCTS = 1 << 20


class BatchBackward(Backward):
    """Goes back over the batches of a training of triples.

    An adjoint is a variable [num_predictions, num_rows + 1, columns]: derivatives with respect to the memory.
    """

    def __init__(
        self, objective: Objective, optimizer: RowOptimizer, rate: Tensor, plan: Plan, num_scores: int
    ) -> None:
        """
        Args:
            objective, optimizer: of the batches.
            rate: scalar, the learning rate.
            plan: gives the triples of a block in their order, and its BatchPlan, from the block, the seed, and which
                triples are kept.
            num_scores: of a batch, in all directions.
        """
        # By FB15k-237, 1,000 candidates, 200 numbers: 28 s of two cores an epoch (BUILD_NOTES, "Replay of batches").
        self.seconds = 1e-3 + 5e-10 * num_scores * objective.model.width
        self._objective, self._optimizer, self._rate, self._plan = objective, optimizer, rate, plan

    def start(self, arrays: dict[str, np.ndarray], gradients: Sequence[Tensor]) -> Tensor:
        """See Backward."""
        (of_table,) = gradients
        optimizer, dtype, width = self._optimizer, self._objective.dtype, self._objective.model.width
        memory = optimizer.differentiable(tf.constant(arrays["memory"][:-1]))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(memory)
            table = optimizer.weights(memory, width, tf.constant(arrays["step"], dtype), self._rate)
        found = tf.stack([tape.gradient(table, memory, output_gradients=one) for one in of_table])
        return tf.Variable(tf.pad(found, [[0, 0], [0, 1], [0, 0]]))

    def back(
        self, arrays: dict[str, np.ndarray], block: Block, seed: int, kept: np.ndarray, adjoint: Tensor
    ) -> tuple[Tensor, Ids, np.ndarray]:
        """See Backward; changes the adjoint in place."""
        of_batches = self._objective, self._optimizer
        examples, plan = self._plan(block, seed, kept)
        step = tf.constant(arrays["step"], self._objective.dtype)
        memory = tf.Variable(arrays["memory"])
        memories = _recorded(*of_batches)(memory.handle, step, self._rate, *plan)
        count, parts = adjoint.shape[0], []
        for first in range(0, count, _AT_ONCE):
            run = _backward(*of_batches, min(_AT_ONCE, count - first))
            parts.append(run(adjoint.handle, tf.constant(first), memories, step, self._rate, *plan).numpy())
        # [predictions, batches, directions, batch]: an example's directions together.
        effects = np.concatenate(parts).astype(np.float64).reshape(count, block.count, self._objective.directions, -1)
        return adjoint, examples, effects.sum(axis=2).reshape(count, -1)[:, : len(examples)]


@functools.cache
def _recorded(objective: Objective, optimizer: RowOptimizer) -> Any:
    """The function that does batches and returns the memories [batches, slots, columns] of their rows before each."""
    dtype = objective.dtype
    one = batches(objective, optimizer, tracked=False)

    def run(handle: Tensor, step: Tensor, rate: Tensor, *plan: Tensor) -> Tensor:
        size = plan[0].shape[0]
        told = tf.TensorArray(dtype, size=size)

        def body(i: Tensor, step: Tensor, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            memory = tf.raw_ops.ResourceGather(resource=handle, indices=tf.gather(plan[0], i), dtype=dtype)
            with tf.control_dependencies([memory]):
                step, _ = one(handle, step, rate, *(tf.gather(part, i)[None] for part in plan))
            return i + 1, step, told.write(i, memory)

        *_, told = tf.while_loop(lambda i, *_: i < size, body, (tf.constant(0), step, told), parallel_iterations=1)
        return told.stack()

    return tf.function(run)


@functools.cache
def _backward(objective: Objective, optimizer: RowOptimizer, count: int) -> Any:
    """The function that goes back over batches with `count` predictions, on the adjoint's variable.

    Returns:
        A tf.function of (the adjoint's handle, the first prediction's place, the memories, steps done before, the
        learning rate, the parts of a BatchPlan), which returns the derivatives [count, batches, n] by the weights of
        the losses, times the weights.
    """
    dtype, num_rows = objective.dtype, objective.model.num_rows
    native, joined = (
        _over_batch(objective, optimizer, count, jit_compile=jit_compile) for jit_compile in (False, True)
    )

    def run(handle: Tensor, place: Tensor, memories: Tensor, step: Tensor, rate: Tensor, *parts: Tensor) -> Tensor:
        plan = BatchPlan(*parts)
        (size, slots), columns = plan.reads.shape, memories.shape[2]
        over = joined if _num_products(objective, plan) <= _JOINED_PRODUCTS else native
        told = tf.TensorArray(dtype, size=size, element_shape=[count, plan.weights.shape[1]])
        numbers = tf.range(place, place + count)

        def back(i: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
            now, one = step + tf.cast(i, dtype), BatchPlan(*(tf.gather(part, i) for part in plan))
            drawn = objective.drawn(one.keys, one.weights.shape[0])
            before, effects = over(tf.gather(memories, i), after, now, rate, drawn, *one)
            return tf.ensure_shape(before, [count, slots, columns]), effects

        def whole(i: Tensor, after: Tensor, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            before, effects = back(i, after)
            return i - 1, before, told.write(i, effects)

        def some(i: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
            # The adjoint's rows of each prediction.
            of_rows = tf.stack([tf.repeat(numbers, slots), tf.tile(tf.gather(plan.reads, i), [count])], axis=1)
            after = tf.raw_ops.ResourceGatherNd(resource=handle, indices=of_rows, dtype=dtype)
            before, effects = back(i, tf.reshape(after, [count, slots, columns]))
            updates = tf.reshape(before, [-1, columns])
            write = tf.raw_ops.ResourceScatterNdUpdate(ref=handle, indices=of_rows, updates=updates)
            with tf.control_dependencies([write]):
                return i - 1, told.write(i, effects)

        if slots == num_rows + 1:
            # Each batch reads all rows, in their order: then they are not copied to the variable and back each time.
            after = tf.raw_ops.ResourceGather(resource=handle, indices=numbers, dtype=dtype)
            after = tf.ensure_shape(after, [count, slots, columns])
            _, after, told = tf.while_loop(lambda i, *_: i >= 0, whole, (size - 1, after, told), parallel_iterations=1)
            tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=numbers, updates=after)
        else:
            _, told = tf.while_loop(lambda i, *_: i >= 0, some, (size - 1, told), parallel_iterations=1)
        return tf.transpose(told.stack(), [1, 0, 2])

    return tf.function(run)


def _num_products(objective: Objective, plan: BatchPlan) -> int:
    """The products that all scores of a batch take."""
    num_asked = plan.weights.shape[1]
    return int(num_asked * (plan.places.shape[1] - 3 * num_asked) * objective.model.width)


def _over_batch(objective: Objective, optimizer: RowOptimizer, count: int, *, jit_compile: bool) -> Any:
    """The function that takes derivatives of `count` predictions back over one batch.

    Returns:
        A tf.function of (the memory [slots, columns] of the batch's rows before it, the derivatives [count, slots,
        columns] after it, steps done before, the learning rate, what Objective.drawn gives, the parts of the batch's
        plan), which returns the derivatives before it, and those [count, n] by the weights of the losses, times the
        weights.
    """
    dtype, width = objective.dtype, objective.model.width

    def run(
        memory: Tensor, after: Tensor, step: Tensor, rate: Tensor, drawn: Tensor | None, *parts: Tensor
    ) -> tuple[Tensor, Tensor]:
        one = BatchPlan(*parts)
        memory, weights = optimizer.differentiable(memory), one.weights
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([memory, weights])
            rows = optimizer.weights(memory, width, step, rate)
            _, own, of_candidates = gradients(objective, rows, one.places, one.columns, weights, drawn)
            every = tf.concat([*own, of_candidates], axis=0)
            summed = tf.math.unsorted_segment_sum(every, one.places, one.reads.shape[0])
            done, _ = optimizer.apply(memory, summed, step, rate)
        found = [tape.gradient(done, [memory, weights], output_gradients=after[q]) for q in range(count)]
        # The row beyond the table fills up batches; nothing depends on it.
        is_row = tf.cast(one.reads < objective.model.num_rows, dtype)[None, :, None]
        before = tf.stack([of_memory for of_memory, _ in found]) * is_row
        return before, tf.stack([of_weights for _, of_weights in found]) * weights

    return tf.function(run, jit_compile=True) if jit_compile else run
