"""Protocols: how much of the truth is in the influences that a method gives.

All compare influences with effects that were measured by retraining, [num_queries, num_examples] each;
correlations are in evaluation.agreement.
"""

from collections.abc import Sequence

import numpy as np

from gr_tf.errors import InputError
from gr_tf.evaluation.agreement import spearman_rows
from gr_tf.evaluation.shrinkage import shrunken


def top_k_effects(scores: np.ndarray, effects: np.ndarray, masks: np.ndarray, k: int) -> np.ndarray:
    """The sum [num_queries] of the effects of the k examples of each query's mask that score highest.

    Equal scores go by example id. Queries with fewer than k examples have the sum of all.
    """
    ranked = np.argsort(-np.where(masks, scores, -np.inf), axis=1, kind="stable")[:, :k]
    chosen = np.take_along_axis(masks, ranked, axis=1)
    return (np.take_along_axis(effects, ranked, axis=1) * chosen).sum(axis=1)


def best_k_effects(halves: Sequence[np.ndarray], masks: np.ndarray, k: int) -> np.ndarray:
    """The most that k examples can be shown to do [num_queries].

    The best by the effects of one half of the seeds, valued by the other half, and the other way round: the
    maximum of noisy effects is too high where it is chosen and valued by the same (winner's curse).

    Args:
        halves: two, mean effects over disjoint seeds.
        masks: bool.
        k: how many.
    """
    first, second = halves
    return (top_k_effects(first, second, masks, k) + top_k_effects(second, first, masks, k)) / 2


def captured_effect(
    scores: np.ndarray, expected: np.ndarray, halves: Sequence[np.ndarray], masks: np.ndarray, k: int
) -> float:
    """What a method's first k do, as a share of what the best k do (sums over queries).

    The best are those that half of the seeds show to be; where that is not enough to find the best, a good method
    exceeds 1.

    Args:
        scores: the method's, from other seeds than the effects.
        expected: the mean effects over all seeds.
        halves, masks, k: see best_k_effects.

    Raises:
        InputError: if not even the best k raise the predictions.
    """
    best = best_k_effects(halves, masks, k).sum()
    if best <= 0:
        raise InputError("no examples are known to raise the predictions: there is nothing to capture.")
    return float(top_k_effects(scores, expected, masks, k).sum() / best)


def screened_effects(
    scores: np.ndarray,
    effects: np.ndarray,
    masks: np.ndarray,
    candidates: int,
    *,
    blended: bool = False,
    num_splits: int = 10,
    seed: int = 0,
) -> np.ndarray:
    """Screen, then retrain: the mean effect of the example chosen, by how many seeds are retrained.

    The method's first `candidates` of each query are left out in turn, in r trainings each; the one with the
    largest mean effect is chosen, and valued by seeds that had no part in the choice.

    Args:
        scores: of the method that proposes.
        effects: [num_seeds, num_queries, num_examples].
        masks: which examples are proposed from.
        candidates: how many are proposed.
        blended: choose by the means and the scores together (evaluation.shrinkage), not by the means alone.
        num_splits: random halves of the seeds: one retrained, the other to value.
        seed: of their draw.

    Returns:
        [num_seeds // 2 + 1]: without retraining (the method's own first), and with r = 1, 2, ... retrainings of
        each candidate.
    """
    half = len(effects) // 2
    ranked = np.argsort(-np.where(masks, scores, -np.inf), axis=1, kind="stable")[:, :candidates]
    possible = np.take_along_axis(masks, ranked, axis=1)
    proposed = np.take_along_axis(effects, ranked[None], axis=2)
    own = np.take_along_axis(scores, ranked, axis=1)
    generator = np.random.default_rng(seed)
    total = np.zeros(half + 1)
    for _ in range(num_splits):
        order = generator.permutation(len(effects))
        value = proposed[order[half:]].mean(axis=0)
        total[0] += value[:, 0].mean()
        for spent in range(1, half + 1):
            measured = proposed[order[:spent]]
            decided = shrunken(measured, own, possible) if blended else measured.mean(axis=0)
            chosen = np.where(possible, decided, -np.inf).argmax(axis=1)
            total[spent] += np.take_along_axis(value, chosen[:, None], axis=1).mean()
    return total / num_splits


def half_subsets(num_examples: int, count: int, seed: int) -> np.ndarray:
    """Random halves of the training examples: bool [count, num_examples], whether an example is in it."""
    if count < 3:
        raise InputError(f"want at least three subsets to correlate; got {count}.")
    generator = np.random.default_rng(seed)
    inside = np.zeros((count, num_examples), bool)
    for row in inside:
        row[generator.permutation(num_examples)[: num_examples // 2]] = True
    return inside


def linear_datamodeling_score(scores: np.ndarray, subsets: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """LDS [num_queries]: Spearman's correlation over subsets of summed influences and retrained outputs.

    Park et al. (2023), "TRAK: Attributing Model Behavior at Scale", Definition 2.4.

    Args:
        scores: [num_queries, num_examples].
        subsets: [num_subsets, num_examples], bool.
        outputs: [num_subsets, num_queries], mean predictions of trainings on each subset.

    Raises:
        InputError: if a query's scores are all the same.
    """
    if not (np.ptp(scores, axis=1) > 0).all():
        raise InputError(f"the scores of query {int(np.argmin(np.ptp(scores, axis=1)))} are all the same.")
    return spearman_rows((subsets.astype(np.float64) @ scores.T).T, outputs.T)
