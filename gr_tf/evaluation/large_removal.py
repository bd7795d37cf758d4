"""Does a prediction fall if what explains it is removed, all at once, from trainings that were not explained?

The explanation is the mean over some trainings; the trainings without it have other seeds. Each is compared with the
training of its seed with all examples (ROAR; Hooker et al. 2019, "A Benchmark for Interpretability Methods in Deep
Neural Networks"). What it does to the other predictions says whether the examples matter to the explained one or to
all.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.data.sources import public_name
from gr_tf.errors import InputError, argument
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import packed, unpacked
from gr_tf.evaluation.compared import Scored, asked_for, settings_of
from gr_tf.evaluation.method_names import is_variant
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.prices import FIRST_SEED
from gr_tf.evaluation.retraining import Retraining
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task
from gr_tf.tasks.test_predictions import balanced_sample
from gr_tf.types import Ids

NAME = "removal"
ANY = "any random ones"
# What others are compared with: random examples that share something with the question, and those most like it.
CONTROLS = ("nh", "overlap")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured.

    Attributes:
        queries: how many predictions are explained.
        query_seed: draws them, and random examples.
        removed: how many examples are removed, of each.
        explained: how many trainings the methods explain.
        seeds: by how many other seeds the model is trained without them.
    """

    queries: int = 20
    query_seed: int = 0
    removed: int = 500
    explained: int = 3
    seeds: int = 5

    def check(self, task: Task[Any]) -> None:
        """
        Raises:
            InputError: if a number is too small or too large, or a seed would serve twice.
        """
        for name, least in {"queries": 2, "removed": 1, "explained": 1, "seeds": 1}.items():
            if getattr(self, name) < least:
                flag = argument(name, flag={"seeds": "truth_seeds", "removed": "removed_of_each"}.get(name, name))
                raise InputError(f"{flag} must be at least {least}; got {getattr(self, name)}.")
        if self.removed >= task.num_examples:
            flag = argument("removed", flag="removed_of_each")
            raise InputError(f"{flag} must be below {task.num_examples}, the training examples; got {self.removed}.")
        if set(range(task.config.seed, task.config.seed + self.seeds)) & set(self.explained_seeds):
            raise InputError(f"a seed would serve twice: take another {argument('seed')}.")

    @property
    def explained_seeds(self) -> range:
        """The seeds of the trainings that are explained."""
        return range(FIRST_SEED, FIRST_SEED + self.explained)


def measure(
    task: Task[Any],
    run_dir: pathlib.Path,
    sizes: Sizes,
    *,
    names: Sequence[str] | None = None,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Trains what is missing, writes removal/result.json, and returns what it holds.

    Args:
        task: the trainings' task; its seed is the first of those that were not explained.
        run_dir: the folder of the results.
        sizes: how much is measured.
        names: the methods to compare, beside the controls; None: all that serve the task, without their variants.
        jobs: trainings at a time; they change no result.
        overwrite: drop what was written.

    Raises:
        InputError: see Sizes.check; or if a method is unknown, or too few predictions have enough related examples.
    """
    sizes.check(task)
    task.steps  # noqa: B018  (refuses what cannot be trained, before a folder is there)
    asks = asked_for(task.kind, names, CONTROLS)
    if names is None:
        asks = {name: ask for name, ask in asks.items() if not is_variant(name, asks)}
    settings = {
        **settings_of(task),
        **{name: getattr(sizes, name) for name in ("queries", "query_seed", "removed")},
    }
    # Before a folder is there, or anything is deleted: what is asked too much is refused.
    is_new = overwrite or not (run_dir / "removals" / "queries").exists()
    chosen = _chosen(task, sizes) if is_new else None
    with RunDir.begin(run_dir / "removals", settings, overwrite=overwrite, reuse=True) as stage:
        place = stage.place("queries")
        if not place.exists():
            queries, right = chosen or _chosen(task, sizes)
            files.write_arrays(place, {"queries": packed(queries), "right": np.array(right)})
        arrays, _ = files.read_arrays(place)
        queries = unpacked(arrays["queries"], task.query_class)
        scored = Scored(stage.place("explained"), task.seeded, queries, asks).compute(sizes.explained_seeds)
        found = {name: _strongest(scored, name, sizes) for name in asks if name not in scored.refused}
        removals = {name: ids for name, (ids, _) in found.items()} | {ANY: _at_random(task, sizes)}
        values = _values(task, queries, removals, stage.place("trainings.jsonl"), sizes, jobs)
        places = [place, *(scored.place(name, seed) for name in asks for seed in sizes.explained_seeds)]
    asked = {
        **settings,
        "methods": list(asks),
        "sizes": dataclasses.asdict(sizes),
        "trainings_fingerprint": files.fingerprint(*places),
    }
    with RunDir.begin(run_dir / NAME, asked, overwrite=overwrite, replace=True, reuse=True) as stage:
        if not stage.is_finished:
            whole = values.pop("")
            stage.finish(
                {
                    "public_name": public_name(getattr(task.dataset, "checksums", {})),
                    "queries": [list(task.names_of(query)) for query in queries],
                    "right": arrays["right"].tolist(),
                    "unit": task.unit,
                    "num_examples": task.num_examples,
                    "whole": whole.mean(axis=0).tolist(),
                    "quality": scored.qualities(CONTROLS[0], sizes.explained_seeds),
                    "rows": [
                        row
                        | {
                            "supporting": found[row["method"]][1] if row["method"] in found else None,
                            "of_answer": _share_of_answer(task, queries, removals[row["method"]]),
                        }
                        for row in rows(whole, values, relative=task.unit == "probability")
                    ],
                    "refused": scored.refused,
                    "warnings": scored.warnings([name for name in removals if name != ANY], sizes.explained_seeds),
                }
            )
        return dict(stage.result())


def rows(whole: np.ndarray, values: Mapping[str, np.ndarray], *, relative: bool) -> list[dict[str, Any]]:
    """A row for each method: how its removals change the predictions.

    Args:
        whole: [num_seeds, num_queries], the values with all examples.
        values: by method [num_seeds, num_queries, num_queries]: without the examples of the first query, of the second.
        relative: changes are of the natural logarithm; else of the value.

    Returns:
        For each "method": "fell", the share of predictions that fell; "change", of the explained predictions; and
        "others", of the others: each the mean and its 95% interval over explained predictions, which are averaged over
        seeds first. "beyond": by control, how much less "change" is than the control's.
    """
    level = np.log if relative else np.asarray
    own: dict[str, np.ndarray] = {}
    told: list[dict[str, Any]] = []
    for name, without in values.items():
        changes = level(without) - level(whole)[:, None, :]
        diagonal = np.diagonal(changes, axis1=1, axis2=2)
        own[name] = diagonal.mean(axis=0)
        others = (changes.sum(axis=2) - diagonal).mean(axis=0) / (changes.shape[2] - 1)
        told.append(
            {
                "method": name,
                "fell": agreement.mean_over_queries((diagonal < 0).mean(axis=0)),
                "change": agreement.mean_over_queries(own[name]),
                "others": agreement.mean_over_queries(others),
            }
        )
    for row in told:
        row["beyond"] = {
            control: agreement.mean_over_queries(own[row["method"]] - own[control])
            for control in (*CONTROLS, ANY)
            if control in own and control != row["method"]
        }
    return told


def _chosen(task: Task[Any], sizes: Sizes) -> tuple[list[Any], list[bool]]:
    """The explained predictions, of the test examples by the first explained training; and which are right."""
    predictions = task.test_predictions(task.seeded(FIRST_SEED).train().parameters)
    enough = [one for one in predictions if len(task.related(one.query)) >= sizes.removed]
    if len(enough) < sizes.queries:
        raise InputError(
            f"{argument('queries')} must be at most {len(enough)}: so many of the {len(predictions)} predictions have "
            f"{sizes.removed} related examples to remove ({argument('removed', flag='removed_of_each')}); got "
            f"{sizes.queries}."
        )
    found = balanced_sample(enough, sizes.queries, sizes.query_seed)
    return [one.query for one in found], [any(one.correct) for one in found]


def _strongest(scored: Scored, name: str, sizes: Sizes) -> tuple[list[Ids], float]:
    """The examples that a method ranks first for each query, by the mean over the explained trainings.

    Returns:
        The example ids; and how many of a query's have an influence above 0, on average.
    """
    means = np.mean([scored(name, seed) for seed in sizes.explained_seeds], axis=0)
    first = np.argsort(-means, axis=1, kind="stable")[:, : sizes.removed]
    supporting = (np.take_along_axis(means, first, axis=1) > 0).sum(axis=1)
    return list(np.sort(first, axis=1)), float(supporting.mean())


def _share_of_answer(task: Task[Any], queries: Sequence[Any], removals: Sequence[Ids]) -> float | None:
    """The share of the examples with a query's answer that is removed, on average; None: no query has an answer.

    Without any of these nobody could predict it, whatever else was removed.
    """
    if not task.has_alternatives:
        return None
    have = [task.have_answer(query, np.arange(task.num_examples)) for query in queries]
    shares = [of[ids].sum() / of.sum() for of, ids in zip(have, removals, strict=True) if of.any()]
    return float(np.mean(shares)) if shares else None


def _at_random(task: Task[Any], sizes: Sizes) -> list[Ids]:
    generator = np.random.default_rng((sizes.query_seed, sizes.removed))
    return [np.sort(generator.permutation(task.num_examples)[: sizes.removed]) for _ in range(sizes.queries)]


def _values(
    task: Task[Any],
    queries: Sequence[Any],
    removals: Mapping[str, Sequence[Ids]],
    journal: pathlib.Path,
    sizes: Sizes,
    jobs: int,
) -> dict[str, np.ndarray]:
    """The values [num_seeds, num_removals, num_queries] by method; under "" [num_seeds, num_queries], of no removal."""
    seeds = range(task.config.seed, task.config.seed + sizes.seeds)
    tasks = [task.seeded(seed) for seed in seeds]
    flat = [np.zeros(0, np.int64), *(ids for of in removals.values() for ids in of)]
    asked = [
        Retraining(
            task=one.reference,
            removed=tuple(ids.tolist()),
            length=one.length,
            seed=one.config.seed,
            measure="exact value",
            queries=tuple(queries),
        )
        for one in tasks
        for ids in flat
    ]
    outcomes = outcomes_of(tasks, asked, journal, jobs)
    found = np.array([outcome.measured for outcome in outcomes]).reshape(len(tasks), len(flat), len(queries))
    parts = np.split(found[:, 1:], len(removals), axis=1)
    return {"": found[:, 0], **dict(zip(removals, parts, strict=True))}
