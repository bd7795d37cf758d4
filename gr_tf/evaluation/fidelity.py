"""Protocols that measure how much of the truth is in a method's influences, and their rows in result.json.

All of them compare influences with effects that were measured by retraining, [num_queries, num_examples] each;
correlations are in evaluation.agreement.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.errors import DamagedError, InputError
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import Truth
from gr_tf.evaluation.compared import COMBINED, SCREENS, Scores, ensembles
from gr_tf.evaluation.statistics import mean_interval

# How many trainings an ensemble has; for how many first examples the captured effect is measured.
SIZES = (1, 2, 5, 10, 20, 50)
TOP = (1, 10)


def top_k_effects(scores: np.ndarray, effects: np.ndarray, masks: np.ndarray, k: int) -> np.ndarray:
    """The sum [num_queries] of the effects of the k examples of each query's mask that score highest.

    Equal scores are ordered by example id. A query with fewer than k examples has the sum of all.
    """
    ranked = np.argsort(-np.where(masks, scores, -np.inf), axis=1, kind="stable")[:, :k]
    chosen = np.take_along_axis(masks, ranked, axis=1)
    return (np.take_along_axis(effects, ranked, axis=1) * chosen).sum(axis=1)


def best_k_effects(halves: Sequence[np.ndarray], masks: np.ndarray, k: int) -> np.ndarray:
    """The largest effect [num_queries] that k examples can be shown to have.

    One half of the seeds chooses the best examples, the other half values them, and the other way round: if the same
    seeds choose and value, the maximum of noisy effects is too high (winner's curse).

    Args:
        halves: the mean effects over each half of the seeds.
        masks: bool.
        k: how many examples.
    """
    first, second = halves
    return (top_k_effects(first, second, masks, k) + top_k_effects(second, first, masks, k)) / 2


def captured_effect(
    scores: np.ndarray, expected: np.ndarray, halves: Sequence[np.ndarray], masks: np.ndarray, k: int
) -> float:
    """The effect of a method's first k examples as a share of the effect of the best k (sums over queries).

    Half of the seeds decides which examples are best; where this is too little to find them, a good method exceeds 1.

    Args:
        scores: the method's influences, from other seeds than the effects.
        expected: the mean effects over all seeds.
        halves, masks, k: see best_k_effects.

    Raises:
        InputError: if not even the best k raise the predictions.
    """
    best = best_k_effects(halves, masks, k).sum()
    if best <= 0:
        raise InputError("no examples are known to raise the predictions: there is nothing to capture.")
    return float(top_k_effects(scores, expected, masks, k).sum() / best)


def shrunken(effects: np.ndarray, scores: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The posterior means [num_queries, num_examples] of the effects of each query's examples; 0 outside its mask.

    Empirical Bayes (Efron and Morris 1973; with a regression, Fay and Herriot 1979) weighs a method's scores and a few
    measurements by how certain each is. It assumes that the effects of a query's examples scatter around a line in the
    method's scores, and the measured means around the effects. The line's slope and both scatters are the same for all
    queries, because one query says too little about them.

    One seed says nothing about its own noise: all scatter around the line is then taken for noise, and the result is
    the line itself.

    Args:
        effects: [num_seeds, num_queries, num_examples], measured effects.
        scores: [num_queries, num_examples], a method's influences, from other seeds.
        masks: bool.
    """
    counts = np.maximum(masks.sum(axis=1, keepdims=True), 1)

    def centred(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = np.where(masks, values, 0).sum(axis=1, keepdims=True) / counts
        return mean, np.where(masks, values - mean, 0)

    _, of_scores = centred(scores)
    mean, of_effects = centred(effects.mean(axis=0))
    spread = float((of_scores**2).sum())
    slope = float((of_scores * of_effects).sum()) / spread if spread > 0 else 0.0
    rest = of_effects - slope * of_scores
    total = float((rest**2).sum()) / max(int(masks.sum()) - len(masks) - 1, 1)
    noise = float(effects.var(axis=0, ddof=1)[masks].mean()) / len(effects) if len(effects) > 1 else total
    weight = max(total - noise, 0.0) / total if total > 0 else 0.0
    return np.where(masks, mean + slope * of_scores + weight * rest, 0)


def screened_effects(
    scores: np.ndarray,
    effects: np.ndarray,
    masks: np.ndarray,
    candidates: int,
    *,
    blended: bool = False,
    num_splits: int = 10,
) -> np.ndarray:
    """Screen, then retrain: the mean effect of the chosen example, by how many seeds are retrained.

    The method's first `candidates` of each query are left out in turn, in r trainings each; the one with the
    largest mean effect is chosen, and valued by seeds that had no part in the choice.

    Args:
        scores: the influences of the method that proposes.
        effects: [num_seeds, num_queries, num_examples].
        masks: which examples may be proposed.
        candidates: how many are proposed.
        blended: choose by the means and the scores together (see shrunken), not by the means alone.
        num_splits: how often the seeds are split into random halves: one is retrained, the other values.

    Returns:
        [num_seeds // 2 + 1]: the effect without retraining (of the method's first example), and with r = 1, 2, ...
        retrainings of each candidate.
    """
    half = len(effects) // 2
    ranked = np.argsort(-np.where(masks, scores, -np.inf), axis=1, kind="stable")[:, :candidates]
    possible = np.take_along_axis(masks, ranked, axis=1)
    proposed = np.take_along_axis(effects, ranked[None], axis=2)
    own = np.take_along_axis(scores, ranked, axis=1)
    generator = np.random.default_rng(0)
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
    """LDS [num_queries]: Spearman's correlation, over subsets, of the sum of influences with the retrained output.

    LDS, the linear datamodeling score, is Definition 2.4 of Park et al. (2023), "TRAK".

    Args:
        scores: [num_queries, num_examples].
        subsets: [num_subsets, num_examples], bool.
        outputs: [num_subsets, num_queries], mean predictions of trainings on each subset.

    Raises:
        InputError: if a query's scores are all the same.
    """
    if not (np.ptp(scores, axis=1) > 0).all():
        raise InputError(f"the scores of query {int(np.argmin(np.ptp(scores, axis=1)))} are all the same.")
    return agreement.spearman_rows((subsets.astype(np.float64) @ scores.T).T, outputs.T)


def ceilings(truth: Truth, masks: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The correlations that an exact method would reach, by stratum; see agreement.reliability."""
    names = ("half", "reliability", "ceiling")
    return [{"stratum": name, **agreement.reliabilities(truth.effects, mask, *names)} for name, mask in masks.items()]


def method_rows(
    name: str, truth: Truth, masks: Mapping[str, np.ndarray], scores: Scores, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Makes a row for each size of ensemble: correlations by stratum, captured effects of adjacent examples."""
    halves = truth.effects[0::2].mean(axis=0), truth.effects[1::2].mean(axis=0)
    rows = []
    for size in sorted({size for size in SIZES if size < len(seeds)} | {len(seeds)}):
        groups = ensembles(scores, name, seeds, size)
        row: dict[str, Any] = {"method": name, "trainings": size, "groups": len(groups)}
        for stratum, mask in masks.items():
            for coefficient, function in agreement.COEFFICIENTS.items():
                found = agreement.mean_correlation(np.stack(groups), truth.expected, mask, function)
                row[f"{coefficient}, {stratum}"] = found
        for k in TOP:
            captured = [captured_effect(group, truth.expected, halves, masks["adjacent"], k) for group in groups]
            row[f"captured, {k}"] = float(np.mean(captured))
        rows.append(row)
    return rows


def lds_rows(
    names: Sequence[str], scores: Scores, seeds: Sequence[int], subsets: np.ndarray, outputs: np.ndarray
) -> dict[str, Any]:
    """Makes rows of every method's LDS, of one training and of all, beside the LDS that noise allows."""
    everything = np.ones(outputs.shape[1:][::-1], bool)
    reliability = agreement.reliability(outputs.transpose(0, 2, 1), everything, agreement.spearman_rows)
    mean = outputs.mean(axis=0)
    rows = []
    for name in names:
        for size in sorted({1, len(seeds)}):
            groups = ensembles(scores, name, seeds, size)
            per_query = np.mean([linear_datamodeling_score(group, subsets, mean) for group in groups], axis=0)
            rows.append({"method": name, "trainings": size, "lds": agreement.mean_over_queries(per_query)})
    return {**{name: reliability[name] for name in ("reliability", "ceiling")}, "rows": rows}


def shuffled_rows(
    names: Sequence[str], truth: Truth, mask: np.ndarray, shuffled: Sequence[tuple[Scores, int]]
) -> list[dict[str, Any]]:
    """Makes rows of methods on models whose training tails were shuffled: none may correlate (Adebayo et al. 2018).

    The interval is Student's, over shuffles (queries share a model). It is None for a method that ranks nothing there.
    """
    rows: list[dict[str, Any]] = []
    for name in names:
        try:
            groups = [ensembles(scores, name, [seed], 1)[0] for scores, seed in shuffled]
            found = [agreement.mean_correlation(group, truth.expected, mask) for group in groups]
            rows.append({"method": name, "spearman": mean_interval([mean for mean, _, _ in found])})
        except DamagedError:
            raise
        except InputError as error:
            rows.append({"method": name, "spearman": None, "why": error.on_command_line})
    return rows


def own_rows(
    names: Sequence[str],
    truth: Truth,
    masks: Mapping[str, np.ndarray],
    own: Scores,
    other: Scores,
    own_seeds: Sequence[int],
    seeds: Sequence[int],
) -> list[dict[str, Any]]:
    """Compares one training's explanation with the effects on that training, and counts PD% of its first example.

    PD% (Lawrence et al. 2021) says how often the prediction falls without the example. It is also given for the
    ensemble's first example, and for the example with the largest effect over the other atlas seeds.
    """

    def falls(scores: np.ndarray, effects: np.ndarray) -> float:
        return float((top_k_effects(scores, effects, masks["adjacent"], 1) > 0).mean())

    rows: list[dict[str, Any]] = []
    of_own = truth.effects[: len(own_seeds)]
    for name in (name for name in names if name not in COMBINED):
        ensemble, scores = (
            ensembles(other, name, seeds, len(seeds))[0],
            np.stack([own(name, seed) for seed in own_seeds]),
        )
        correlations = {
            f"spearman, {stratum}": agreement.mean_correlation(scores, of_own, mask) for stratum, mask in masks.items()
        }
        pd_own = [falls(*both) for both in zip(scores, of_own, strict=True)]
        pd_ensemble = [falls(ensemble, effects) for effects in truth.effects]
        rows.append({"method": name, **correlations, "pd_own": pd_own, "pd_ensemble": pd_ensemble})
    others = [np.delete(truth.effects, place, axis=0).mean(axis=0) for place in range(len(truth.effects))]
    best = [falls(*both) for both in zip(others, truth.effects, strict=True)]
    return [*rows, {"method": "the other seeds' retrainings", "pd_ensemble": best}]


def screen_rows(
    names: Sequence[str], truth: Truth, mask: np.ndarray, scores: Scores, seeds: Sequence[int], candidates: int
) -> dict[str, Any]:
    """Screen, then retrain: the mean effect of the chosen example, by retrainings of each candidate.

    Beside it stands the best of all examples of the mask, chosen by half of the atlas's seeds and valued by the other.
    """
    half = len(truth.effects) // 2
    halves = truth.effects[:half].mean(axis=0), truth.effects[half:].mean(axis=0)
    rows = []
    for name in (name for name in SCREENS if name in names):
        group = ensembles(scores, name, seeds, len(seeds))[0]
        for blended in (False, True):
            effects = screened_effects(group, truth.effects, mask, candidates, blended=blended)
            rows.append({"method": name, "blended": blended, "effects": effects.tolist()})
    return {"exhaustive": float(best_k_effects(halves, mask, 1).mean()), "candidates": candidates, "rows": rows}


def blend_rows(
    names: Sequence[str], truth: Truth, mask: np.ndarray, scores: Scores, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Compares a few retrainings, alone and blended with a method's scores, with the effects over the other seeds."""
    half = len(truth.effects) // 2
    measured, rest = truth.effects[:half], truth.effects[half:]
    ceiling = agreement.reliability(rest, mask, agreement.spearman_rows)["ceiling"]
    rows = []
    for spent in sorted({1, 2, 5, half} & set(range(1, half + 1))):
        candidates = {"retrainings alone": measured[:spent].mean(axis=0)}
        for name in (name for name in (*SCREENS[1:], *COMBINED) if name in names):
            candidates[name] = shrunken(measured[:spent], ensembles(scores, name, seeds, len(seeds))[0], mask)
        for name, found in candidates.items():
            spearman = agreement.mean_correlation(found, rest.mean(axis=0), mask)
            rows.append({"method": name, "retrainings": spent, "spearman": spearman, "ceiling": ceiling})
    return rows
