"""Confidence intervals."""


def proportion_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    Wilson (1927); it speaks of other queries to the same trained model, not of other seeds.

    Raises:
        ValueError: if there are no trials.
    """
    from scipy import stats  # here, because it is slow to import

    interval = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
