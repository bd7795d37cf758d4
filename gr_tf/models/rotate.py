"""RotatE: a relation is a rotation of the head in the complex plane, factor by factor.

Sun et al. (2019), "RotatE: Knowledge Graph Embedding by Relational Rotation in Complex Space".
"""

import dataclasses

import numpy as np

from gr_tf.models.factor_model import FactorModel, root
from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.types import Rows, Tensor


@dataclasses.dataclass(frozen=True)
class RotatE(FactorModel):
    """score(s, r, o) = -||s * e^(i r) - o||, the sum over factors of the complex numbers' absolute values.

    An entity's row is the real parts, then the imaginary parts. A relation's row is the angles, then dim zeros that
    are not used.
    """

    @property
    def width(self) -> int:
        """2 * dim."""
        return 2 * self.dim

    def initial_parameters(self, seed: int, dtype: str) -> Parameters:
        """Initial values as of every model, except that the angles of relations are uniform over a whole turn."""
        table = super().initial_parameters(seed, "float64").table
        table[self.num_entities :] *= np.pi / 0.05
        table[self.num_entities :, self.dim :] = 0
        return Parameters(table.astype(dtype))

    def score(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """See FactorModel."""
        return -tf.reduce_sum(root(self._squared_moduli(heads, relations, tails)), axis=-1)

    @staticmethod
    def _squared_moduli(heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """The squares [..., dim] of the moduli of s * e^(i r) - o."""
        real, imaginary = tf.split(heads, 2, axis=-1)
        angles, _ = tf.split(relations, 2, axis=-1)
        cosine, sine = tf.cos(angles), tf.sin(angles)
        rotated = tf.concat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], axis=-1)
        difference_real, difference_imaginary = tf.split(rotated - tails, 2, axis=-1)
        return tf.square(difference_real) + tf.square(difference_imaginary)


@dataclasses.dataclass(frozen=True)
class RotatEL2(RotatE):
    """score(s, r, o) = -||s * e^(i r) - o||_2, the root of the sum of the squares of the absolute values."""

    def score(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """See FactorModel."""
        return -root(tf.reduce_sum(self._squared_moduli(heads, relations, tails), axis=-1))
