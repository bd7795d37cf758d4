"""DistMult: the three-way inner product.

Yang et al. (2015), "Embedding Entities and Relations for Learning and Inference in
Knowledge Bases".
"""

import dataclasses

from gr_tf.models.factor_model import TrilinearModel
from gr_tf.runs.engine import tf
from gr_tf.types import Rows


@dataclasses.dataclass(frozen=True)
class DistMult(TrilinearModel):
    """score(s, r, o) = sum_k s_k r_k o_k."""

    def query_vector(self, heads: Rows, relations: Rows) -> Rows:
        """q = s * r, elementwise."""
        return heads * relations

    def score_gradient_norms(self, heads: Rows, relations: Rows, tails: Rows) -> Rows:
        """||s*r||, ||r*o||, ||s*o||."""
        products = tf.stack([heads * relations, relations * tails, heads * tails], axis=-2)
        return tf.sqrt(tf.reduce_sum(products * products, axis=-1))
