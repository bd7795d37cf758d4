"""Constraints on the norms of the table's rows, applied after every step.

Lawrence et al. (2021), "Approximation Quality" and Figure 2: the tighter the constraint, the more
stable the model, and the closer Gradient Rollback's estimate.
"""

from collections.abc import Callable

from gr_tf.runs.engine import tf
from gr_tf.types import Rows

Constraint = Callable[[Rows], Rows]

# Projections of a table [num_rows, width] by name.
CONSTRAINTS: dict[str, Constraint] = {
    "none": lambda table: table,
    "unit_norm": lambda table: tf.math.l2_normalize(table, axis=-1),
    "max_norm_2": lambda table: tf.clip_by_norm(table, 2.0, axes=[-1]),
    "max_norm_3": lambda table: tf.clip_by_norm(table, 3.0, axes=[-1]),
}
