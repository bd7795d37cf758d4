"""How well two rankings of the same examples agree, query by query, and how far noise lets them.

Classical test theory (Spearman 1910; Brown 1910): measured = true + noise. The reliability of a measurement
is the correlation of two of them; no exact prediction correlates with one better than the root of it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from gr_tf.errors import InputError

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
    from scipy import stats  # here, because it is slow to import

    return pearson_rows(stats.rankdata(first, axis=-1), stats.rankdata(second, axis=-1))


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


def split_half(
    repeated: np.ndarray, masks: np.ndarray, coefficient: Coefficient, *, num_splits: int = 20, seed: int = 0
) -> np.ndarray:
    """The correlation [num_queries] of the means of two halves of the repetitions, averaged over random halves.

    Args:
        repeated: [repetitions, num_queries, num_examples].
        masks: [num_queries, num_examples], bool.
        coefficient: one of COEFFICIENTS.
        num_splits: random halves.
        seed: of their draw.

    Returns:
        NaN for a query of fewer than three examples.

    Raises:
        InputError: with fewer than two repetitions.
    """
    repetitions = len(repeated)
    if repetitions < 2:
        raise InputError(f"want at least two repetitions to compare; got {repetitions}.")
    generator = np.random.default_rng(seed)
    splits = []
    for _ in range(num_splits):
        order = generator.permutation(repetitions)
        halves = [repeated[part].mean(axis=0) for part in (order[: repetitions // 2], order[repetitions // 2 :])]
        splits.append(per_query(halves[0], halves[1], masks, coefficient))
    return np.mean(splits, axis=0)


@dataclasses.dataclass(frozen=True)
class Reliability:
    """How certain repeated measurements are, means over queries.

    Attributes:
        half: the correlation of two halves' means, with its bootstrap interval; see split_half.
        one: reliability of a single repetition: the correlation of two.
        whole: of the mean of all.
        queries: how many have enough examples to compare.
    """

    half: tuple[float, float, float]
    one: float
    whole: float
    queries: int

    @classmethod
    def of(cls, repeated: np.ndarray, masks: np.ndarray, coefficient: Coefficient) -> "Reliability":
        """By split halves and Spearman-Brown; the arguments and errors are those of split_half."""
        halves = split_half(repeated, masks, coefficient)
        half = mean_over_queries(halves)
        one, whole = spearman_brown(half[0], 2 / len(repeated)), spearman_brown(half[0])
        return cls(half, one, whole, int((~np.isnan(halves)).sum()))

    @property
    def ceiling(self) -> float | None:
        """See the function of that name; of the mean of all repetitions."""
        return ceiling(self.whole)


def spearman_brown(correlation: float, factor: float = 2.0) -> float:
    """The reliability of a measurement `factor` times as long as those that correlate so (Spearman-Brown).

    Args:
        correlation: of two measurements.
        factor: 2: the two together; 1 / n: one of the n that each is the mean of.
    """
    return factor * correlation / (1 + (factor - 1) * correlation)


def mean_over_queries(values: np.ndarray, *, seed: int = 0, resamples: int = 2_000) -> tuple[float, float, float]:
    """The mean over queries, and its 95% bootstrap interval (percentiles; queries are resampled).

    Args:
        values: [num_queries]; NaN where a query has none.
        seed: of the bootstrap.
        resamples: how many.

    Raises:
        InputError: if no query has a value.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise InputError("no query has enough examples to compare.")
    draws = np.random.default_rng(seed).integers(len(known), size=(resamples, len(known)))
    low, high = np.percentile(known[draws].mean(axis=1), [2.5, 97.5])
    return float(known.mean()), float(low), float(high)


def strata(shared: np.ndarray) -> dict[str, np.ndarray]:
    """Which examples of each query to look at, by how much they share with it.

    Without those in which no query has three examples, the fewest that correlate.

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
    """What an exact prediction would correlate at; None where no reliability is left."""
    return float(np.sqrt(reliability)) if reliability > 0 else None
