"""Compares methods with the truth of data at real size: examples that are left out, and random halves of the data."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution import best, methods
from gr_tf.data.sources import public_name
from gr_tf.errors import InputError, argument
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import packed, unpacked
from gr_tf.evaluation.atlas_scores import FittedOnOthers
from gr_tf.evaluation.compared import Scored, Scores, compared
from gr_tf.evaluation.fidelity import half_subsets, linear_datamodeling_score
from gr_tf.evaluation.fidelity_stage import FIRST_SUBSET_SEED
from gr_tf.evaluation.large_truth import chosen_examples, chosen_queries, effects_together
from gr_tf.evaluation.leave_one_out import values_by_seed
from gr_tf.evaluation.prices import FIRST_SEED, SHAPE_ROWS
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task
from gr_tf.types import Ids

NAME = "fidelity"
# Which of a query's examples are compared, and the other truth.
ALL, NAMED, DRAWN, HALVES = "all left out", "named ones", "random ones", "halves (LDS)"
_RANDOM = "nh"
BEST = "best, of these trainings"
# By truth, the correlations [num_queries] of a method's scores; None if it ranks nothing there.
_Correlations = dict[str, np.ndarray | None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of the comparison.

    Attributes:
        queries: how many predictions are explained.
        query_seed: draws them, and the random examples.
        first: how many examples of each query are left out that the methods together rank first.
        drawn: how many random related ones.
        seeds: by how many seeds each is left out; at least 4.
        explained: how many trainings of other seeds the methods explain.
        halves: how many random halves of the training examples.
        half_seeds: by how many seeds the model is trained on each; at least 2.
    """

    queries: int = 20
    query_seed: int = 0
    first: int = 20
    drawn: int = 20
    seeds: int = 12
    explained: int = 5
    halves: int = 100
    half_seeds: int = 5

    def check(self, task: Task[Any]) -> None:
        """
        Raises:
            InputError: if there are too few seeds, or a seed would serve twice.
        """
        flags = {"seeds": "truth_seeds"}
        for name, least in {
            "queries": 2,
            "seeds": 4,
            "half_seeds": 2,
            "first": 3,
            "drawn": 3,
            "explained": 1,
            "halves": 3,
        }.items():
            if getattr(self, name) < least:
                raise InputError(
                    f"{argument(name, flag=flags.get(name, name))} must be at least {least}; got {getattr(self, name)}."
                )
        first = task.config.seed
        uses = [
            range(first, first + self.seeds),
            range(FIRST_SEED, FIRST_SEED + self.explained),
            range(FIRST_SUBSET_SEED, FIRST_SUBSET_SEED + self.half_seeds),
        ]
        if len(set().union(*uses)) < sum(map(len, uses)):
            raise InputError(f"a seed would serve twice: take another {argument('seed')}.")


def measure(
    task: Task[Any],
    run_dir: pathlib.Path,
    sizes: Sizes,
    *,
    names: Sequence[str] | None = None,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Trains what is missing, writes fidelity/result.json, and returns what it holds.

    Args:
        task: the trainings' task; its seed is the first of the truth.
        run_dir: the folder of the results.
        sizes: how much is measured.
        names: the methods to compare; None: all that serve the task.
        jobs: trainings at a time; they change no result.
        overwrite: drop what was written.

    Raises:
        InputError: see Sizes.check and large_truth.chosen_queries; or if no method serves.
    """
    sizes.check(task)
    task.steps  # noqa: B018  (refuses what cannot be trained, before a folder is there)
    known = compared(task.kind)
    if unknown := [name for name in names or () if name not in known]:
        raise InputError(f"{argument('methods')} must be of {', '.join(known)}; got {unknown[0]}.")
    asks = {name: known[name] for name in known if names is None or name in names or name == _RANDOM}
    settings = {
        "dataset": task.dataset.name,
        "checksum": task.dataset.checksum,
        "split": task.dataset.split and task.dataset.split.to_dict(),
        "config": task.config.to_dict(),
        "queries": [sizes.queries, sizes.query_seed, sizes.first + sizes.drawn],
    }
    seeds, explained = range(task.config.seed, task.config.seed + sizes.seeds), _explained(sizes)
    with RunDir.begin(run_dir / "trainings", settings, overwrite=overwrite, reuse=True) as stage:
        queries = _queries(stage.place("queries"), task, sizes)
        scored = Scored(stage.place("explained"), task.seeded, queries, asks).compute(explained)
        serve = [name for name in asks if name not in scored.refused]
        examples = _examples(stage, task, queries, scored, serve, sizes)
        left_out = stage.place(f"left_out{sizes.first}")
        effects = effects_together(left_out, task.seeded, seeds, queries, examples, jobs)
        subsets = half_subsets(task.num_examples, sizes.halves, sizes.query_seed)
        half_seeds = range(FIRST_SUBSET_SEED, FIRST_SUBSET_SEED + sizes.half_seeds)
        of_halves = values_by_seed(
            stage.place(f"halves{sizes.halves}"),
            task.seeded,
            half_seeds,
            queries,
            [np.flatnonzero(~inside) for inside in subsets],
            jobs,
            lambda values: {"outputs": values.T},
        )
        outputs = np.stack([arrays["outputs"] for arrays in of_halves])
        places = [left_out / f"seed{seed}" for seed in seeds]
        places += [scored.place(name, seed) for name in asks for seed in explained]
    asked = {
        **settings,
        "methods": list(asks),
        "sizes": dataclasses.asdict(sizes),
        "trainings_fingerprint": files.fingerprint(*places),
    }
    with RunDir.begin(run_dir / NAME, asked, overwrite=overwrite, replace=True, reuse=True) as stage:
        if not stage.is_finished:
            truth = LargeTruth(task, queries, examples, effects, sizes.first, subsets, outputs)
            qualities = [scored.meta(_RANDOM, seed)["quality"] for seed in explained]
            stage.finish(
                {
                    "public_name": public_name(getattr(task.dataset, "checksums", {})),
                    "queries": [list(task.names_of(query)) for query in queries],
                    "mean_on_halves": outputs.mean(axis=(0, 1)).tolist(),
                    "mean_effect": float(np.abs(effects).mean()),
                    "mean_expected_effect": float(np.abs(effects.mean(axis=0)).mean()),
                    "quality": {
                        part: {metric: [one[part][metric] for one in qualities] for metric in qualities[0][part]}
                        for part in qualities[0]
                        if qualities[0][part]
                    },
                    "ceilings": truth.ceilings(),
                    "rows": truth.rows(scored, serve, explained),
                    "refused": scored.refused,
                    "warnings": scored.warnings(serve, explained),
                }
            )
        return dict(stage.result())


def _explained(sizes: Sizes) -> range:
    return range(FIRST_SEED, FIRST_SEED + sizes.explained)


def _queries(folder: pathlib.Path, task: Task[Any], sizes: Sizes) -> list[Any]:
    """The queries: predictions of the test examples by the first explained training."""
    told = task.seeded(FIRST_SEED).train().parameters if not folder.exists() else None
    if told is not None:
        candidates = [one.query for one in task.test_predictions(told)]
        chosen = chosen_queries(task, candidates, sizes.queries, sizes.first + sizes.drawn, sizes.query_seed)
        files.write_arrays(folder, {"queries": packed(chosen)})
    return unpacked(files.read_arrays(folder)[0]["queries"], task.query_class)


def _examples(
    stage: RunDir, task: Task[Any], queries: Sequence[Any], scored: Scored, serve: Sequence[str], sizes: Sizes
) -> Ids:
    """The examples that are left out, [num_queries, n]; as they were chosen first, whatever methods came later."""
    folder = stage.place(f"examples{sizes.first}")
    if not folder.exists():
        explained = _explained(sizes)
        means = {name: np.mean([scored(name, seed) for seed in explained], axis=0) for name in serve if name != _RANDOM}
        counts = {"first": sizes.first, "drawn": sizes.drawn, "seed": sizes.query_seed}
        files.write_arrays(folder, {"examples": chosen_examples(task, queries, means, **counts)})
    examples: Ids = files.read_arrays(folder)[0]["examples"]
    return examples


@dataclasses.dataclass(frozen=True, eq=False)
class LargeTruth:
    """What was measured.

    Attributes:
        task, queries: what was asked.
        examples: [num_queries, n], left out one after the other; from place `first` on random ones.
        effects: [num_seeds, num_queries, n].
        subsets: bool [num_subsets, num_examples].
        outputs: [num_seeds, num_subsets, num_queries].
    """

    task: Task[Any]
    queries: Sequence[Any]
    examples: Ids
    effects: np.ndarray
    first: int
    subsets: np.ndarray
    outputs: np.ndarray

    def ceilings(self) -> dict[str, dict[str, Any]]:
        """How certain each truth is; see agreement.reliability."""
        found = {
            name: agreement.reliability(self.effects, mask, agreement.spearman_rows)
            for name, mask in self._masks().items()
        }
        everything = np.ones(self.outputs.shape[1:][::-1], bool)
        return found | {
            HALVES: agreement.reliability(self.outputs.transpose(0, 2, 1), everything, agreement.spearman_rows)
        }

    def rows(self, scored: Scores, names: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
        """A row for each method, one training and all of them: correlations, and how much they exceed the default's."""
        default = methods.method_of(self.task.kind, None).name
        ordered = [default, *(name for name in names if name != default)] if default in names else list(names)
        rows: list[dict[str, Any]] = []
        for name in ordered:
            each = np.stack([scored(name, seed) for seed in seeds])
            parts = {1: each, len(seeds): each.mean(axis=0, keepdims=True)}
            for count, scores in parts.items():
                rows.append({"method": name, "trainings": count, "found": self._correlations(scores)})
            if name == "replay":
                rows += self._blended(each)
        rows += self._shape_rows()
        first = {row["trainings"]: row["found"] for row in rows if row["method"] == default}
        return [
            {
                "method": row["method"],
                "trainings": row["trainings"],
                **self._told(row["found"], first.get(row["trainings"], {})),
            }
            for row in rows
        ]

    def _told(self, found: _Correlations, reference: _Correlations) -> dict[str, Any]:
        """Means and intervals; and of the differences from the reference, if it is another."""
        told: dict[str, Any] = {
            name: None if values is None else agreement.mean_over_queries(values) for name, values in found.items()
        }
        if reference and reference is not found:
            told["beyond"] = {
                name: agreement.mean_over_queries(values - other)
                for name, values in found.items()
                if values is not None and (other := reference[name]) is not None
            }
        return told

    def _masks(self) -> dict[str, np.ndarray]:
        """Which of the left out examples are compared."""
        everything = np.ones(self.examples.shape, bool)
        drawn = everything.copy()
        drawn[:, : self.first] = False
        return {ALL: everything, NAMED: ~drawn, DRAWN: drawn}

    def _correlations(self, scores: np.ndarray) -> _Correlations:
        """Spearman's correlations of scores [m, num_queries, num_examples], meaned over m."""
        chosen = np.take_along_axis(scores, self.examples[None], axis=2)
        expected, outputs = self.effects.mean(axis=0), self.outputs.mean(axis=0)
        found = {
            name: _unless_it_ranks_nothing(
                functools.partial(agreement.per_query, chosen, expected, mask, agreement.spearman_rows)
            )
            for name, mask in self._masks().items()
        }
        lds = functools.partial(linear_datamodeling_score, subsets=self.subsets, outputs=outputs)
        return found | {HALVES: _unless_it_ranks_nothing(lambda: np.stack(list(map(lds, scores))))}

    def _blended(self, replayed: np.ndarray) -> list[dict[str, Any]]:
        """What `best` makes of whole trainings: replay blended with the data's likeness, learnt without any truth."""
        try:
            learnt = best.learn(self.task, self.queries, replayed)
            values = [
                best.expected(self.task, query, replayed[:, place], learnt)[0]
                for place, query in enumerate(self.queries)
            ]
        except InputError:
            return []
        return [{"method": BEST, "trainings": len(replayed), "found": self._correlations(np.stack(values)[None])}]

    def _shape_rows(self) -> list[dict[str, Any]]:
        """What the data alone say, with weights of other queries' examples; none if likeness is unknown."""
        try:
            features = [best.centred_likeness(self.task, query) for query in self.queries]
        except InputError:
            return []
        of_examples = np.stack([of[ids] for of, ids in zip(features, self.examples, strict=True)])
        fitted = FittedOnOthers.of(of_examples, self.effects.mean(axis=0))
        scores = np.stack([fitted.score(place, of) for place, of in enumerate(features)])
        return [{"method": SHAPE_ROWS[0], "trainings": 0, "found": self._correlations(scores[None])}]


def _unless_it_ranks_nothing(correlate: Callable[[], np.ndarray]) -> np.ndarray | None:
    """The mean [num_queries] of correlations [m, num_queries], or None if the scores of a query are all the same."""
    try:
        found: np.ndarray = correlate().mean(axis=0)
    except InputError:
        return None
    return found
