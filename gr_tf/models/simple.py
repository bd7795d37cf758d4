"""SimplE: every entity has a row as head and a row as tail, every relation one row a direction.

Kazemi and Poole (2018), "SimplE Embedding for Link Prediction in Knowledge Graphs".
"""

import dataclasses

from gr_tf.models.factor_model import TrilinearModel
from gr_tf.runs.engine import tf
from gr_tf.types import Rows


@dataclasses.dataclass(frozen=True)
class SimplE(TrilinearModel):
    """score(s, r, o) = (<head of s, r, tail of o> + <head of o, inverse of r, tail of s>) / 2.

    An entity's row is its numbers as head, then as tail; a relation's row is its own, then its inverse's.
    """

    @property
    def width(self) -> int:
        """2 * dim."""
        return 2 * self.dim

    def query_vector(self, heads: Rows, relations: Rows) -> Rows:
        """What the tail's numbers as head, then as tail, are multiplied with."""
        as_head, as_tail = tf.split(heads, 2, axis=-1)
        own, inverse = tf.split(relations, 2, axis=-1)
        return tf.concat([as_tail * inverse, as_head * own], axis=-1) / 2
