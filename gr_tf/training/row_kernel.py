"""Steps at the cost of the rows they touch, for large graphs: dense Adam's result by catch-up.

A native loop reads and writes rows of one variable that holds weight, mean, square and the step of
the last touch side by side; only the arithmetic between is compiled. (One compiled loop spends most
of a step scattering some 500 rows one by one.)
"""

import functools
from typing import NamedTuple

import numpy as np

from gr_tf.models.factor_model import FactorModel
from gr_tf.runs.engine import tf
from gr_tf.training.dense_kernel import StepTrace, changes
from gr_tf.training.losses import LOSSES
from gr_tf.training.row_adam import RowAdam, split_memory
from gr_tf.types import State, Tensor


class RowPlan(NamedTuple):
    """What is known of a block's steps before they are done.

    A step's slots are its candidates, sorted by row, then head, then relation.

    Attributes:
        reads: [block, slots] int32, the row of each slot.
        writes: the same, but a row that repeats is written by its first slot only; the others
            write to a row beyond the table.
        places: [block, 4] int32, the slots that write head, relation and tail; and where among the
            candidates the gold one is.
        most_repeated: how many further candidates may share a candidate's row.
    """

    reads: Tensor
    writes: Tensor
    places: Tensor
    most_repeated: int


class RowState(NamedTuple):
    """What a step reads and writes.

    Attributes:
        memory: tf.Variable [num_rows + 1, 3 * width + 1], changed in place; the last row is scrap.
        step: scalar, steps done, in the dtype.
        learning_rate: scalar.
        future: see RowAdam.
    """

    memory: Tensor
    step: Tensor
    learning_rate: Tensor
    future: Tensor


class RowKernel:
    """Adam on the rows that a step touches."""

    name = "rows"

    def __init__(self, model: FactorModel, loss_name: str, optimizer: RowAdam, num_steps: int) -> None:
        """For at most so many steps of a whole training.

        Raises:
            InputError: if they are too many to be counted in the dtype.
        """
        optimizer.check_steps(num_steps)
        self._model = model
        self.optimizer = optimizer
        self._num_steps = num_steps
        self._block = _block(model, loss_name, optimizer)
        self._tables = _tables(model, optimizer)

    def plan(self, rows: np.ndarray) -> RowPlan:
        """See DenseKernel."""
        heads, relations, candidates = rows[:, :1], rows[:, 1:2], rows[:, 2:]
        last = candidates.shape[1] - 1
        ordered = np.sort(candidates, axis=1)
        repeats = np.zeros(ordered.shape, bool)
        repeats[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
        is_head = ordered == heads
        head_writes = np.where(is_head.any(axis=1), is_head.argmax(axis=1), last + 1)
        gold = (ordered == candidates[:, :1]).argmax(axis=1)
        scrap = self._model.num_rows
        reads = np.concatenate([ordered, heads, relations], axis=1)
        writes = np.concatenate(
            [np.where(repeats, scrap, ordered), np.where(is_head.any(axis=1, keepdims=True), scrap, heads), relations],
            axis=1,
        )
        places = np.stack([head_writes, np.full(len(rows), last + 2), gold, gold], axis=1)
        reads, writes, places = (tf.constant(array.astype(np.int32)) for array in (reads, writes, places))
        # The next power of two from 8 on: blocks of one dataset should share one compiled graph.
        most_repeated = max(8, 1 << (_longest_run(repeats) - 1).bit_length())
        return RowPlan(reads, writes, places, min(most_repeated, last))

    def start(self, table: np.ndarray, learning_rate: float) -> State:
        """See DenseKernel."""
        memory = np.pad(table, ((0, 1), (0, 2 * self._model.width + 1)))
        return self._state(memory, 0.0, learning_rate)

    def run(self, state: RowState, plan: RowPlan, order: Tensor, count: Tensor) -> tuple[State, StepTrace]:
        """See DenseKernel."""
        step, trace = self._block(
            state.memory.handle, *state[1:], *plan[:3], order, count, most_repeated=plan.most_repeated
        )
        return state._replace(step=step), StepTrace(*trace)

    def table(self, state: RowState) -> np.ndarray:
        """See DenseKernel."""
        return self._tables(state.memory.handle, state.step, state.future).numpy()

    def to_arrays(self, state: RowState) -> dict[str, np.ndarray]:
        """See DenseKernel."""
        return {"memory": state.memory.numpy(), "step": state.step.numpy()}

    def restore(self, arrays: dict[str, np.ndarray], learning_rate: float) -> State:
        """See DenseKernel."""
        return self._state(arrays["memory"], float(arrays["step"]), learning_rate)

    def _state(self, memory: np.ndarray, step: float, learning_rate: float) -> RowState:
        dtype = self.optimizer.dtype
        future = self.optimizer.future(learning_rate, self._num_steps)
        return RowState(
            tf.Variable(memory), tf.constant(step, dtype), tf.constant(learning_rate, dtype), tf.constant(future)
        )


def _longest_run(repeats: np.ndarray) -> int:
    """The largest number of consecutive True in a row."""
    longest, running = 0, repeats
    while running.any():
        longest += 1
        running = running[:, :-1] & repeats[:, longest:]
    return longest


@functools.cache
def _tables(model: FactorModel, optimizer: RowAdam) -> Tensor:
    """The function (memory handle, step, future) -> [num_rows, width], every row caught up."""

    def run(handle: Tensor, step: Tensor, future: Tensor) -> Tensor:
        memory = tf.raw_ops.ReadVariableOp(resource=handle, dtype=optimizer.dtype)
        memory = tf.ensure_shape(memory, [model.num_rows + 1, 3 * model.width + 1])[:-1]
        return optimizer.catch_up(*split_memory(memory, model.width), step, future)[0]

    return tf.function(run)


@functools.cache
def _block(model: FactorModel, loss_name: str, optimizer: RowAdam) -> Tensor:
    """The function that trains on a block of steps; see DenseKernel.run."""
    width, dtype = model.width, optimizer.dtype

    def run(
        handle: Tensor,
        step: Tensor,
        learning_rate: Tensor,
        future: Tensor,
        reads: Tensor,
        writes: Tensor,
        places: Tensor,
        order: Tensor,
        count: Tensor,
        most_repeated: int,
    ) -> tuple[Tensor, Tensor]:
        compute = arithmetic(model, loss_name, optimizer, most_repeated)
        size, slots = reads.shape
        told = tf.TensorArray(dtype, size=size, element_shape=[3 * width + 2], clear_after_read=False)

        def body(i: Tensor, step: Tensor, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            place = tf.gather(order, i)
            ids = tf.gather(reads, place)
            rows = tf.raw_ops.ResourceGather(resource=handle, indices=ids, dtype=dtype)
            rows = tf.ensure_shape(rows, [slots, 3 * width + 1])
            rows, done = compute(rows, ids, tf.gather(places, place), step, learning_rate, future)
            write = tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=tf.gather(writes, place), updates=rows)
            with tf.control_dependencies([write]):
                return i + 1, step + 1, told.write(place, done)

        _, step, told = tf.while_loop(
            lambda i, *_: i < count, body, (tf.constant(0), step, told), parallel_iterations=1
        )
        whole = told.stack()
        return step, (tf.reshape(whole[:, :-2], [size, 3, width]), whole[:, -2], whole[:, -1])

    return tf.function(run)


@functools.cache
def arithmetic(model: FactorModel, loss_name: str, optimizer: RowAdam, most_repeated: int) -> Tensor:
    """The compiled function from the rows a step reads to the rows it writes.

    Returns:
        A tf.function of
            rows: [slots, 3 * width + 1], the slots' rows of the memory.
            ids: [slots] int32.
            places: [4] int32, see RowPlan.
            step, learning_rate: scalars.
            future: see RowAdam.
        returning the new rows, and [3 * width + 2]: deltas, loss, Lipschitz constant.
    """
    loss = LOSSES[loss_name]
    width, dtype = model.width, optimizer.dtype

    def run(
        rows: Tensor, ids: Tensor, places: Tensor, step: Tensor, learning_rate: Tensor, future: Tensor
    ) -> tuple[Tensor, Tensor]:
        before, mean, square = optimizer.catch_up(*split_memory(rows, width), step, future)
        candidates, head, relation = before[:-2], before[-2], before[-1]
        tail = tf.gather(candidates, places[3])
        # The losses want the gold candidate first; the order of the others is nothing to them. A swap is its inverse.
        every = tf.range(tf.shape(candidates)[0])
        gold_first = tf.where(every == 0, places[3], tf.where(every == places[3], 0, every))
        scores = tf.gather(model.score(head, relation, candidates), gold_first)
        with tf.GradientTape() as loss_tape:
            loss_tape.watch(scores)
            value = loss(scores)
        errors = tf.gather(loss_tape.gradient(value, scores), gold_first)
        head_gradient, relation_gradient, slopes = model.candidate_gradients(head, relation, candidates, errors)
        # Candidates that repeat are one row, with one derivative of the score, so that they need one sum of errors.
        candidate_ids = ids[:-2]
        summed = errors
        for distance in range(1, most_repeated + 1):
            same = candidate_ids[distance:] == candidate_ids[:-distance]
            summed += tf.pad(tf.where(same, errors[distance:], tf.zeros_like(errors[distance:])), [[0, distance]])
        is_head = tf.cast(candidate_ids == ids[-2], dtype)
        candidate_gradient = summed[:, None] * slopes + is_head[:, None] * head_gradient
        gradient = tf.concat([candidate_gradient, head_gradient[None], relation_gradient[None]], axis=0)
        after, (mean, square) = optimizer.adam.apply(before, (mean, square), gradient, step, learning_rate)

        three = places[:3]
        tracked = changes(tf.gather(before, three), tf.gather(after, three), places[0] == places[2])
        lipschitz = tf.reduce_max(model.score_gradient_norms(head, relation, tail))
        touched = tf.fill([tf.shape(rows)[0], 1], step + 1)
        told = tf.concat([tf.reshape(tracked, [-1]), value[None], lipschitz[None]], axis=0)
        return tf.concat([after, mean, square, touched], axis=1), told

    return tf.function(run, jit_compile=True)
