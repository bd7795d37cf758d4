"""Correlations with their intervals."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Correlation:
    """Pearson's r.

    Attributes:
        r: the coefficient; None, with its interval, if one of the two does not vary.
        low, high: its 95% interval (Fisher's z).
        n: pairs.
    """

    r: float | None
    low: float | None
    high: float | None
    n: int


def pearson(first: Sequence[float], second: Sequence[float]) -> Correlation:
    """Pearson's correlation of pairs.

    Raises:
        ValueError: if the lengths differ.
    """
    from scipy import stats  # here, because it is slow to import

    if min(map(len, map(set, (first, second)))) < 2:
        return Correlation(None, None, None, len(first))
    result = stats.pearsonr(first, second)
    interval = result.confidence_interval(0.95)
    return Correlation(float(result.statistic), float(interval.low), float(interval.high), len(first))
