"""Measures how well two rankings of the same examples agree, query by query, and how well noise lets them agree.

In classical test theory (Spearman 1910; Brown 1910) a measured value is the true one plus noise. The reliability is the
correlation of two such measurements; no exact prediction correlates with one better than the reliability's square root.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gr_tf.errors import InputError
from gr_tf.runs.engine import scipy

# How often repetitions are split into random halves, and how many bootstrap samples of queries are drawn.
_SPLITS, _RESAMPLES = 20, 2_000
# Correlations along the last axis of two arrays [..., n].
Coefficient = Callable[[np.ndarray, np.ndarray], np.ndarray]


def pearson_rows(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's correlation along the last axis; NaN where one of the two does not vary."""
    first = first - first.mean(axis=-1, keepdims=True)
    second = second - second.mean(axis=-1, keepdims=True)
    spread = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    products = (first * second).sum(axis=-1)
    return np.divide(products, spread, out=np.full(np.shape(spread), np.nan), where=spread > 0)


def spearman_rows(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation along the last axis; NaN where one of the two does not vary."""
    return pearson_rows(scipy.stats.rankdata(first, axis=-1), scipy.stats.rankdata(second, axis=-1))


COEFFICIENTS: dict[str, Coefficient] = {"pearson": pearson_rows, "spearman": spearman_rows}


def per_query(scores: np.ndarray, truth: np.ndarray, masks: np.ndarray, coefficient: Coefficient) -> np.ndarray:
    """The correlation of scores with the truth over the examples of each query's mask.

    Args:
        scores: [..., num_queries, num_examples], of one method or of several.
        truth: [num_queries, num_examples].
        masks: the same, bool.
        coefficient: one of COEFFICIENTS.

    Returns:
        [..., num_queries]; NaN for a query of fewer than three examples, or whose truth does not vary.

    Raises:
        InputError: if the scores of a query are all the same or one is not finite: they rank nothing.
    """
    found = np.full(scores.shape[:-1], np.nan)
    for place, mask in enumerate(masks):
        chosen, true = scores[..., place, mask], truth[place, mask]
        if not np.isfinite(chosen).all():
            raise InputError(f"the scores of query {place} are not all finite.")
        if not np.isfinite(true).all():
            raise InputError(f"the measured effects of query {place} are not all finite.")
        if true.size < 3 or not np.ptp(true) > 0:
            continue
        same = ~(np.ptp(chosen, axis=-1) > 0)
        if same.any():
            value = chosen.reshape(-1, true.size)[np.flatnonzero(same)[0], 0]
            raise InputError(f"the scores of query {place} are all {value}: they rank nothing.")
        found[..., place] = coefficient(chosen, true)
    return found


def mean_over_queries(values: np.ndarray) -> tuple[float, float, float]:
    """The mean over queries, and its 95% bootstrap interval (percentiles; queries are resampled).

    Args:
        values: [num_queries]; NaN where a query has none.

    Raises:
        InputError: if no query has a value.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise InputError("no query has enough examples to compare.")
    draws = np.random.default_rng(0).integers(len(known), size=(_RESAMPLES, len(known)))
    low, high = np.percentile(known[draws].mean(axis=1), [2.5, 97.5])
    return float(known.mean()), float(low), float(high)


def mean_correlation(
    scores: np.ndarray, truth: np.ndarray, masks: np.ndarray, coefficient: Coefficient = spearman_rows
) -> tuple[float, float, float]:
    """Averages `per_query` over queries, with an interval; averages several methods for each query first.

    Args:
        scores, masks, coefficient: see per_query.
        truth: [num_queries, num_examples], or of the scores' shape if each method has its own.

    Raises:
        InputError: see per_query and mean_over_queries.
    """
    if truth.ndim > masks.ndim:
        found = np.stack([per_query(*both, masks, coefficient) for both in zip(scores, truth, strict=True)])
    else:
        found = per_query(scores, truth, masks, coefficient)
    return mean_over_queries(found.reshape(-1, len(masks)).mean(axis=0))


def reliability(repeated: np.ndarray, masks: np.ndarray, coefficient: Coefficient) -> dict[str, Any]:
    """Says how certain repeated measurements are, by split halves and the Spearman-Brown formula.

    Args:
        repeated: [repetitions, num_queries, num_examples].
        masks: [num_queries, num_examples], bool.
        coefficient: one of COEFFICIENTS.

    Returns:
        "half" and "half_interval": the correlation of the means of two halves of the repetitions, averaged over random
        halves and over queries, with its bootstrap interval; "one_seed": the reliability of one repetition, which is
        the correlation of two; "reliability" and "ceiling": those of the mean; "queries": how many can be compared.

    Raises:
        InputError: if there are fewer than two repetitions.
    """
    repetitions = len(repeated)
    if repetitions < 2:
        raise InputError(f"want at least two repetitions to compare; got {repetitions}.")
    generator = np.random.default_rng(0)
    splits = []
    for _ in range(_SPLITS):
        order = generator.permutation(repetitions)
        halves = [repeated[part].mean(axis=0) for part in (order[: repetitions // 2], order[repetitions // 2 :])]
        splits.append(per_query(halves[0], halves[1], masks, coefficient))
    found = np.mean(splits, axis=0)
    half, *interval = mean_over_queries(found)
    whole = spearman_brown(half, 2)
    return {
        "half": half,
        "half_interval": interval,
        "one_seed": spearman_brown(half, 2 / repetitions),
        "reliability": whole,
        "ceiling": ceiling(whole),
        "queries": int((~np.isnan(found)).sum()),
    }


def reliabilities(repeated: np.ndarray, masks: np.ndarray, *names: str) -> dict[str, dict[str, Any]]:
    """Returns `reliability` for each coefficient; if names are given, only the values of these names."""
    found = {name: reliability(repeated, masks, coefficient) for name, coefficient in COEFFICIENTS.items()}
    return {name: {key: told[key] for key in names or told} for name, told in found.items()}


def spearman_brown(correlation: float, factor: float) -> float:
    """The reliability of a measurement that is `factor` times as long as two that have this correlation."""
    return factor * correlation / (1 + (factor - 1) * correlation)


def strata(shared: np.ndarray) -> dict[str, np.ndarray]:
    """Returns masks of each query's examples by how many elements they share with it, such as "shared >= 2".

    A stratum in which no query has three examples is left out: fewer cannot be correlated.

    Args:
        shared: [num_queries, num_examples], see Dataset.shared_elements.
    """
    masks = {
        "all": shared >= 0,
        "shared 0": shared == 0,
        "shared 1": shared == 1,
        "adjacent": shared >= 1,
        "shared >= 2": shared >= 2,
    }
    return {stratum: mask for stratum, mask in masks.items() if mask.sum(axis=1).max() >= 3}


def ceiling(reliability: float) -> float | None:
    """The correlation that an exact prediction would reach; None if the reliability is not positive."""
    return float(np.sqrt(reliability)) if reliability > 0 else None
