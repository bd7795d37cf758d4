"""Blends of simulated influences, whose mean over trainings is known."""

import numpy as np
import pytest

from gr_tf.attribution.blending import Sums, learn, variance
from gr_tf.errors import InputError

QUERIES, EXAMPLES, FEATURES = 40, 400, 6


def simulated(
    trainings: int, by_features: float, rest: float, noise: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [q, n, p], what holds on average [q, n], and the influences [m, q, n] of trainings."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(QUERIES, EXAMPLES, FEATURES))
    features -= features.mean(axis=1, keepdims=True)
    weights = generator.normal(size=FEATURES)
    said = features @ weights
    said *= by_features / said.std()
    mean = said + rest * generator.normal(size=said.shape)
    influences = mean + noise * generator.normal(size=(trainings, *said.shape))
    return features.astype(np.float32), mean, influences.astype(np.float32)


def total(features: np.ndarray, influences: np.ndarray) -> Sums:
    parts = [Sums.of(features[place], influences[:, place]) for place in range(len(features))]
    whole = parts[0]
    for part in parts[1:]:
        whole += part
    return whole


def test_sums_of_parts_are_those_of_the_whole() -> None:
    features, _, influences = simulated(3, 1, 0.5, 1)
    whole, parts = Sums.of(features.reshape(-1, FEATURES), influences.reshape(3, -1)), total(features, influences)
    np.testing.assert_allclose(whole.features, parts.features, rtol=1e-4, atol=0.1)
    np.testing.assert_allclose(whole.both, parts.both, rtol=1e-3, atol=0.5)
    np.testing.assert_allclose(whole.influences, parts.influences, rtol=1e-4)
    assert whole.count == parts.count == QUERIES * EXAMPLES


@pytest.mark.parametrize("trainings", [2, 3, 8])
def test_a_blend_is_nearer_the_truth_than_either_part(trainings: int) -> None:
    features, mean, influences = simulated(trainings, 1, 0.7, 1.5)
    blend = learn(total(features, influences))
    found = np.stack([blend.of(features[place], influences[:, place]) for place in range(QUERIES)])

    def error(values: np.ndarray) -> float:
        return float(((values - mean) ** 2).mean())

    # The best weights know the truth, the blend does not.
    parts = np.stack([influences.mean(axis=0).ravel(), (features @ blend.coefficients).ravel()], axis=1)
    best = parts @ np.linalg.lstsq(parts, mean.ravel())[0]
    assert error(found) < 0.9 * min(error(influences.mean(axis=0)), error(features @ blend.coefficients))
    assert error(found) < 1.02 * error(best.reshape(mean.shape))


def test_what_has_no_noise_needs_no_prior_and_what_is_all_prior_no_trainings() -> None:
    features, _, influences = simulated(4, 1, 0.7, 0.01)
    blend = learn(total(features, influences))
    assert blend.own == pytest.approx(1, abs=0.01)
    assert blend.prior == pytest.approx(0, abs=0.01)
    features, _, influences = simulated(4, 1, 0, 3)
    blend = learn(total(features, influences))
    assert blend.own == pytest.approx(0, abs=0.02)
    assert blend.prior == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("trainings", "rest", "noise"), [(3, 0.5, 1.0), (6, 1.0, 2.0), (6, 0.2, 0.5)])
def test_the_variance_is_the_mean_square_of_what_the_blend_is_off(trainings: int, rest: float, noise: float) -> None:
    features, mean, influences = simulated(trainings, 1, rest, noise)
    sums = total(features, influences)
    blend = learn(sums)
    found = np.stack([blend.of(features[place], influences[:, place]) for place in range(QUERIES)])
    # Two trainings are left out in turn, so that it is of two trainings fewer, and too large rather than too small.
    said = variance(sums, sums, blend)
    true = ((found - mean) ** 2).mean()
    fewer = blend.own**2 * noise**2 * (1 / (trainings - 2) - 1 / trainings)
    assert said == pytest.approx(true + fewer, rel=0.05)


def test_one_training_has_fixed_weights_and_no_variance() -> None:
    features, _, influences = simulated(1, 1, 0.5, 1)
    sums = total(features, influences)
    blend = learn(sums)
    assert blend.own == 1
    assert blend.prior * (features @ blend.coefficients).std() == pytest.approx(1, rel=1e-3)
    assert np.isnan(variance(sums, sums, blend))


def test_influences_that_do_not_vary() -> None:
    features, _, influences = simulated(2, 1, 0.5, 1)
    influences[1] = 0
    with pytest.raises(InputError, match="all the same"):
        learn(total(features, influences))
