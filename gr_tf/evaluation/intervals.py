"""95% confidence intervals."""

from collections.abc import Sequence

import numpy as np

from gr_tf.runs.engine import scipy


def proportion_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    Wilson (1927); it speaks of other queries to the same trained model, not of other seeds.

    Raises:
        ValueError: if there are no trials.
    """
    interval = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The mean of independent values with Student's interval; without one where there is only one value.

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
