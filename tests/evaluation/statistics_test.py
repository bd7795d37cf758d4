"""Significance and correlation."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from gr_tf.evaluation.statistics import pearson, randomization_test, slope, spearman


def test_randomization_test_is_exact_on_few_queries() -> None:
    """Five queries that only the first method wins: 2 of 2^5 arrangements are as extreme."""
    first, second = [True] * 5 + [False] * 4, [False] * 9
    assert randomization_test(first, second) == pytest.approx(2 / 32)
    assert randomization_test(second, first) == pytest.approx(2 / 32)


def test_randomization_test_nears_the_sign_test() -> None:
    """With outcomes of 0 and 1 the exact test is the sign test; 9,999 trials leave a percent or so."""
    generator = np.random.default_rng(0)
    first, second = generator.random(143) < 0.3, generator.random(143) < 0.2
    won, lost = int((first & ~second).sum()), int((second & ~first).sum())
    exact = stats.binomtest(won, won + lost).pvalue
    assert randomization_test(first.tolist(), second.tolist()) == pytest.approx(exact, abs=0.02)
    assert randomization_test(first.tolist(), second.tolist()) == randomization_test(first.tolist(), second.tolist())


def test_equal_methods_do_not_differ() -> None:
    assert randomization_test([True, False], [True, False]) == 1.0
    assert randomization_test([True, False], [False, False]) == 1.0
    with pytest.raises(ValueError, match="got 2 and 1"):
        randomization_test([True, False], [True])


def test_pearson_of_what_does_not_vary_is_none() -> None:
    assert dataclasses.astuple(pearson([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])) == (None, None, None, 3)


def test_pearson() -> None:
    exact = pearson([1.0, 2.0, 3.0, 5.0], [2.0, 4.0, 6.0, 10.0])
    assert exact.r == pytest.approx(1.0)
    assert exact.n == 4
    noisy = pearson([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 4.0, 3.0, 5.0])
    assert noisy.r == pytest.approx(0.8)
    # Fisher: tanh(atanh(0.8) -+ 1.96 / sqrt(5 - 3))
    assert noisy.low == pytest.approx(np.tanh(np.arctanh(0.8) - 1.959964 / np.sqrt(2)), abs=1e-6)
    assert noisy.high == pytest.approx(np.tanh(np.arctanh(0.8) + 1.959964 / np.sqrt(2)), abs=1e-6)


def test_slope_has_the_interval_of_least_squares() -> None:
    """By hand: Sxx = 5, Sxy = 5.5, Syy = 8.75, and Student's t of 2 degrees of freedom is 4.302653."""
    line = slope([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 5.0])
    half = 4.302653 * np.sqrt((8.75 - 5.5**2 / 5) / 2 / 5)
    assert (line.r, line.low, line.high) == pytest.approx((1.1, 1.1 - half, 1.1 + half), abs=1e-6)
    # Three points are the fewest that tell how far they are from a line: t of 1 degree is 12.7062.
    few = slope([-1.0, 0.0, 1.0], [-1.0, 1.0, 0.0])
    assert (few.r, few.high) == pytest.approx((0.5, 0.5 + 12.7062 * np.sqrt(1.5 / 2)), abs=1e-4)
    assert dataclasses.astuple(slope([1.0, 2.0], [1.0, 3.0])) == (None, None, None, 2)


def test_spearman_has_the_interval_of_the_bootstrap() -> None:
    """SciPy's bootstrap by percentiles draws the same pairs; few of them, with ties."""
    first = [1.0, 2.0, 2.0, 3.0, 5.0, 4.0, 7.0, 6.0, 9.0, 8.0]
    second = [2.0, 1.0, 3.0, 3.0, 6.0, 5.0, 1.0, 8.0, 7.0, 9.0]

    def coefficients(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        ranks = [stats.rankdata(values, axis=axis) for values in (one, other)]
        return np.asarray(stats.pearsonr(*ranks, axis=axis).statistic)

    wanted = stats.bootstrap(
        (first, second), coefficients,
        n_resamples=2_999, paired=True, vectorized=True, method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    found = spearman(first, second)
    assert found.r == pytest.approx(stats.spearmanr(first, second).statistic)
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval), abs=1e-12)
