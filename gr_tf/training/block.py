"""A block of training steps: what it needs, what it tells, and how a trainer drives it.

Lawrence et al. (2021), "Gradient Rollback for Matrix Factorization": batch size 1; every
step's change of the three rows of its triple is returned as a value.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf


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


def changes(before: Any, after: Any, is_loop: Any) -> Any:
    """What a step did to its triple's rows, as Trace.deltas has it.

    Args:
        before, after: [3, width], rows of head, relation and tail.
        is_loop: scalar bool, whether head and tail are one row.
    """
    deltas = after - before
    once = 1 - tf.cast(is_loop, deltas.dtype)
    return deltas * tf.stack([tf.ones_like(once), tf.ones_like(once), once])[:, None]


class Steps(Protocol):
    """A way of doing the steps of a block; one state per training, many trainings at a time.

    A state is what the next step depends on. It may be changed in place: only the newest is valid.

    Attributes:
        name: of the way, as in training.config.STEPS.
    """

    name: str

    def plan(self, rows: np.ndarray) -> Any:
        """Device inputs of a block, which depend on its triples and negatives only.

        Args:
            rows: [block, 2 + num_candidates] int32: the table rows of head, relation and
                candidates (gold tail first) of each step.
        """

    def start(self, table: np.ndarray, learning_rate: float) -> Any:
        """The state before the first step.

        Args:
            table: [num_rows, width].
            learning_rate: of the first step.
        """

    def run(self, state: Any, plan: Any, order: Any, count: Any) -> tuple[Any, Trace]:
        """Does the steps order[:count] of a block, in that order.

        Args:
            state: from `start`, `run` or `restore`.
            plan: from `plan`.
            order: [block] int32, places in the block.
            count: scalar int32.
        """

    def table(self, state: Any) -> np.ndarray:
        """The parameters [num_rows, width] after the last step done."""

    def to_arrays(self, state: Any) -> dict[str, np.ndarray]:
        """The state for a checkpoint."""

    def restore(self, arrays: dict[str, np.ndarray], learning_rate: float) -> Any:
        """The state that `to_arrays` gave."""
