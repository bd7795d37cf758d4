"""A block of training steps as one compiled graph.

Lawrence et al. (2021), "Gradient Rollback for Matrix Factorization": batch size 1; every
step's change of the three rows of its triple is returned as a value.
"""

import functools
from typing import Any, NamedTuple

import tensorflow as tf

from gr_tf.losses import LOSSES
from gr_tf.models.base import FactorModel
from gr_tf.optimizers import Optimizer, Slots


class State(NamedTuple):
    """What a step reads and writes.

    Attributes:
        table: [num_rows, width].
        slots: the optimizer's, each [num_rows, width].
        step: scalar, steps done, in the table's dtype.
    """

    table: Any
    slots: Slots
    step: Any


class Trace(NamedTuple):
    """What the steps of a block did; zero where a step was skipped.

    Attributes:
        deltas: [block, 3, width], (row after) - (row before) of head, relation and tail. Where
            head and tail are one row, its change stands under head and the tail's is zero, so
            that the deltas of a triple always sum to its effect.
        losses: [block].
        lipschitz: [block], the largest norm of the score's derivative for the step's triple.
    """

    deltas: Any
    losses: Any
    lipschitz: Any


@functools.cache
def compiled_block(model: FactorModel, loss_name: str, optimizer: Optimizer, dtype: str) -> Any:
    """The function that trains on a block of steps, traced once.

    Returns:
        A tf.function of
            state: State.
            learning_rate: scalar.
            rows: [block, 2 + num_candidates] int32, the table rows of head, relation and
                candidates (gold tail first) of each step.
            order: [block] int32, whose first `count` elements are the steps to do.
            count: scalar int32.
        returning (State, Trace).
    """
    loss = LOSSES[loss_name]

    def do_step(state: State, rows: Any, learning_rate: Any) -> tuple[State, Trace]:
        before = tf.gather(state.table, rows)
        with tf.GradientTape() as tape:
            tape.watch(before)
            value = loss(model.score(before[0], before[1], before[2:]))
        # Rows that repeat in a step have their gradients summed before Adam sees them.
        gradient = tf.tensor_scatter_nd_add(tf.zeros_like(state.table), rows[:, None], tape.gradient(value, before))
        table, slots = optimizer.apply(state.table, state.slots, gradient, state.step, learning_rate)
        deltas = tf.gather(table, rows[:3]) - before[:3]
        loop = tf.cast(rows[0] == rows[2], deltas.dtype)
        deltas *= tf.stack([tf.ones_like(loop), tf.ones_like(loop), 1 - loop])[:, None]
        lipschitz = tf.reduce_max(model.score_gradient_norms(before[0], before[1], before[2]))
        return State(table, slots, state.step + 1), Trace(deltas, value, lipschitz)

    def run(state: State, learning_rate: Any, rows: Any, order: Any, count: Any) -> tuple[State, Trace]:
        size = tf.shape(rows)[0]
        trace = Trace(
            deltas=tf.zeros([size, 3, model.width], dtype),
            losses=tf.zeros([size], dtype),
            lipschitz=tf.zeros([size], dtype),
        )

        def body(i: Any, state: State, trace: Trace) -> tuple[Any, State, Trace]:
            # Gathers, not slices: XLA takes what feeds a slice's bounds for constants of the
            # graph, and would compile anew for every other order.
            place = tf.gather(order, i)
            state, done = do_step(state, tf.gather(rows, place), learning_rate)
            written = (
                tf.tensor_scatter_nd_update(whole, [[place]], part[None])
                for whole, part in zip(trace, done, strict=True)
            )
            return i + 1, state, Trace(*written)

        _, state, trace = tf.while_loop(lambda i, *_: i < count, body, (tf.constant(0), state, trace))
        return state, trace

    return tf.function(run, jit_compile=True)
