"""The interface of kernels: ways of computing the steps of a block of triples.

Lawrence et al. (2021), "Gradient Rollback for Matrix Factorization": batch size 1; every
step's change of the three rows of its triple is returned as a value.
"""

from typing import NamedTuple, Protocol

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.types import Rows, State, Tensor


class StepTrace(NamedTuple):
    """What the steps of a block did; zero where a step was skipped.

    Attributes:
        deltas: [block, 3, width], (row after) - (row before) of head, relation and tail. Where
            head and tail are one row, its change stands under head and the tail's is zero, so
            that the deltas of a triple always sum to its effect.
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


class TripleKernel(Protocol):
    """A way of computing the steps of a block; one state per training, many trainings at a time.

    A state is what the next step depends on. It may be changed in place: only the newest is valid.

    Attributes:
        name: of the way, as in training.triple_config.STEPS.
    """

    name: str

    def plan(self, rows: np.ndarray) -> Tensor:
        """Device inputs of a block, which depend on its triples and negatives only.

        Args:
            rows: [block, 2 + num_candidates] int32: the table rows of head, relation and
                candidates (gold tail first) of each step.
        """

    def start(self, table: np.ndarray, learning_rate: float) -> State:
        """The state before the first step.

        Args:
            table: [num_rows, width].
            learning_rate: of the first step.
        """

    def run(self, state: State, plan: Tensor, order: Tensor, count: Tensor) -> tuple[State, StepTrace]:
        """Does the steps order[:count] of a block, in that order.

        Args:
            state: from `start`, `run` or `restore`.
            plan: from `plan`.
            order: [block] int32, places in the block.
            count: scalar int32.
        """

    def table(self, state: State) -> np.ndarray:
        """The parameters [num_rows, width] after the last step done."""

    def to_arrays(self, state: State) -> dict[str, np.ndarray]:
        """The state for a checkpoint."""

    def restore(self, arrays: dict[str, np.ndarray], learning_rate: float) -> State:
        """The state that `to_arrays` gave."""
