"""TransE: a relation is a translation from head to tail.

Bordes et al. (2013), "Translating Embeddings for Modeling Multi-relational Data".
"""

import dataclasses

from gr_tf.models.factor_model import FactorModel, root
from gr_tf.runs.engine import tf
from gr_tf.types import Rows, Tensor


@dataclasses.dataclass(frozen=True)
class TransE(FactorModel):
    """score(s, r, o) = -||s + r - o||_2."""

    def score(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """See FactorModel."""
        return -root(tf.reduce_sum(tf.square(heads + relations - tails), axis=-1))


@dataclasses.dataclass(frozen=True)
class TransEL1(FactorModel):
    """score(s, r, o) = -||s + r - o||_1."""

    def score(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """See FactorModel."""
        return -tf.reduce_sum(tf.abs(heads + relations - tails), axis=-1)
