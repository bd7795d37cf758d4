"""Influences that methods compute, beside what removing one example of each prediction really changes.

Cheng et al. (2019), Section 5.2: the model is trained on from the trained state with the example and without it.
Both trainings of a pair see the same batches in the same order, so that most of the noise of the batches cancels in
their difference.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explanation
from gr_tf.evaluation.correlation import pearson, reliability, slope, spearman
from gr_tf.evaluation.retraining import Retraining
from gr_tf.evaluation.retraining_journal import outcomes_of
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

# How often a retraining is looked at.
_LOOKS = 8


def compare(
    trained: Trained,
    explained: Mapping[str, Sequence[Explanation[Any]]],
    choosing: str,
    *,
    seeds: Iterable[int],
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
        journal, jobs: see retraining_journal.outcomes_of.

    Returns:
        For result.json: "agreement" of each method, "observed_reliability", and "points", one a prediction; of each
        the removed example under "removed".
    """
    queries = [explanation.query for explanation in explained[choosing]]
    removed = [int(explanation.by_size().example_ids[0]) for explanation in explained[choosing]]
    looks = looks_of(trained.task, length, _LOOKS)
    effects = effects_of_removals(trained, queries, removed, seeds, looks, journal, jobs)
    observed = effects.mean(axis=1)
    computed = {
        method: [
            float(explanation.influences[explanation.example_ids == example][0])
            for explanation, example in zip(explanations, removed, strict=True)
        ]
        for method, explanations in explained.items()
    }
    points = [
        {
            "prediction": explained[choosing][i].prediction,
            "num_related": len(explained[choosing][i].example_ids),
            "removed": removed[i],
            "observed": float(effects[i, :, -1].mean()),
            "standard_error": _standard_error(effects[i, :, -1]),
            "computed": {method: values[i] for method, values in computed.items()},
            "systems": {
                method: [dataclasses.asdict(system) for system in explanations[i].systems]
                for method, explanations in explained.items()
            },
        }
        for i in range(len(queries))
    ]
    agreement = {
        method: {
            "correlations": _correlations(values, observed[:, -1]),
            "by_steps": [{"steps": steps, **_correlations(values, observed[:, i])} for i, steps in enumerate(looks)],
            "negative_curvature": _count(points, method, lambda system: system["negative_curvature"]),
            "unsolved": _count(points, method, lambda system: not system["converged"]),
        }
        for method, values in computed.items()
    }
    return {"agreement": agreement, "observed_reliability": reliability(effects[:, :, -1]), "points": points}


def looks_of(task: Task[Any], length: int, times: int) -> list[int]:
    """After how many steps a retraining is looked at: `times` equal parts, in whole blocks, and the end."""
    ends = np.array([block.first + block.count for block in task.steps.blocks(length)])
    parts = {int(ends[ends <= length * part // times].max(initial=0)) for part in range(1, times)}
    return [*sorted(parts - {0}), length]


def effects_of_removals(
    trained: Trained,
    queries: Sequence[Any],
    removed: Sequence[int],
    seeds: Iterable[int],
    looks: Sequence[int],
    journal: pathlib.Path,
    jobs: int,
) -> np.ndarray:
    """The prediction with everything, less that without one example: [num_queries, num_seeds, num_looks].

    Args:
        trained: of a task whose checks go on from the trained model.
        queries: whose values are measured, in the precision of the training.
        removed: the example to remove of each query.
        seeds: of the batches.
        looks: after how many steps to measure; the last is the end.
        journal, jobs: see retraining_journal.outcomes_of.
    """
    places: dict[tuple[int, ...], list[int]] = {(): list(range(len(queries)))}
    for place, example in enumerate(removed):
        places.setdefault((int(example),), []).append(place)
    seeds = list(seeds)
    like: dict[str, Any] = {"length": looks[-1], "looks": tuple(looks)}
    asked = {
        (examples, seed): Retraining.of(trained, examples, "value", [queries[i] for i in of], seed=seed, **like)
        for examples, of in places.items()
        for seed in seeds
    }
    found = outcomes_of(trained, list(asked.values()), journal, jobs)
    # [looks, queries] each.
    values = {key: np.array(outcome.measured) for key, outcome in zip(asked, found, strict=True)}
    effects = np.empty((len(queries), len(seeds), len(looks)))
    for examples, of in places.items():
        for number, seed in enumerate(seeds):
            if examples:
                effects[of, number] = (values[(), seed][:, of] - values[examples, seed]).T
    return effects


def _standard_error(effects: np.ndarray) -> float | None:
    return float(effects.std(ddof=1) / np.sqrt(len(effects))) if len(effects) > 1 else None


def _correlations(computed: Sequence[float], observed: np.ndarray) -> dict[str, Any]:
    measures = {"pearson": pearson, "spearman": spearman, "slope": slope}
    return {name: dataclasses.asdict(measure(computed, observed.tolist())) for name, measure in measures.items()}


def _count(points: Sequence[Mapping[str, Any]], method: str, doubtful: Callable[[Mapping[str, Any]], bool]) -> int:
    """Predictions with a system to be doubted."""
    return sum(any(map(doubtful, point["systems"][method])) for point in points)
