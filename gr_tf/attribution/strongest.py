"""Finds the strongest of many influences that are known within bounds, and computes no more of them than it must."""

from collections.abc import Callable

import numpy as np

from gr_tf.tasks.rolled_back import Bounds
from gr_tf.types import Ids

# Influences that are looked at together at first, on either side; then four times as many, and so on.
_AT_ONCE = 32


def strongest(bounds: Bounds, k: int, exact: Callable[[Ids], np.ndarray]) -> Ids:
    """Computes the k largest of n numbers that are above 0, the k smallest that are below 0, and perhaps some others.

    Args:
        bounds: of the numbers.
        k: at least 1.
        exact: computes the numbers at ascending places; no place twice.

    Returns:
        The places of numbers that were computed, ascending. Of numbers that equal the last of k, all are.
    """
    lower, upper = bounds.lower.copy(), bounds.upper.copy()
    refined, known = np.zeros(len(lower), bool), np.zeros(len(lower), bool)
    most = _AT_ONCE
    while len(wanted := _wanted(lower, upper, known, k, most)):
        rough = wanted[~refined[wanted]]
        if len(rough):
            lower[rough], upper[rough] = bounds.refine(rough)
            refined[rough] = True
            wanted = np.intersect1d(wanted, _wanted(lower, upper, known, k, len(lower)))
        if len(wanted):
            # Even the first few tell most of the others apart.
            lower[wanted] = upper[wanted] = exact(wanted)
            known[wanted] = True
        most *= 4
    return np.flatnonzero(known)


def _wanted(lower: np.ndarray, upper: np.ndarray, done: np.ndarray, k: int, most: int) -> Ids:
    """Some of the numbers that are not done and may be among the strongest, ascending places; `most` on a side."""
    found = []
    for below, above in ((lower, upper), (-upper, -lower)):
        # No number is among the k largest that is certainly smaller than k others.
        least = np.partition(below, -k)[-k] if len(below) > k else -np.inf
        possible = np.flatnonzero(~done & (above >= least) & (above > 0))
        found.append(possible[np.argsort(-above[possible], kind="stable")[:most]])
    return np.union1d(*found)
