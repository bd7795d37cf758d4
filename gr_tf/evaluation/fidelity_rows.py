"""The rows of fidelity's tables, as result.json keeps them: each protocol, for every method."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.errors import InputError
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import Truth
from gr_tf.evaluation.compared import COMBINED, SCREENS
from gr_tf.evaluation.fidelity import (
    best_k_effects,
    captured_effect,
    linear_datamodeling_score,
    screened_effects,
    top_k_effects,
)
from gr_tf.evaluation.intervals import mean_interval
from gr_tf.evaluation.scores import Scores, ensembles
from gr_tf.evaluation.shrinkage import shrunken

# Of ensembles.
SIZES = (1, 2, 5, 10, 20, 50)
TOP = (1, 10)
# Of agreement.strata, from the widest to the nearest.
STRATA = ("all", "adjacent", "shared >= 2")


def compared_strata(shared: np.ndarray) -> dict[str, np.ndarray]:
    """The masks of STRATA, as far as there are such examples.

    Args:
        shared: [num_queries, num_examples], see Dataset.shared_elements.

    Raises:
        InputError: if no query has three adjacent examples.
    """
    masks = {stratum: mask for stratum, mask in agreement.strata(shared).items() if stratum in STRATA}
    if "adjacent" not in masks:
        raise InputError("no query has three training examples that share something with it: nothing to compare.")
    return masks


def nearest(masks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of the examples that share most with the queries."""
    return list(masks.values())[-1]


def ceilings(truth: Truth, masks: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """How far an exact method's correlations would reach, by stratum; see agreement.Reliability."""
    rows = []
    for stratum, mask in masks.items():
        row: dict[str, Any] = {"stratum": stratum}
        for name, coefficient in agreement.COEFFICIENTS.items():
            told = agreement.Reliability.of(truth.effects, mask, coefficient)
            row[name] = {"half": told.half[0], "reliability": told.whole, "ceiling": told.ceiling}
        rows.append(row)
    return rows


def method_rows(
    name: str, truth: Truth, masks: Mapping[str, np.ndarray], scores: Scores, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """A row for each size of ensemble: correlations by stratum, captured effects of adjacent examples."""
    halves = truth.effects[0::2].mean(axis=0), truth.effects[1::2].mean(axis=0)
    rows = []
    for size in sorted({size for size in SIZES if size < len(seeds)} | {len(seeds)}):
        groups = ensembles(scores, name, seeds, size)
        row: dict[str, Any] = {"method": name, "trainings": size, "groups": len(groups)}
        for stratum, mask in masks.items():
            for coefficient, function in agreement.COEFFICIENTS.items():
                found = agreement.per_query(np.stack(groups), truth.expected, mask, function)
                per_query = found.mean(axis=0)
                row[f"{coefficient}, {stratum}"] = agreement.mean_over_queries(per_query)
        for k in TOP:
            row[f"captured, {k}"] = float(
                np.mean([captured_effect(group, truth.expected, halves, masks["adjacent"], k) for group in groups])
            )
        rows.append(row)
    return rows


def lds_rows(
    names: Sequence[str], scores: Scores, seeds: Sequence[int], subsets: np.ndarray, outputs: np.ndarray
) -> dict[str, Any]:
    """LDS of every method, of one training and of all, beside what noise allows."""
    everything = np.ones(outputs.shape[1:][::-1], bool)
    reliability = agreement.Reliability.of(outputs.transpose(0, 2, 1), everything, agreement.spearman_rows)
    mean = outputs.mean(axis=0)
    rows = []
    for name in names:
        for size in sorted({1, len(seeds)}):
            groups = ensembles(scores, name, seeds, size)
            per_query = np.mean([linear_datamodeling_score(group, subsets, mean) for group in groups], axis=0)
            rows.append({"method": name, "trainings": size, "lds": agreement.mean_over_queries(per_query)})
    return {"reliability": reliability.whole, "ceiling": reliability.ceiling, "rows": rows}


def shuffled_rows(
    names: Sequence[str], truth: Truth, masks: Mapping[str, np.ndarray], shuffled: Sequence[tuple[Scores, int]]
) -> list[dict[str, Any]]:
    """The same methods on models whose training tails were shuffled: nothing may be left (Adebayo et al. 2018).

    The interval is Student's, over shuffles (queries share a model). None for a method that ranks nothing there.
    """
    rows: list[dict[str, Any]] = []
    for name in names:
        means: list[float] = []
        try:
            for scores, seed in shuffled:
                (group,) = ensembles(scores, name, [seed], 1)
                per_query = agreement.per_query(group, truth.expected, nearest(masks), agreement.spearman_rows)
                means.append(agreement.mean_over_queries(per_query)[0])
            rows.append({"method": name, "spearman": mean_interval(means)})
        except InputError as error:
            rows.append({"method": name, "spearman": None, "why": str(error)})
    return rows


def own_rows(
    names: Sequence[str],
    truth: Truth,
    masks: Mapping[str, np.ndarray],
    own: Scores,
    other: Scores,
    atlas_seeds: Sequence[int],
    seeds: Sequence[int],
) -> list[dict[str, Any]]:
    """One training's explanation against the effects on that very training, and PD% of its first example.

    PD% (Lawrence et al. 2021): how often the prediction falls without it. Beside that of the ensemble's first
    example, and of the one that the other atlas seeds show to do most.
    """
    mask, rows = masks["adjacent"], []
    for name in (name for name in names if name not in COMBINED):
        (ensemble,) = ensembles(other, name, seeds, len(seeds))[:1]
        row: dict[str, Any] = {"method": name}
        for stratum, of_stratum in masks.items():
            per_query = np.mean(
                [
                    agreement.per_query(own(name, seed), effects, of_stratum, agreement.spearman_rows)
                    for seed, effects in zip(atlas_seeds, truth.effects, strict=False)
                ],
                axis=0,
            )
            row[f"spearman, {stratum}"] = agreement.mean_over_queries(per_query)
        row["pd_own"] = [
            float((top_k_effects(own(name, seed), effects, mask, 1) > 0).mean())
            for seed, effects in zip(atlas_seeds, truth.effects, strict=False)
        ]
        row["pd_ensemble"] = [
            float((top_k_effects(ensemble, effects, mask, 1) > 0).mean()) for effects in truth.effects
        ]
        rows.append(row)
    best = []
    for place, effects in enumerate(truth.effects):
        rest = np.delete(truth.effects, place, axis=0).mean(axis=0)
        best.append(float((top_k_effects(rest, effects, mask, 1) > 0).mean()))
    rows.append({"method": "the other seeds' retrainings", "pd_ensemble": best})
    return rows


def screen_rows(
    names: Sequence[str], truth: Truth, mask: np.ndarray, scores: Scores, seeds: Sequence[int], candidates: int
) -> dict[str, Any]:
    """Screen, then retrain: the mean effect of the example chosen, by retrainings of each of the candidates.

    Beside that of the best by half of the atlas's seeds, of all examples of the mask, valued by the other half.
    """
    half = len(truth.effects) // 2
    halves = truth.effects[:half].mean(axis=0), truth.effects[half:].mean(axis=0)
    rows = []
    for name in (name for name in SCREENS if name in names):
        (group,) = ensembles(scores, name, seeds, len(seeds))[:1]
        for blended in (False, True):
            effects = screened_effects(group, truth.effects, mask, candidates, blended=blended)
            rows.append({"method": name, "blended": blended, "effects": effects.tolist()})
    return {"exhaustive": float(best_k_effects(halves, mask, 1).mean()), "candidates": candidates, "rows": rows}


def blend_rows(
    names: Sequence[str], truth: Truth, mask: np.ndarray, scores: Scores, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """What a few retrainings measured, alone and blended with a method's scores; against the other seeds."""
    half = len(truth.effects) // 2
    measured, rest = truth.effects[:half], truth.effects[half:]
    reliability = agreement.Reliability.of(rest, mask, agreement.spearman_rows)
    rows = []
    for spent in sorted({1, 2, 5, half} & set(range(1, half + 1))):
        candidates = {"retrainings alone": measured[:spent].mean(axis=0)}
        for name in (name for name in (*SCREENS[1:], *COMBINED) if name in names):
            (group,) = ensembles(scores, name, seeds, len(seeds))[:1]
            candidates[name] = shrunken(measured[:spent], group, mask)
        for name, found in candidates.items():
            spearman = agreement.per_query(found, rest.mean(axis=0), mask, agreement.spearman_rows)
            mean, low, high = agreement.mean_over_queries(spearman)
            rows.append(
                {
                    "method": name,
                    "retrainings": spent,
                    "spearman": [mean, low, high],
                    "ceiling": reliability.ceiling,
                }
            )
    return rows
