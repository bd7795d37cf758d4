"""Is one method better than another, beyond the chance of the queries?"""

from collections.abc import Sequence

import numpy as np

from gr_tf.runs.engine import scipy

_RESAMPLES = 9_999


def randomization_test(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Approximate randomization test of two methods' shares, paired by query.

    Noreen (1989), "Computer-Intensive Methods for Testing Hypotheses"; used for Table 2 of
    Lawrence et al. (2021). In 9,999 random trials each query's two outcomes change places or
    not; the test is exact where fewer arrangements exist.

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
        return 1.0  # Both signs of a single difference are as large.
    # Queries with equal outcomes add nothing to any arrangement; of the others, a change of place is a change of sign.
    test = scipy.stats.permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        n_resamples=_RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)
