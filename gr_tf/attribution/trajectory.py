"""The states of a training, step by step, in bounded memory.

The training keeps the state before every segment of steps; the states within a segment are computed again from it.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gr_tf.attribution.methods import Cost
from gr_tf.data.negatives import BLOCK_SIZE
from gr_tf.errors import InputError, argument
from gr_tf.models.factor_model import FactorModel
from gr_tf.runs import devices
from gr_tf.runs.engine import tf
from gr_tf.tasks.task import Task
from gr_tf.training.dense_kernel import DenseKernel, DenseState
from gr_tf.training.losses import LOSSES
from gr_tf.training.optimizers import Adam
from gr_tf.training.triple_steps import TripleSteps
from gr_tf.types import Rows, Tensor


class Segment(NamedTuple):
    """Some steps of one epoch.

    Attributes:
        epoch: counted from 0.
        first: the example of the first step; the steps are those of consecutive examples.
        size: how many steps.
        state: before the first step.
    """

    epoch: int
    first: int
    size: int
    state: DenseState


def check_replayable(task: Task[Any]) -> None:
    """Refuses trainings whose states cannot be computed again.

    Raises:
        InputError: if the task is of another optimizer, or of steps by rows, or has a constraint.
    """
    steps, config = task.steps, task.config
    dense = isinstance(steps, TripleSteps) and isinstance(steps.kernel, DenseKernel)
    if not dense or config.optimizer != "adam" or config.constraint != "none":
        raise InputError(
            "replaying a training needs optimizer 'adam', dense steps of one triple, and no constraint: train with "
            f"{argument('batch_size', 1)} and {argument('steps', 'dense')}."
        )


class Trajectory:
    """A training of triples with Adam and dense steps, bit for bit as by `task.train`.

    Args:
        task: of the model.
        epochs: at most the configuration's, the default.
        segment: steps between the states that are kept.

    Attributes:
        task, optimizer: as given, and as configured.
        epochs: how many.
        segments: of all steps.
        table: the trained parameters, a tensor [num_rows, width].

    Raises:
        InputError: see check_replayable.
    """

    def __init__(self, task: Task[Any], epochs: int | None = None, segment: int = 256) -> None:
        check_replayable(task)
        config = task.config
        self.task, self._kernel = task, task.steps.kernel  # type: ignore[attr-defined]
        self.optimizer = config.make_optimizer()
        self._forward = _compiled_forward(task.model, config.loss, self.optimizer, config.dtype)
        self.epochs = config.epochs if epochs is None else epochs
        # Where the training computed, so that the states are its own.
        with devices.of_steps(on_one_example=True):
            self.segments = list(self._train(segment))

    def _train(self, segment: int) -> Iterator[Segment]:
        num_examples, kernel = self.task.num_examples, self._kernel
        learning_rate = self.task.config.initial_learning_rate(np.array([], np.int64))
        state = kernel.start(self.task.initial_parameters.table, learning_rate)
        block_size = min(BLOCK_SIZE, num_examples)
        for epoch in range(self.epochs):
            for block in range(0, num_examples, BLOCK_SIZE):
                end = min(BLOCK_SIZE, num_examples - block)
                for start in range(0, end, segment):
                    size = min(segment, end - start)
                    yield Segment(epoch, block + start, size, state)
                    order = np.resize(np.arange(start, start + size, dtype=np.int32), block_size)
                    state, _ = kernel.run(state, self._block_plan(block), order, tf.constant(size))
        self.table = state.table

    def _block_plan(self, first: int) -> Tensor:
        return self.task.steps.block_plan(first)  # type: ignore[attr-defined]

    def rows(self, segment: Segment) -> Tensor:
        """The table rows [size, k] of the segment's steps: head, relation, candidates."""
        block = segment.first // BLOCK_SIZE * BLOCK_SIZE
        return tf.gather(self._block_plan(block), np.arange(segment.size) + segment.first - block)

    def states(self, segment: Segment) -> tuple[Tensor, Tensor, Tensor]:
        """Table, mean and square, [size + 1, num_rows, width] each: before each of the steps, and after the last."""
        with devices.of_steps(on_one_example=True):
            found: tuple[Tensor, Tensor, Tensor] = self._forward(segment.state, self.rows(segment))
        return found


def row_gradients(model: FactorModel, loss_name: str, rows: Rows) -> Rows:
    """The gradients of n losses with respect to their rows [k, n, width]: head, relation, candidates."""
    loss = LOSSES[loss_name]
    with tf.GradientTape() as tape:
        tape.watch(rows)
        # The losses want the candidates last.
        value = tf.reduce_sum(loss(tf.transpose(model.score(rows[0], rows[1], rows[2:]))))
    return tape.gradient(value, rows)


def table_gradient(model: FactorModel, loss_name: str, table: Tensor, places: Tensor) -> Tensor:
    """The gradient [num_rows, width] of the loss of one step, whose rows are at `places` [k]."""
    of_rows = row_gradients(model, loss_name, tf.gather(table, places)[:, None])[:, 0]
    return tf.tensor_scatter_nd_add(tf.zeros_like(table), places[:, None], of_rows)


@functools.cache
def _compiled_forward(model: FactorModel, loss_name: str, optimizer: Adam, dtype: str) -> Any:
    """The function behind Trajectory.states."""

    def run(state: DenseState, rows: Tensor) -> Sequence[Tensor]:
        size = tf.shape(rows)[0]
        kept = tuple(tf.zeros([size + 1, model.num_rows, model.width], dtype) for _ in range(3))

        def keep(kept: Sequence[Tensor], i: Tensor, parts: Sequence[Tensor]) -> tuple[Tensor, ...]:
            return tuple(
                tf.tensor_scatter_nd_update(whole, [[i]], part[None]) for whole, part in zip(kept, parts, strict=True)
            )

        def body(
            i: Tensor, table: Tensor, slots: tuple[Tensor, ...], step: Tensor, kept: Sequence[Tensor]
        ) -> tuple[Any, ...]:
            kept = keep(kept, i, (table, *slots))
            gradient = table_gradient(model, loss_name, table, tf.gather(rows, i))
            table, slots = optimizer.apply(table, slots, gradient, step, state.learning_rate)
            return i + 1, table, slots, step + 1, kept

        _, table, slots, _, kept = tf.while_loop(
            lambda i, *_: i < size, body, (tf.constant(0), state.table, state.slots, state.step, kept)
        )
        return keep(kept, size, (table, *slots))

    return tf.function(run, jit_compile=True)


def replay_cost(task: Task[Any], num_queries: int = 1) -> Cost:
    """What it costs to keep the states of a training and to go through all of them, with queries together."""
    model, config = task.model, task.config
    numbers, num_steps = model.num_rows * model.width, task.num_examples * config.epochs
    touched = (config.num_negatives + 3) * model.width
    # Three arrays a segment of 256 steps, the states within one, and every example's changes.
    memory = 2**27 + 8.0 * (3 * numbers * (num_steps / 256 + 512) + task.num_examples * touched)
    # Measured with 2,200 to 15,500 numbers, to some 10%: 3 s to compile, then each step goes through the whole table.
    # Each further query takes half as long (Nations, 64 of them).
    return Cost(memory, 3 + num_steps * (2e-5 + (2.5e-8 + 1.2e-8 * (num_queries - 1)) * numbers))
