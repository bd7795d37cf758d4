"""ComplEx: the three-way product of complex vectors.

Trouillon et al. (2016), "Complex Embeddings for Simple Link Prediction".
"""

import dataclasses

from gr_tf.models.factor_model import TrilinearModel, root
from gr_tf.runs.engine import tf
from gr_tf.types import Rows


@dataclasses.dataclass(frozen=True)
class ComplEx(TrilinearModel):
    """score(s, r, o) = Re <s, r, conj(o)>; a row is the real parts, then the imaginary parts."""

    @property
    def width(self) -> int:
        """2 * dim."""
        return 2 * self.dim

    def query_vector(self, heads: Rows, relations: Rows) -> Rows:
        """Real and imaginary part of s * r: conj(o) turns the real part of the product into their dot product."""
        return _multiply(heads, relations)

    def penalty(self, rows: Rows, power: int) -> Rows:
        """See FactorModel; of the moduli, as Lacroix et al. (2018) have it."""
        real, imaginary = tf.split(rows, 2, axis=-1)
        squares = tf.square(real) + tf.square(imaginary)
        return tf.reduce_sum(squares if power == 2 else squares * root(squares), axis=-1)

    def score_gradient_norms(self, heads: Rows, relations: Rows, tails: Rows) -> Rows:
        """||s*r||, ||conj(r)*o||, ||conj(s)*o||, complex products."""
        products = tf.stack(
            [_multiply(heads, relations), _multiply(_conjugate(relations), tails), _multiply(_conjugate(heads), tails)],
            axis=-2,
        )
        return tf.sqrt(tf.reduce_sum(products * products, axis=-1))


def _multiply(left: Rows, right: Rows) -> Rows:
    a, b = tf.split(left, 2, axis=-1)
    c, d = tf.split(right, 2, axis=-1)
    return tf.concat([a * c - b * d, a * d + b * c], axis=-1)


def _conjugate(rows: Rows) -> Rows:
    real, imaginary = tf.split(rows, 2, axis=-1)
    return tf.concat([real, -imaginary], axis=-1)
