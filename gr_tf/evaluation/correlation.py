"""Correlations with their intervals."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Correlation:
    """Pearson's r.

    Attributes:
        r: the coefficient; NaN if one of the two does not vary.
        low, high: its 95% interval (Fisher's z).
        n: pairs.
    """

    r: float
    low: float
    high: float
    n: int


def pearson(first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Pearson's correlation of pairs.

    Raises:
        ValueError: if the lengths differ or are below 2.
    """
    from scipy import stats  # here, because it is slow to import

    result = stats.pearsonr(first, second)
    interval = result.confidence_interval(0.95)
    return Correlation(float(result.statistic), float(interval.low), float(interval.high), len(first))
