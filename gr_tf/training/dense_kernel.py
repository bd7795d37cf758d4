"""Steps of triples that compute the whole table, in one compiled loop: fastest for small graphs.

Lawrence et al. (2021), "Gradient Rollback for Matrix Factorization": batch size 1; every step's change of the three
rows of its triple is returned as a value.
"""

import functools
from typing import NamedTuple

import numpy as np

from gr_tf.models.factor_model import FactorModel
from gr_tf.runs.engine import tf
from gr_tf.training.constraints import CONSTRAINTS
from gr_tf.training.losses import LOSSES
from gr_tf.training.optimizers import Optimizer, Slots
from gr_tf.types import Rows, State, Tensor


class StepTrace(NamedTuple):
    """What the steps of a block did; zero where a step was skipped.

    Attributes:
        deltas: [block, 3, width], (row after) - (row before) of head, relation and tail. Where head and tail are one
            row, its change stands under head and the tail's is zero, so that the deltas of a triple always sum to its
            effect.
        losses: [block].
        lipschitz: [block], the largest norm of the score's derivative for the step's triple.
    """

    deltas: Tensor
    losses: Tensor
    lipschitz: Tensor


def changes(before: Rows, after: Rows, is_loop: Tensor) -> Rows:
    """What a step did to its triple's rows, as StepTrace.deltas has it.

    Args:
        before, after: [3, width], rows of head, relation and tail.
        is_loop: scalar bool, whether head and tail are one row.
    """
    deltas = after - before
    once = 1 - tf.cast(is_loop, deltas.dtype)
    return deltas * tf.stack([tf.ones_like(once), tf.ones_like(once), once])[:, None]


class DenseState(NamedTuple):
    """What a step reads and writes.

    Attributes:
        table: [num_rows, width].
        slots: the optimizer's, each [num_rows, width].
        step: scalar, steps done, in the table's dtype.
        learning_rate: scalar.
    """

    table: Tensor
    slots: Slots
    step: Tensor
    learning_rate: Tensor


class DenseKernel:
    """Any optimizer and any constraint, applied to every row at every step.

    There is one state per training, and many trainings may go on at a time. A state is what the next step depends on.
    It may be changed in place: only the newest is valid.

    Attributes:
        name: of the way to compute steps, as in training.triple_config.STEPS.
    """

    name = "dense"

    def __init__(
        self, model: FactorModel, loss_name: str, optimizer: Optimizer, dtype: str, constraint_name: str = "none"
    ) -> None:
        self._optimizer = optimizer
        self._dtype = dtype
        self._block = _compiled_block(model, loss_name, optimizer, dtype, constraint_name)

    def plan(self, rows: np.ndarray) -> Tensor:
        """Device inputs of a block, which depend on its triples and negatives only.

        Args:
            rows: [block, 2 + num_candidates] int32: the table rows of head, relation and candidates (gold tail first)
                of each step.
        """
        return tf.constant(rows)

    def start(self, table: np.ndarray, learning_rate: float) -> State:
        """The state before the first step, from a table [num_rows, width] and the first step's learning rate."""
        tensor = tf.constant(table)
        slots = self._optimizer.initial_slots(tensor)
        return DenseState(tensor, slots, tf.constant(0, self._dtype), tf.constant(learning_rate, self._dtype))

    def run(self, state: DenseState, plan: Tensor, order: Tensor, count: Tensor) -> tuple[State, StepTrace]:
        """Does the steps order[:count] of a block, in that order.

        Args:
            state: from `start`, `run` or `restore`.
            plan: from `plan`.
            order: [block] int32, places in the block.
            count: scalar int32.
        """
        return self._block(state, plan, order, count)

    def table(self, state: DenseState) -> np.ndarray:
        """The parameters [num_rows, width] after the last step done."""
        return state.table.numpy()

    def to_arrays(self, state: DenseState) -> dict[str, np.ndarray]:
        """The state for a checkpoint."""
        arrays = {"table": state.table.numpy(), "step": state.step.numpy()}
        return arrays | {f"slot_{i}": slot.numpy() for i, slot in enumerate(state.slots)}

    def restore(self, arrays: dict[str, np.ndarray], learning_rate: float) -> State:
        """The state that `to_arrays` gave."""
        state = self.start(arrays["table"], learning_rate)
        slots = tuple(tf.constant(arrays[f"slot_{i}"]) for i in range(len(state.slots)))
        return state._replace(slots=slots, step=tf.constant(arrays["step"]))


@functools.cache
def _compiled_block(
    model: FactorModel, loss_name: str, optimizer: Optimizer, dtype: str, constraint_name: str
) -> Tensor:
    """The function that trains on a block of steps, traced once; see DenseKernel.run."""
    loss = LOSSES[loss_name]
    project = CONSTRAINTS[constraint_name]

    def do_step(state: DenseState, rows: Tensor) -> tuple[DenseState, StepTrace]:
        before = tf.gather(state.table, rows)
        with tf.GradientTape() as tape:
            tape.watch(before)
            value = loss(model.score(before[0], before[1], before[2:]))
        # Rows that repeat in a step have their gradients summed before the optimizer sees them.
        gradient = tf.tensor_scatter_nd_add(tf.zeros_like(state.table), rows[:, None], tape.gradient(value, before))
        table, slots = optimizer.apply(state.table, state.slots, gradient, state.step, state.learning_rate)
        table = project(table)
        deltas = changes(before[:3], tf.gather(table, rows[:3]), rows[0] == rows[2])
        lipschitz = tf.reduce_max(model.score_gradient_norms(before[0], before[1], before[2]))
        return state._replace(table=table, slots=slots, step=state.step + 1), StepTrace(deltas, value, lipschitz)

    def run(state: DenseState, rows: Tensor, order: Tensor, count: Tensor) -> tuple[DenseState, StepTrace]:
        size = tf.shape(rows)[0]
        trace = StepTrace(
            deltas=tf.zeros([size, 3, model.width], dtype),
            losses=tf.zeros([size], dtype),
            lipschitz=tf.zeros([size], dtype),
        )

        def body(i: Tensor, state: DenseState, trace: StepTrace) -> tuple[Tensor, DenseState, StepTrace]:
            # Gathers, not slices: XLA takes what feeds a slice's bounds for constants of the
            # graph, and would compile anew for every other order.
            place = tf.gather(order, i)
            state, done = do_step(state, tf.gather(rows, place))
            written = (
                tf.tensor_scatter_nd_update(whole, [[place]], part[None])
                for whole, part in zip(trace, done, strict=True)
            )
            return i + 1, state, StepTrace(*written)

        _, state, trace = tf.while_loop(lambda i, *_: i < count, body, (tf.constant(0), state, trace))
        return state, trace

    return tf.function(run, jit_compile=True)
