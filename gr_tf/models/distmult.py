"""DistMult: the three-way inner product.

Yang et al. (2015), "Embedding Entities and Relations for Learning and Inference in
Knowledge Bases".
"""

import dataclasses
from typing import Any

import tensorflow as tf

from gr_tf.models.base import FactorModel


@dataclasses.dataclass(frozen=True)
class DistMult(FactorModel):
    """score(s, r, o) = sum_k s_k r_k o_k."""

    def query_vector(self, heads: Any, relations: Any) -> Any:
        """q = s * r, elementwise."""
        return heads * relations

    def score_gradient_norms(self, heads: Any, relations: Any, tails: Any) -> Any:
        """||s*r||, ||r*o||, ||s*o||."""
        products = tf.stack([heads * relations, relations * tails, heads * tails], axis=-2)
        return tf.sqrt(tf.reduce_sum(products * products, axis=-1))
