"""Measures how faithful methods are on a sample: related examples of some predictions are left out in turn.

This is for data that are too large for an atlas. The truth comes from trainings from the initial values, or from
training on from one trained model.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explanation
from gr_tf.data.dataset import numbers_of
from gr_tf.errors import InputError, argument
from gr_tf.evaluation import agreement
from gr_tf.evaluation.compared import OneTraining, Scored, compared, settings_of, told
from gr_tf.evaluation.leave_one_out import effects_by_seed, paired_effects
from gr_tf.evaluation.statistics import pearson, reliability, slope, spearman
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

NAME = "fidelity"
# The first seed of the explained trainings, which are as many as the truth's.
FIRST_SEED = 10_000
# How often a retraining of `compare` is measured.
_LOOKS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Points:
    """Says which predictions and which examples the sample has.

    Attributes:
        num_points, point_seed: how many test points, and the seed that draws them.
        num_ratings: how many random related examples of each test point.
    """

    num_points: int = 10
    point_seed: int = 0
    num_ratings: int = 10

    def choose(self, task: Task[Any]) -> tuple[list[Any], Ids]:
        """The queries of random test points, and the example ids [num_points, num_ratings] of some related examples.

        Args:
            task: its kind's questions must not depend on the trained model.

        Raises:
            InputError: if there are too few test points, or a point has too few related examples.
        """
        queries = [one.query for one in task.test_predictions(task.initial_parameters)]
        if self.num_points > len(queries):
            told = argument("num_points", flag="points")
            raise InputError(f"{told} must be at most the {len(queries)} test points; got {self.num_points}.")
        generator = np.random.default_rng(self.point_seed)
        points = [queries[place] for place in generator.permutation(len(queries))[: self.num_points]]
        chosen = []
        for query in points:
            related = _in_drawing_order(task, query)
            if len(related) < self.num_ratings:
                raise InputError(
                    f"a test point has only {len(related)} related ratings; "
                    f"{argument('num_ratings', flag='ratings_a_point')} is {self.num_ratings}."
                )
            chosen.append(np.sort(generator.choice(related, self.num_ratings, replace=False)))
        return points, np.stack(chosen)


def _in_drawing_order(task: Task[Any], query: Any) -> Ids:
    """The related examples; those with the query's first id, such as its user, come first (as for our results)."""
    related, first = task.related(query), numbers_of(query)[0]
    others = [numbers_of(task.query_of(int(example_id)))[0] != first for example_id in related]
    return related[np.argsort(others, kind="stable")]


def of_one_model(
    task: Task[Any],
    run_dir: pathlib.Path,
    points: Points,
    num_retrainings: int,
    retraining_steps: int,
    *,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Trains on without each example, writes fidelity/result.json, and returns what it holds.

    Args:
        task: its kind's checks must go on from the trained model.
        run_dir: the run's folder; trains first if it has no training.
        points: which predictions and examples.
        num_retrainings, retraining_steps: how many retrainings of each example, and how long they are.
        jobs: retrainings at a time.
        overwrite: drop what is there.

    Raises:
        InputError: if the checks of the task train anew; see also Points.choose.
    """
    if not task.continues:
        raise InputError(f"this trains on from a trained model: it needs batches, {argument('batch_size')} above 1.")
    queries, chosen = points.choose(task)
    training.train(task, run_dir, overwrite=overwrite, reuse=True)
    trained = training.load(run_dir, task.dataset)
    asked = {"num_retrainings": num_retrainings, "retraining_steps": retraining_steps}
    settings = {**dataclasses.asdict(points), **asked, "train_fingerprint": trained.fingerprint}
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite, reuse=True) as stage:
        if not stage.is_finished:
            removed, journal = np.unique(chosen), stage.place("retrainings.jsonl")
            removals = dict.fromkeys(removed.tolist(), range(len(queries)))
            seeds, looks = range(num_retrainings), (retraining_steps,)
            by_example = paired_effects(trained, queries, removals, seeds, looks, journal, jobs)
            # [num_retrainings, num_points, num_ratings]
            effects = _of_chosen(np.stack([of[:, :, 0].T for of in by_example.values()], axis=-1), removed, chosen)
            masks, rows, refused = np.ones(chosen.shape, bool), [], {}
            one = OneTraining(trained, queries)
            for name, ask in compared(task.kind).items():
                scores, meta = told(ask, one, chosen)
                if scores is None:
                    refused[name] = meta["refused"]
                else:
                    found = {
                        coefficient: agreement.mean_correlation(scores, effects.mean(axis=0), masks, function)
                        for coefficient, function in agreement.COEFFICIENTS.items()
                    }
                    rows.append({"method": name, **found, **_doubts([meta])})
            certain = agreement.reliabilities(effects, masks, "reliability")
            stage.finish(
                {
                    "dataset": task.dataset.name,
                    "config": task.config.to_dict(),
                    "reliability": {name: of["reliability"] for name, of in certain.items()},
                    "mean_effect": float(np.abs(effects.mean(axis=0)).mean()),
                    "rows": rows,
                    "refused": refused,
                }
            )
        return dict(stage.result())


def over_seeds(
    task: Task[Any],
    run_dir: pathlib.Path,
    points: Points,
    num_seeds: int,
    *,
    methods: Sequence[str] | None = None,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Trains what is missing, writes fidelity{num_seeds}/result.json, and returns what it holds.

    The truth is measured as for an atlas: by trainings from their initial values, without each of some examples in
    turn, for every seed. The methods explain trainings of other seeds, and also those of the truth.

    Args:
        task: the trainings' task; its seed is the first of the truth.
        run_dir: the folder of the results.
        points: which predictions and examples.
        num_seeds: how many seeds the truth has, and how many trainings are explained; at least 4.
        methods: the methods to compare; None: all.
        jobs: retrainings at a time.
        overwrite: drop what was written.

    Raises:
        InputError: if there are too few seeds or they overlap; see Points.choose.
    """
    if num_seeds < 4:
        raise InputError(f"{argument('num_seeds')} must be at least 4, for two halves of the truth; got {num_seeds}.")
    seeds = range(task.config.seed, task.config.seed + num_seeds)
    explained = range(FIRST_SEED, FIRST_SEED + num_seeds)
    if set(seeds) & set(explained):
        raise InputError(
            f"seeds {FIRST_SEED} and up are those of the explained trainings: take another {argument('seed')}."
        )
    queries, chosen = points.choose(task)
    task.steps  # noqa: B018  (refuses what cannot be trained, before a folder is there)
    asks = compared(task.kind)
    asks = {name: asks[name] for name in (asks if methods is None else methods)}
    settings = {
        **settings_of(task),
        "points": dataclasses.asdict(points),
        "methods": list(asks),
    }
    with RunDir.begin(run_dir / "trainings", settings, overwrite=overwrite, reuse=True) as stage:
        removed = np.unique(chosen)
        effects = effects_by_seed(stage.place("truth"), task.seeded, seeds, queries, jobs, removed)
        effects = _of_chosen(effects, removed, chosen)
        scored, own = (
            Scored(stage.place(part), task.seeded, queries, asks, chosen, "float64").compute(of)
            for part, of in (("explained", explained), ("own", seeds))
        )
        refused = {**own.refused, **scored.refused}
        names = [name for name in asks if name not in refused]
        places = [stage.path / "truth" / f"seed{seed}" for seed in seeds]
        for part, of in ((scored, explained), (own, seeds)):
            places += [part.place(name, seed) for name in asks for seed in of]
        asked = {**settings, "num_seeds": num_seeds, "trainings_fingerprint": files.fingerprint(*places)}
    with RunDir.begin(run_dir / f"{NAME}{num_seeds}", asked, overwrite=overwrite, replace=True, reuse=True) as stage:
        if not stage.is_finished:
            qualities = [scored.meta(next(iter(asks)), seed)["quality"] for seed in explained]
            everything, rows = np.ones(chosen.shape, bool), []
            for name in names:
                of_others = np.stack([scored(name, seed) for seed in explained])
                of_own = np.stack([own(name, seed) for seed in seeds])
                doubts = _doubts([scored.meta(name, seed) for seed in explained])
                rows.append({"method": name, **correlations(of_others, of_own, effects), **doubts})
            stage.finish(
                {
                    "reliability": agreement.reliabilities(effects, everything, "one_seed", "reliability", "ceiling"),
                    "mean_effect": float(np.abs(effects).mean()),
                    "mean_expected_effect": float(np.abs(effects.mean(axis=0)).mean()),
                    # The first metric of each split.
                    "accuracy": {
                        part: [next(iter(quality[part].values())) for quality in qualities if quality[part]]
                        for part in qualities[0]
                    },
                    "rows": rows,
                    "refused": refused,
                }
            )
        return dict(stage.result())


def _of_chosen(effects: np.ndarray, removed: Ids, chosen: Ids) -> np.ndarray:
    """[num_seeds, num_points, num_ratings] from the effects [num_seeds, num_points, len(removed)]."""
    return np.take_along_axis(effects, np.searchsorted(removed, chosen)[None], axis=2)


def _doubts(metas: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Counts the doubtful linear systems behind a method's influences."""
    return {kind: sum(meta[kind] for meta in metas) for kind in ("negative_curvature", "unsolved")}


def correlations(scores: np.ndarray, own: np.ndarray, effects: np.ndarray) -> dict[str, Any]:
    """A method's mean correlations over points, with their intervals.

    Args:
        scores: [num_seeds, num_points, num_ratings], from the explained trainings.
        own: of the same shape, from the truth's own trainings.
        effects: of the same shape, the truth.

    Returns:
        For each coefficient, the correlations of one training's scores, and of the mean over trainings, with the
        expected effects, and of a training's scores with its own effects. Also the slope of the expected effects on
        the mean over trainings, for all points together: the effect of an influence of one star.
    """
    masks, expected = np.ones(effects.shape[1:], bool), effects.mean(axis=0)
    pairs = {"one": (scores, expected), "all": (scores.mean(axis=0), expected), "own": (own, effects)}
    found: dict[str, Any] = {
        name: {kind: agreement.mean_correlation(*both, masks, coefficient) for kind, both in pairs.items()}
        for name, coefficient in agreement.COEFFICIENTS.items()
    }
    line = slope(scores.mean(axis=0).ravel(), expected.ravel())
    return {**found, "slope": [line.r, line.low, line.high]}


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
    """Removes the example of the largest |influence| of each prediction, and compares (RQ1 of Cheng et al. 2019).

    Args:
        trained: the model; its task's checks go on from the trained model, with a length in steps.
        explained: the same predictions by several methods, by name.
        choosing: the method whose influences choose what to remove.
        seeds: the seeds of the retrainings' batches.
        length: the length of a retraining, in steps.
        journal, jobs: see outcomes.outcomes_of.

    Returns:
        For result.json: "agreement" of each method, "observed_reliability", and "points", one for each prediction, with
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
    points: list[dict[str, Any]] = []
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
            # How many predictions have a doubtful system.
            "negative_curvature": sum(any(one.negative_curvature for one in of.systems) for of in explanations),
            "unsolved": sum(not all(one.converged for one in of.systems) for of in explanations),
        }
    return {"agreement": agreement, "observed_reliability": reliability(effects[:, :, -1]), "points": points}


def looks_of(task: Task[Any], length: int, times: int) -> list[int]:
    """After how many steps a retraining is measured: after each of `times` equal parts, in whole blocks."""
    ends = np.array([block.first + block.count for block in task.steps.blocks(length)])
    parts = {int(ends[ends <= length * part // times].max(initial=0)) for part in range(1, times)}
    return [*sorted(parts - {0}), length]


def _correlations(computed: Sequence[float], observed: np.ndarray) -> dict[str, Any]:
    measures = {"pearson": pearson, "spearman": spearman, "slope": slope}
    return {name: dataclasses.asdict(measure(computed, observed.tolist())) for name, measure in measures.items()}
