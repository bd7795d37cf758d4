"""How far back through a training derivatives can be believed.

Derivatives through many steps of a training can grow with each step: then a tiny change of an early one would move the
trained model further than leaving examples out ever does. Influences v of n examples say that the predictions of
trainings on random halves spread by sqrt(sum v^2) / 2 around their mean. Where that is more than a prediction can move,
the derivatives are of the training's chaos, not of the data.
"""

from collections.abc import Iterable

import numpy as np

# The spread that is believed, as a share of how far a prediction may move. Chosen on WN18RR (BUILD_NOTES, "How far back
# replay goes").
_SHARE = 0.5

# What is said of influences that are not of the whole training.
SHORTENED = (
    "replay does not go back over the whole training: further back, its derivatives are too large to be of the data"
)


def spread(influences: np.ndarray) -> np.ndarray:
    """The standard deviation [...] of predictions over random halves that influences [..., num_examples] foretell."""
    with np.errstate(over="ignore"):  # An infinite spread is not believed either.
        found: np.ndarray = np.sqrt((influences.astype(np.float64) ** 2).sum(axis=-1)) / 2
    return found


def credible_sums(parts: Iterable[np.ndarray], scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums the parts of influences that are due to a training's epochs, from the last back as far as is credible.

    Args:
        parts: of the last epoch, of the one before, and so on, [num_queries, num_examples] each; taken only while one
            of the sums may still change.
        scales: [num_queries], how far each prediction may move; see Task.large_change.

    Returns:
        The sums, which the last epoch is always part of; and of how many epochs each is.
    """
    sums, depths, goes_on = None, np.zeros(len(scales), np.int64), np.ones(len(scales), bool)
    for part in parts:
        if sums is None:
            sums = part.copy()
        else:
            longer = sums + part
            goes_on &= spread(longer) <= _SHARE * scales
            sums[goes_on] = longer[goes_on]
        depths[goes_on] += 1
        if not goes_on.any():
            break
    if sums is None:
        raise ValueError("there is no epoch.")
    return sums, depths
