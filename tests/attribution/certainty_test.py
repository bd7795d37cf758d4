"""How sure a blend is."""

import numpy as np
import pytest

from gr_tf.attribution.certainty import expected_effects, sign_chances, stratum


def test_variances_add_up() -> None:
    found = np.array([[1.0, 0, 0, 2], [3.0, 0, 0, 4], [2.0, 0, 0, 6]])
    blended, shared = np.array([2.0, 0, 0, 4]), np.array([0, 1, 2, 3])
    effects, errors = expected_effects(blended, found, 10.0, shared, np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(effects, [27, 0, 0, 54])
    expected = [
        0.1 + 1.5 * 1 / 3 + (0.25 * 2.7) ** 2 + 1.6**2,
        0.2 + 1.5**2,
        0.3 + 0.9**2,
        0.3 + 1.5 * 4 / 3 + (0.25 * 5.4) ** 2 + 0.9**2,
    ]
    np.testing.assert_allclose(errors, 10 * np.sqrt(expected))


def test_chances() -> None:
    chances = sign_chances(np.array([0.0, 1.0, -1.0, 3.0]), np.array([1.0, 1.0, 1.0, 1.0]))
    np.testing.assert_allclose(chances, [0.5, 0.8413, 0.8413, 0.99865], atol=1e-4)
    # Nothing is known where there is no error, nor an effect.
    assert sign_chances(np.zeros(1), np.zeros(1)) == pytest.approx(0.5)


def test_more_than_two_elements_are_two() -> None:
    assert stratum(np.array([0, 1, 2, 3])).tolist() == [0, 1, 2, 2]
