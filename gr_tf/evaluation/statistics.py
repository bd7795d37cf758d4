"""Correlations, intervals, and tests of one sample; the agreement of rankings is in evaluation.agreement."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np

from gr_tf.runs.engine import scipy

# How many resamples the bootstrap has, and how many trials the randomization test.
_RESAMPLES, _TRIALS = 2_999, 9_999
_Values = Sequence[float]
# A coefficient and its interval.
_Told = tuple[float | None, float | None, float | None]


@dataclasses.dataclass(frozen=True)
class Correlation:
    """A correlation coefficient of pairs.

    Attributes:
        r: the coefficient; None, as is its interval, if one of the two does not vary.
        low, high: its 95% interval.
        n: the number of pairs.
    """

    r: float | None
    low: float | None
    high: float | None
    n: int


def _of_pairs(measure: Callable[[_Values, _Values], _Told]) -> Callable[[_Values, _Values], Correlation]:
    """Turns a function of values that vary into one of any pairs, which returns a Correlation."""

    @functools.wraps(measure)
    def measured(first: _Values, second: _Values) -> Correlation:
        if len(first) != len(second):
            raise ValueError(f"want pairs; got {len(first)} and {len(second)} values.")
        vary = min(len(set(first)), len(set(second))) >= 2
        return Correlation(*(measure(first, second) if vary else (None, None, None)), len(first))

    return measured


@_of_pairs
def pearson(first: _Values, second: _Values) -> _Told:
    """Pearson's correlation of pairs; the interval is Fisher's z.

    Raises:
        ValueError: if the lengths differ.
    """
    result = scipy.stats.pearsonr(first, second)
    low, high = result.confidence_interval(0.95)
    return float(result.statistic), float(low), float(high)


@_of_pairs
def spearman(first: _Values, second: _Values) -> _Told:
    """Spearman's rank correlation of pairs; the interval is the bootstrap's, by percentiles.

    Raises:
        ValueError: if the lengths differ.
    """
    pairs = np.array([first, second], np.float64)
    resampled = pairs[:, np.random.default_rng(0).integers(len(first), size=(_RESAMPLES, len(first)))]
    ranks = scipy.stats.rankdata(resampled, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    spread = np.sqrt((ranks**2).sum(axis=-1)).prod(axis=0)
    # A resample of one pair only has no correlation.
    coefficients = (ranks.prod(axis=0).sum(axis=-1) / np.where(spread > 0, spread, np.nan))[spread > 0]
    # Rounding may leave a little more than 1.
    low, high = np.clip(np.percentile(coefficients, [2.5, 97.5]), -1, 1)
    return float(scipy.stats.spearmanr(first, second).statistic), float(low), float(high)


@_of_pairs
def slope(computed: _Values, observed: _Values) -> _Told:
    """The slope of observed on computed values by least squares, with Student's interval: 1 if they agree in scale.

    Raises:
        ValueError: if the lengths differ.
    """
    if len(computed) < 3:
        return None, None, None
    line = scipy.stats.linregress(computed, observed)
    half = float(scipy.stats.t.ppf(0.975, len(computed) - 2) * line.stderr)
    return float(line.slope), float(line.slope) - half, float(line.slope) + half


def reliability(repeated: np.ndarray) -> float | None:
    """The reliability of means of repeated measurements: the share of their variance that is not noise.

    On average no exact prediction correlates with the means better than the square root of the reliability. It may
    come out negative if everything is noise.

    Args:
        repeated: [n, repetitions].

    Returns:
        1 - (mean squared standard error of a mean) / (variance of the means); None if there are fewer than two
        repetitions, or the means do not vary.
    """
    num_points, repetitions = repeated.shape
    if min(num_points, repetitions) < 2:
        return None
    total = float(repeated.mean(axis=1).var(ddof=1))
    noise = float((repeated.var(axis=1, ddof=1) / repetitions).mean())
    return 1 - noise / total if total > 0 else None


def proportion_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95% score interval of a proportion (Wilson 1927).

    For PD and TC it is about other queries to the same trained model, not about other seeds.

    Raises:
        ValueError: if there are no trials.
    """
    interval = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The mean of independent values with Student's 95% interval; one value alone has no interval.

    Raises:
        ValueError: if there are no values.
    """
    if not len(values):
        raise ValueError("want at least one value.")
    mean = float(np.mean(values))
    if len(values) == 1:
        return mean, None, None
    half = float(scipy.stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


def randomization_test(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Does an approximate randomization test of two methods' shares, paired by query.

    Noreen (1989), "Computer-Intensive Methods for Testing Hypotheses"; used for Table 2 of
    Lawrence et al. (2021). In 9,999 random trials each query's two outcomes change places or
    not; the test is exact if there are fewer arrangements.

    Args:
        first, second: [n] outcomes of the two methods on the same queries.

    Returns:
        The two-sided p-value: the share of arrangements with a difference at least as large.

    Raises:
        ValueError: if the lengths differ or are zero.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"want as many outcomes of both methods; got {len(first)} and {len(second)}.")
    differences = np.asarray(first, np.int64) - np.asarray(second, np.int64)
    differences = differences[differences != 0]
    if len(differences) < 2:
        return 1.0  # A single difference is as large with either sign.
    # Queries with equal outcomes add nothing to any arrangement; for the others, a change of place changes the sign.
    test = scipy.stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=_TRIALS, rng=np.random.default_rng(0)
    )
    return float(test.pvalue)
