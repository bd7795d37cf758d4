"""Adam against Keras, and the learning rate's rules."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from gr_tf.errors import InputError
from gr_tf.training.optimizers import Adam, Sgd
from gr_tf.training.triple_config import TripleConfig, first_kept


class OptimizersTest(tf.test.TestCase, parameterized.TestCase):
    @parameterized.parameters(("float64", 1e-14), ("float32", 2e-6))
    def test_adam_is_keras_adam_on_dense_gradients(self, dtype: str, tolerance: float) -> None:
        """Keras rounds some uses of its betas to float32; rounded betas leave a few roundings of `dtype`."""
        generator = np.random.default_rng(0)
        table = tf.constant(generator.normal(size=(4, 3)), dtype)
        variable = tf.Variable(table)
        ours = Adam().with_float32_hyperparameters()
        theirs = keras.optimizers.Adam(0.01, beta_1=ours.beta1, beta_2=ours.beta2, epsilon=1e-7)
        slots = ours.initial_slots(table)
        for step in range(50):
            gradient = generator.normal(size=(4, 3)) * (generator.random((4, 1)) < 0.5)  # rows often untouched
            theirs.apply_gradients([(tf.constant(gradient, dtype), variable)])
            rate = tf.constant(float(np.float32(0.01)), dtype)
            table, slots = ours.apply(table, slots, tf.constant(gradient, dtype), tf.cast(step, dtype), rate)
        self.assertAllClose(table, variable, rtol=0, atol=tolerance)

    def test_untouched_rows_move_by_their_momentum(self) -> None:
        table = tf.zeros([2, 1], tf.float64)
        adam = Adam()
        slots = adam.initial_slots(table)
        rate = tf.constant(0.1, tf.float64)
        first, slots = adam.apply(
            table, slots, tf.constant([[1.0], [0.0]], tf.float64), tf.constant(0.0, tf.float64), rate
        )
        second, _ = adam.apply(first, slots, tf.zeros_like(table), tf.constant(1.0, tf.float64), rate)
        self.assertLess(second[0, 0], first[0, 0])
        self.assertEqual(second[1, 0], 0)

    def test_sgd(self) -> None:
        table, slots = Sgd().apply(tf.ones([2]), (), tf.constant([1.0, 2.0]), tf.constant(0.0), tf.constant(0.5))
        self.assertAllEqual(table, [0.5, 0.0])
        self.assertEqual(slots, ())

    def test_decay_multiplies_the_rate(self) -> None:
        """One Adam step from rest moves by the rate, whatever the gradient."""
        adam = Adam(decay_rate=0.96, epsilon=0.0)
        zero = tf.zeros([1], tf.float64)
        moved, _ = Adam(decay_rate=0.96, epsilon=0.0, beta1=0.0, beta2=0.0).apply(
            zero, adam.initial_slots(zero), zero + 3, tf.constant(2000.0, tf.float64), tf.constant(0.5, tf.float64)
        )
        self.assertAllClose(moved, [-0.5 * 0.96**2], rtol=1e-14)

    def test_released_rule_depends_on_the_leading_removals(self) -> None:
        config = TripleConfig(learning_rate_rule="released")
        self.assertEqual(config.initial_learning_rate(np.array([1, 5])), 0.003)
        self.assertAllClose(config.initial_learning_rate(np.array([0, 1, 3])), 0.003 * 0.96**0.002, rtol=1e-15)
        self.assertEqual(TripleConfig().initial_learning_rate(np.array([0, 1])), 0.003)

    def test_first_kept(self) -> None:
        for removed, expected in (([], 0), ([0], 1), ([1], 0), ([2, 0, 1], 3), ([0, 0, 2], 1)):
            self.assertEqual(first_kept(np.array(removed, np.int64)), expected)

    @parameterized.parameters(
        {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"learning_rate": 2.0}, {"dim": 0},
        {"num_negatives": 0}, {"epochs": 0}, {"seed": -1}, {"model": "x"}, {"loss": "x"}, {"dtype": "int8"},
        {"optimizer": "x"}, {"learning_rate_rule": "x"}, {"optimizer": "sgd", "learning_rate_rule": "decay"},
    )  # fmt: skip
    def test_config_refuses(self, **wrong: object) -> None:
        name = list(wrong)[-1]
        with self.assertRaisesRegex(InputError, name):
            TripleConfig(**wrong)  # type: ignore[arg-type]
