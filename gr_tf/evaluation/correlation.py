"""Correlations with their intervals."""

import dataclasses
from collections.abc import Sequence

import numpy as np

_RESAMPLES = 2_999


@dataclasses.dataclass(frozen=True)
class Correlation:
    """A coefficient of pairs.

    Attributes:
        r: the coefficient; None, with its interval, if one of the two does not vary.
        low, high: its 95% interval.
        n: pairs.
    """

    r: float | None
    low: float | None
    high: float | None
    n: int


def pearson(first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Pearson's correlation of pairs; the interval is Fisher's z.

    Raises:
        ValueError: if the lengths differ.
    """
    from scipy import stats  # here, because it is slow to import

    if not _vary(first, second):
        return Correlation(None, None, None, len(first))
    result = stats.pearsonr(first, second)
    interval = result.confidence_interval(0.95)
    return Correlation(float(result.statistic), float(interval.low), float(interval.high), len(first))


def spearman(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Correlation:
    """Spearman's rank correlation of pairs; the interval is the bootstrap's, by percentiles.

    Args:
        first, second: [n].
        seed: of the bootstrap.

    Raises:
        ValueError: if the lengths differ.
    """
    from scipy import stats  # here, because it is slow to import

    if not _vary(first, second):
        return Correlation(None, None, None, len(first))
    pairs = np.array([first, second], np.float64)
    resampled = pairs[:, np.random.default_rng(seed).integers(len(first), size=(_RESAMPLES, len(first)))]
    ranks = stats.rankdata(resampled, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    spread = np.sqrt((ranks**2).sum(axis=-1)).prod(axis=0)
    # A resample of one pair only has no correlation.
    coefficients = (ranks.prod(axis=0).sum(axis=-1) / np.where(spread > 0, spread, np.nan))[spread > 0]
    # Rounding may leave a little more than 1.
    low, high = np.clip(np.percentile(coefficients, [2.5, 97.5]), -1, 1)
    return Correlation(float(stats.spearmanr(first, second).statistic), float(low), float(high), len(first))


def slope(computed: Sequence[float], observed: Sequence[float]) -> Correlation:
    """The slope of observed on computed values by least squares, with Student's interval: 1 if they agree in scale.

    Raises:
        ValueError: if the lengths differ.
    """
    from scipy import stats  # here, because it is slow to import

    if not _vary(computed, observed) or len(computed) < 3:
        return Correlation(None, None, None, len(computed))
    line = stats.linregress(computed, observed)
    half = float(stats.t.ppf(0.975, len(computed) - 2) * line.stderr)
    return Correlation(float(line.slope), float(line.slope) - half, float(line.slope) + half, len(computed))


def reliability(repeated: np.ndarray) -> float | None:
    """Of the means of repeated measurements: the share of their variance that is not noise.

    No exact prediction correlates with them better than its square root, on average. It may come out
    negative where all is noise.

    Args:
        repeated: [n, repetitions].

    Returns:
        1 - (mean squared standard error of a mean) / (variance of the means); None with fewer than two
        repetitions, or means that do not vary.
    """
    num_points, repetitions = repeated.shape
    if min(num_points, repetitions) < 2:
        return None
    total = float(repeated.mean(axis=1).var(ddof=1))
    noise = float((repeated.var(axis=1, ddof=1) / repetitions).mean())
    return 1 - noise / total if total > 0 else None


def _vary(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether both do."""
    if len(first) != len(second):
        raise ValueError(f"want pairs; got {len(first)} and {len(second)} values.")
    return min(map(len, map(set, (first, second)))) >= 2
