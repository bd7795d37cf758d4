"""Influences that methods compute, beside what removing one example of each prediction really changes (RQ1)."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explanation
from gr_tf.evaluation.leave_one_out import paired_effects
from gr_tf.evaluation.statistics import pearson, reliability, slope, spearman
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

# How often a retraining is looked at.
_LOOKS = 8


def compare(
    trained: Trained,
    explained: Mapping[str, Sequence[Explanation[Any]]],
    choosing: str,
    *,
    seeds: Sequence[int],
    length: int,
    journal: pathlib.Path,
    jobs: int,
) -> dict[str, Any]:
    """Removes the example of the largest |influence| of each prediction, and compares.

    Args:
        trained: of a task whose checks go on from the trained model, with a length in steps.
        explained: the same predictions by several methods, by name.
        choosing: the method whose influences choose what to remove.
        seeds: of the batches of the retrainings.
        length: of a retraining, in steps.
        journal, jobs: see retraining.outcomes_of.

    Returns:
        For result.json: "agreement" of each method, "observed_reliability", and "points", one a prediction; of each
        the removed example under "removed".
    """
    queries = [explanation.query for explanation in explained[choosing]]
    removed = [int(explanation.by_size().example_ids[0]) for explanation in explained[choosing]]
    looks = looks_of(trained.task, length, _LOOKS)
    removals = {example: [place for place, other in enumerate(removed) if other == example] for example in removed}
    found = paired_effects(trained, queries, removals, seeds, looks, journal, jobs)
    # [num_queries, num_seeds, num_looks]
    effects = np.stack([found[example][removals[example].index(place)] for place, example in enumerate(removed)])
    observed = effects.mean(axis=1)
    points = []
    for i, (explanation, example, in_the_end) in enumerate(
        zip(explained[choosing], removed, effects[:, :, -1], strict=True)
    ):
        of_methods = {method: explanations[i] for method, explanations in explained.items()}
        points.append(
            {
                "prediction": explanation.prediction,
                "num_related": len(explanation.example_ids),
                "removed": example,
                "observed": float(in_the_end.mean()),
                "standard_error": float(in_the_end.std(ddof=1) / np.sqrt(len(seeds))) if len(seeds) > 1 else None,
                "computed": {
                    method: float(one.influences[one.example_ids == example][0]) for method, one in of_methods.items()
                },
                "systems": {
                    method: [dataclasses.asdict(system) for system in one.systems] for method, one in of_methods.items()
                },
            }
        )
    agreement = {}
    for method, explanations in explained.items():
        values = [point["computed"][method] for point in points]
        agreement[method] = {
            "correlations": _correlations(values, observed[:, -1]),
            "by_steps": [{"steps": steps, **_correlations(values, observed[:, i])} for i, steps in enumerate(looks)],
            # Predictions with a system to be doubted.
            "negative_curvature": sum(any(one.negative_curvature for one in of.systems) for of in explanations),
            "unsolved": sum(not all(one.converged for one in of.systems) for of in explanations),
        }
    return {"agreement": agreement, "observed_reliability": reliability(effects[:, :, -1]), "points": points}


def looks_of(task: Task[Any], length: int, times: int) -> list[int]:
    """After how many steps a retraining is looked at: `times` equal parts, in whole blocks, and the end."""
    ends = np.array([block.first + block.count for block in task.steps.blocks(length)])
    parts = {int(ends[ends <= length * part // times].max(initial=0)) for part in range(1, times)}
    return [*sorted(parts - {0}), length]


def _correlations(computed: Sequence[float], observed: np.ndarray) -> dict[str, Any]:
    measures = {"pearson": pearson, "spearman": spearman, "slope": slope}
    return {name: dataclasses.asdict(measure(computed, observed.tolist())) for name, measure in measures.items()}
