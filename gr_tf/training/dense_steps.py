"""Steps that compute the whole table, in one compiled loop: fastest for small graphs."""

import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from gr_tf.constraints import constraint_of
from gr_tf.losses import LOSSES
from gr_tf.models.base import FactorModel
from gr_tf.optimizers import Optimizer, Slots
from gr_tf.training import block
from gr_tf.training.block import Trace


class DenseState(NamedTuple):
    """What a step reads and writes.

    Attributes:
        table: [num_rows, width].
        slots: the optimizer's, each [num_rows, width].
        step: scalar, steps done, in the table's dtype.
        learning_rate: scalar.
    """

    table: Any
    slots: Slots
    step: Any
    learning_rate: Any


class DenseSteps:
    """Any optimizer and any constraint, applied to every row at every step."""

    name = "dense"

    def __init__(
        self, model: FactorModel, loss_name: str, optimizer: Optimizer, dtype: str, constraint_name: str = "none"
    ) -> None:
        self._optimizer = optimizer
        self._dtype = dtype
        self._block = _compiled_block(model, loss_name, optimizer, dtype, constraint_name)

    def plan(self, rows: np.ndarray) -> Any:
        """See block.Steps."""
        return tf.constant(rows)

    def start(self, table: np.ndarray, learning_rate: float) -> DenseState:
        """See block.Steps."""
        tensor = tf.constant(table)
        slots = self._optimizer.initial_slots(tensor)
        return DenseState(tensor, slots, tf.constant(0, self._dtype), tf.constant(learning_rate, self._dtype))

    def run(self, state: DenseState, plan: Any, order: Any, count: Any) -> tuple[DenseState, Trace]:
        """See block.Steps."""
        new, trace = self._block(state, plan, order, count)
        return new, trace

    def table(self, state: DenseState) -> np.ndarray:
        """See block.Steps."""
        table: np.ndarray = state.table.numpy()
        return table

    def to_arrays(self, state: DenseState) -> dict[str, np.ndarray]:
        """See block.Steps."""
        arrays = {"table": state.table.numpy(), "step": state.step.numpy()}
        return arrays | {f"slot_{i}": slot.numpy() for i, slot in enumerate(state.slots)}

    def restore(self, arrays: dict[str, np.ndarray], learning_rate: float) -> DenseState:
        """See block.Steps."""
        state = self.start(arrays["table"], learning_rate)
        slots = tuple(tf.constant(arrays[f"slot_{i}"]) for i in range(len(state.slots)))
        return state._replace(slots=slots, step=tf.constant(arrays["step"]))


@functools.cache
def _compiled_block(model: FactorModel, loss_name: str, optimizer: Optimizer, dtype: str, constraint_name: str) -> Any:
    """The function that trains on a block of steps, traced once; see block.Steps.run."""
    loss = LOSSES[loss_name]
    project = constraint_of(constraint_name)

    def do_step(state: DenseState, rows: Any) -> tuple[DenseState, Trace]:
        before = tf.gather(state.table, rows)
        with tf.GradientTape() as tape:
            tape.watch(before)
            value = loss(model.score(before[0], before[1], before[2:]))
        # Rows that repeat in a step have their gradients summed before the optimizer sees them.
        gradient = tf.tensor_scatter_nd_add(tf.zeros_like(state.table), rows[:, None], tape.gradient(value, before))
        table, slots = optimizer.apply(state.table, state.slots, gradient, state.step, state.learning_rate)
        table = project(table)
        deltas = block.changes(before[:3], tf.gather(table, rows[:3]), rows[0] == rows[2])
        lipschitz = tf.reduce_max(model.score_gradient_norms(before[0], before[1], before[2]))
        return state._replace(table=table, slots=slots, step=state.step + 1), Trace(deltas, value, lipschitz)

    def run(state: DenseState, rows: Any, order: Any, count: Any) -> tuple[DenseState, Trace]:
        size = tf.shape(rows)[0]
        trace = Trace(
            deltas=tf.zeros([size, 3, model.width], dtype),
            losses=tf.zeros([size], dtype),
            lipschitz=tf.zeros([size], dtype),
        )

        def body(i: Any, state: DenseState, trace: Trace) -> tuple[Any, DenseState, Trace]:
            # Gathers, not slices: XLA takes what feeds a slice's bounds for constants of the
            # graph, and would compile anew for every other order.
            place = tf.gather(order, i)
            state, done = do_step(state, tf.gather(rows, place))
            written = (
                tf.tensor_scatter_nd_update(whole, [[place]], part[None])
                for whole, part in zip(trace, done, strict=True)
            )
            return i + 1, state, Trace(*written)

        _, state, trace = tf.while_loop(lambda i, *_: i < count, body, (tf.constant(0), state, trace))
        return state, trace

    return tf.function(run, jit_compile=True)
