"""Takes the derivatives of predictions back over mini-batches of triples.

A batch turns its rows' memory m into apply(m, sum_i w_i g_i(m)), where w_i = 1 is the weight of triple i's loss. If a is
the derivative of a prediction with respect to the memory after the batch, then the derivatives with respect to the
memory before, and to each w_i, are products of a with derivatives of this function: of the optimizer, and of the
gradients, which are Hessian-vector products. TensorFlow's tape gives both at once, by differentiating the batch as it
is trained (batch_kernel), so that whatever the model, the loss, and the optimizer are, nothing is written twice.
"""

import functools
from typing import Any

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.training.batch_kernel import BatchPlan, Objective, batches, gradients
from gr_tf.training.batch_triple_steps import BatchTripleSteps
from gr_tf.training.row_optimizers import RowOptimizer
from gr_tf.training.steps import Block
from gr_tf.types import Ids, Rows, Tensor

# Predictions that one compiled graph goes back with.
_AT_ONCE = 4


class BatchBackward:
    """Goes back over the batches of a training of triples.

    An adjoint is a variable [num_predictions, num_rows + 1, columns]: derivatives with respect to the memory.
    """

    def __init__(self, steps: BatchTripleSteps) -> None:
        self._steps = steps

    def start(self, memory: np.ndarray, step: float, of_table: Rows) -> Tensor:
        """The adjoint after the last batch.

        Args:
            memory: [num_rows + 1, columns], after the last batch.
            step: batches done.
            of_table: [num_predictions, num_rows, width], derivatives with respect to the trained parameters.
        """
        optimizer = self._steps.optimizer
        state = optimizer.differentiable(tf.constant(memory[:-1]))
        dtype, width = self._steps.dtype, of_table.shape[2]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(state)
            weights = optimizer.weights(state, width, tf.constant(step, dtype), self._steps.rate)
        found = tf.stack([tape.gradient(weights, state, output_gradients=one) for one in of_table])
        return tf.Variable(tf.pad(found, [[0, 0], [0, 1], [0, 0]]))

    def back(
        self, memory: np.ndarray, step: float, block: Block, seed: int, kept: np.ndarray, adjoint: Tensor
    ) -> tuple[Ids, np.ndarray]:
        """Goes back over a block, and changes the adjoint.

        Args:
            memory, step: before the block.
            block, kept: see Steps.run.
            seed: of the order.
            adjoint: from `start`, or of the block after this one.

        Returns:
            The training examples [n] of the block, each once; and the derivatives [num_predictions, n] of the
            predictions with respect to the weights of their losses in the block.
        """
        steps = self._steps
        examples, plan = steps.plan(block, seed, kept)
        first = tf.constant(step, steps.dtype)
        memories = _recorded(steps.objective, steps.optimizer)(tf.Variable(memory).handle, first, steps.rate, *plan)
        effects = np.zeros((adjoint.shape[0], plan.weights.shape[0] * plan.weights.shape[1]))
        count = adjoint.shape[0]
        for place in range(0, count, _AT_ONCE):
            end = min(place + _AT_ONCE, count)
            run = _backward(steps.objective, steps.optimizer, end - place)
            part = run(adjoint.handle, tf.constant(place), memories, first, steps.rate, *plan)
            effects[place:end] = part.numpy().reshape(end - place, -1)
        # [predictions, batches, directions, batch]: an example's directions together.
        directions = steps.objective.directions
        shape = count, block.count, directions, -1
        summed = effects.reshape(shape).sum(axis=2).reshape(count, -1)[:, : len(examples)]
        return examples, summed


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
    dtype, width = objective.dtype, objective.model.width

    def run(handle: Tensor, place: Tensor, memories: Tensor, step: Tensor, rate: Tensor, *parts: Tensor) -> Tensor:
        plan = BatchPlan(*parts)
        size, slots = plan.reads.shape
        told = tf.TensorArray(dtype, size=size, element_shape=[count, plan.weights.shape[1]])

        def body(i: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
            one = BatchPlan(*(tf.gather(part, i) for part in plan))
            # The adjoint's rows of each prediction.
            numbers = tf.range(place, place + count)
            of_rows = tf.stack([tf.repeat(numbers, slots), tf.tile(one.reads, [count])], axis=1)
            after = tf.raw_ops.ResourceGatherNd(resource=handle, indices=of_rows, dtype=dtype)
            memory = optimizer.differentiable(tf.gather(memories, i))
            columns = memory.shape[1]
            after = tf.reshape(after, [count, slots, columns])
            now = step + tf.cast(i, dtype)
            weights = one.weights
            with tf.GradientTape(persistent=True) as tape:
                tape.watch([memory, weights])
                rows = optimizer.weights(memory, width, now, rate)
                _, own, of_candidates = gradients(objective, rows, one.places, one.columns, weights, one.keys)
                every = tf.concat([*own, of_candidates], axis=0)
                summed = tf.math.unsorted_segment_sum(every, one.places, slots)
                done, _ = optimizer.apply(memory, summed, now, rate)
            found = [tape.gradient(done, [memory, weights], output_gradients=after[q]) for q in range(count)]
            # The row beyond the table fills up batches; nothing depends on it.
            is_row = tf.cast(one.reads < objective.model.num_rows, dtype)[None, :, None]
            before = tf.stack([of_memory for of_memory, _ in found]) * is_row
            write = tf.raw_ops.ResourceScatterNdUpdate(
                ref=handle, indices=of_rows, updates=tf.reshape(before, [-1, columns])
            )
            effects = tf.stack([of_weights for _, of_weights in found]) * weights
            with tf.control_dependencies([write]):
                return i - 1, told.write(i, effects)

        *_, told = tf.while_loop(lambda i, *_: i >= 0, body, (size - 1, told), parallel_iterations=1)
        return tf.transpose(told.stack(), [1, 0, 2])

    return tf.function(run)
