"""Losses: their definitions, and their gradients against finite differences."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from gr_tf.models.distmult import DistMult
from gr_tf.training.losses import LOSSES, sigmoid_loss, softmax_loss

SCORES = np.array([[1.5, -2.0, 0.3, 0.3], [-40.0, 30.0, 0.0, 1.0]])


class LossesTest(tf.test.TestCase, parameterized.TestCase):
    def test_softmax_is_the_cross_entropy_of_the_first(self) -> None:
        expected = -np.log(np.exp(SCORES)[:, 0] / np.exp(SCORES).sum(axis=1))
        self.assertAllClose(softmax_loss(tf.constant(SCORES)), expected, rtol=1e-14)

    def test_sigmoid_is_the_mean_over_candidates(self) -> None:
        signed = SCORES * [1, -1, -1, -1]
        self.assertAllClose(sigmoid_loss(tf.constant(SCORES)), np.log1p(np.exp(-signed)).mean(axis=1), rtol=1e-14)

    @parameterized.product(loss=list(LOSSES), dtype=["float64", "float32"])
    def test_gradient_of_the_rows(self, loss: str, dtype: str) -> None:
        """The tape's gradient through DistMult against central differences in float64.

        Differences of step 1e-6 are off by about 1e-10 (rounding over step, step squared); a
        float32 gradient by a few of its roundings, 1e-7 each.
        """
        model = DistMult(num_entities=5, num_relations=1, dim=4)
        rows = np.random.default_rng(1).normal(size=(6, 4))

        def value(rows: np.ndarray) -> tf.Tensor:
            return LOSSES[loss](model.score(rows[0], rows[1], rows[2:]))

        variable = tf.constant(rows, dtype)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            taped = value(variable)
        gradient = tape.gradient(taped, variable)
        self.assertEqual(gradient.dtype, dtype)
        expected = np.zeros_like(rows)
        for place in np.ndindex(*rows.shape):
            moved = np.zeros_like(rows)
            moved[place] = 1e-6
            expected[place] = (value(rows + moved) - value(rows - moved)).numpy() / 2e-6
        self.assertAllClose(gradient, expected, rtol=0, atol=1e-8 if dtype == "float64" else 5e-6)
