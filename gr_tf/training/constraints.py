"""Constraints on the norms of the table's rows, applied after every step.

Lawrence et al. (2021), "Approximation Quality" and Figure 2: the tighter the constraint, the more
stable the model, and the closer Gradient Rollback's estimate.
"""

from collections.abc import Callable

from gr_tf.runs.engine import tf
from gr_tf.types import Rows

Constraint = Callable[[Rows], Rows]

CONSTRAINTS = ("none", "unit_norm", "max_norm_2", "max_norm_3")


def constraint_of(name: str) -> Constraint:
    """The projection of a table [num_rows, width] by its name in CONSTRAINTS."""
    if name == "none":
        return lambda table: table
    if name == "unit_norm":
        return lambda table: tf.math.l2_normalize(table, axis=-1)
    largest = float(name.removeprefix("max_norm_"))
    return lambda table: tf.clip_by_norm(table, largest, axes=[-1])
