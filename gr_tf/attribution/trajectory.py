"""The states of a training, step by step, in bounded memory.

Kept at the start of every segment, from the training itself, and computed again within it.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from gr_tf.data.negatives import BLOCK_SIZE
from gr_tf.errors import InputError
from gr_tf.losses import LOSSES
from gr_tf.models.base import FactorModel
from gr_tf.optimizers import Adam
from gr_tf.training.dense_steps import DenseState, DenseSteps
from gr_tf.training.trainer import Trainer


class Segment(NamedTuple):
    """Some steps of one epoch.

    Attributes:
        epoch: counted from 0.
        first: the example of the first step; the steps are those of consecutive examples.
        size: how many.
        state: before the first.
    """

    epoch: int
    first: int
    size: int
    state: DenseState


class Trajectory:
    """A training with Adam and dense steps, bit for bit as by `trainer.run`.

    Args:
        trainer: of the model.
        epochs: at most the configuration's, the default.
        segment: steps between the states that are kept.

    Attributes:
        trainer, optimizer: as given, and as configured.
        epochs: how many.
        segments: of all steps.
        table: the trained parameters, a tensor [num_rows, width].

    Raises:
        InputError: if the trainer is of another optimizer, or of steps by rows, or has a constraint.
    """

    def __init__(self, trainer: Trainer, epochs: int | None = None, segment: int = 256) -> None:
        config, optimizer = trainer.config, trainer.config.make_optimizer()
        if not isinstance(trainer.steps, DenseSteps) or not isinstance(optimizer, Adam) or config.constraint != "none":
            raise InputError("replaying a training needs optimizer 'adam', dense steps and no constraint.")
        self.trainer = trainer
        self.optimizer = optimizer
        self._forward = _compiled_forward(trainer.model, config.loss, optimizer, config.dtype)
        self.epochs = config.epochs if epochs is None else epochs
        self.segments = list(self._train(segment))

    def _train(self, segment: int) -> Iterator[Segment]:
        trainer = self.trainer
        num_examples = trainer.triples.num_examples
        learning_rate = trainer.config.initial_learning_rate(np.array([], np.int64))
        state = trainer.steps.start(trainer.initial_table, learning_rate)
        block_size = min(BLOCK_SIZE, num_examples)
        for epoch in range(self.epochs):
            for block in range(0, num_examples, BLOCK_SIZE):
                end = min(BLOCK_SIZE, num_examples - block)
                for start in range(0, end, segment):
                    size = min(segment, end - start)
                    yield Segment(epoch, block + start, size, state)
                    order = np.resize(np.arange(start, start + size, dtype=np.int32), block_size)
                    state, _ = trainer.steps.run(state, trainer.block_plan(block), order, tf.constant(size))
        self.table = state.table

    def rows(self, segment: Segment) -> Any:
        """The table rows [size, k] of the segment's steps: head, relation, candidates."""
        block = segment.first // BLOCK_SIZE * BLOCK_SIZE
        return tf.gather(self.trainer.block_plan(block), np.arange(segment.size) + segment.first - block)

    def states(self, segment: Segment) -> tuple[Any, Any, Any]:
        """Table, mean and square, [size + 1, num_rows, width] each: before each of the steps, and after the last."""
        return self._forward(segment.state, self.rows(segment))


def row_gradients(model: FactorModel, loss_name: str, rows: Any) -> Any:
    """The gradients of n losses with respect to their rows [k, n, width]: head, relation, candidates."""
    loss = LOSSES[loss_name]
    with tf.GradientTape() as tape:
        tape.watch(rows)
        # The losses want the candidates last.
        value = tf.reduce_sum(loss(tf.transpose(model.score(rows[0], rows[1], rows[2:]))))
    return tape.gradient(value, rows)


def table_gradient(model: FactorModel, loss_name: str, table: Any, places: Any) -> Any:
    """The gradient [num_rows, width] of the loss of one step, whose rows are at `places` [k]."""
    of_rows = row_gradients(model, loss_name, tf.gather(table, places)[:, None])[:, 0]
    return tf.tensor_scatter_nd_add(tf.zeros_like(table), places[:, None], of_rows)


@functools.cache
def _compiled_forward(model: FactorModel, loss_name: str, optimizer: Adam, dtype: str) -> Any:
    """The function behind Trajectory.states."""

    def run(state: DenseState, rows: Any) -> tuple[Any, Any, Any]:
        size = tf.shape(rows)[0]
        kept = tuple(tf.zeros([size + 1, model.num_rows, model.width], dtype) for _ in range(3))

        def keep(kept: Any, i: Any, parts: Any) -> Any:
            return tuple(
                tf.tensor_scatter_nd_update(whole, [[i]], part[None]) for whole, part in zip(kept, parts, strict=True)
            )

        def body(i: Any, table: Any, slots: Any, step: Any, kept: Any) -> Any:
            kept = keep(kept, i, (table, *slots))
            gradient = table_gradient(model, loss_name, table, tf.gather(rows, i))
            table, slots = optimizer.apply(table, slots, gradient, step, state.learning_rate)
            return i + 1, table, slots, step + 1, kept

        _, table, slots, _, kept = tf.while_loop(
            lambda i, *_: i < size, body, (tf.constant(0), state.table, state.slots, state.step, kept)
        )
        return keep(kept, size, (table, *slots))

    return tf.function(run, jit_compile=True)
