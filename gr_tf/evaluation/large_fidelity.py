"""Compares methods with the truth of data at real size: examples that are left out, and random halves of the data."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.data.sources import public_name
from gr_tf.errors import InputError, argument
from gr_tf.evaluation.atlas import packed, unpacked
from gr_tf.evaluation.compared import Scored, asked_for, settings_of
from gr_tf.evaluation.fidelity import half_subsets
from gr_tf.evaluation.fidelity_stage import FIRST_SUBSET_SEED
from gr_tf.evaluation.large_rows import LargeTruth
from gr_tf.evaluation.large_truth import chosen_examples, chosen_queries, effects_together
from gr_tf.evaluation.leave_one_out import values_by_seed
from gr_tf.evaluation.method_names import is_variant
from gr_tf.evaluation.prices import FIRST_SEED
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task
from gr_tf.types import Ids

NAME = "fidelity"
_RANDOM = "nh"


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
    asks = asked_for(task.kind, names, (_RANDOM,))
    settings = {
        **settings_of(task),
        **{name: getattr(sizes, name) for name in ("queries", "query_seed", "first", "drawn")},
    }
    seeds, explained = range(task.config.seed, task.config.seed + sizes.seeds), _explained(sizes)
    # What is asked too much is refused before anything is deleted.
    chosen = _chosen(task, sizes) if overwrite else None
    with RunDir.begin(run_dir / "trainings", settings, overwrite=overwrite, reuse=True) as stage:
        of_queries = stage.place("queries")
        if not of_queries.exists():
            files.write_arrays(of_queries, {"queries": packed(chosen or _chosen(task, sizes))})
        queries = unpacked(files.read_arrays(of_queries)[0]["queries"], task.query_class)
        scored = Scored(stage.place("explained"), task.seeded, queries, asks).compute(explained)
        serve = [name for name in asks if name not in scored.refused]
        of_examples = stage.place("examples")
        examples, named_by = _examples(of_examples, task, queries, scored, serve, sizes)
        left_out = stage.place("left_out")
        effects = effects_together(left_out, task.seeded, seeds, queries, examples, jobs)
        subsets = half_subsets(task.num_examples, sizes.halves, sizes.query_seed)
        half_seeds = range(FIRST_SUBSET_SEED, FIRST_SUBSET_SEED + sizes.half_seeds)
        halves = stage.place(f"halves{sizes.halves}")
        of_halves = values_by_seed(
            halves,
            task.seeded,
            half_seeds,
            queries,
            [np.flatnonzero(~inside) for inside in subsets],
            jobs,
            lambda values: {"outputs": values.T},
        )
        outputs = np.stack([arrays["outputs"] for arrays in of_halves])
        places = [of_queries, of_examples]
        places += [left_out / f"seed{seed}" for seed in seeds] + [halves / f"seed{seed}" for seed in half_seeds]
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
            rows, refused = truth.rows(scored, serve, explained)
            stage.finish(
                {
                    "public_name": public_name(getattr(task.dataset, "checksums", {})),
                    "queries": [list(task.names_of(query)) for query in queries],
                    "mean_on_halves": outputs.mean(axis=(0, 1)).tolist(),
                    "mean_effect": float(np.abs(effects).mean()),
                    "mean_expected_effect": float(np.abs(effects.mean(axis=0)).mean()),
                    "quality": scored.qualities(_RANDOM, explained),
                    "ceilings": truth.ceilings(),
                    "named_by": named_by,
                    "rows": rows,
                    "refused": scored.refused | refused,
                    "warnings": scored.warnings(serve, explained),
                }
            )
        return dict(stage.result())


def _explained(sizes: Sizes) -> range:
    return range(FIRST_SEED, FIRST_SEED + sizes.explained)


def _chosen(task: Task[Any], sizes: Sizes) -> list[Any]:
    """The queries: predictions of the test examples by the first explained training."""
    candidates = [one.query for one in task.test_predictions(task.seeded(FIRST_SEED).train().parameters)]
    return chosen_queries(task, candidates, sizes.queries, sizes.first + sizes.drawn, sizes.query_seed)


def _examples(
    folder: pathlib.Path, task: Task[Any], queries: Sequence[Any], scored: Scored, serve: Sequence[str], sizes: Sizes
) -> tuple[Ids, list[str]]:
    """The examples that are left out, [num_queries, n], and the methods that named the first of them.

    They stay as they were chosen first, whatever methods come later. Variants of a method have no turn of their own.

    Raises:
        InputError: if no method names any.
    """
    if not folder.exists():
        naming = [name for name in serve if name != _RANDOM and not is_variant(name, serve)]
        if not naming:
            raise InputError(f"no method names examples to leave out: want more {argument('methods')} than {_RANDOM}.")
        means = {name: np.mean([scored(name, seed) for seed in _explained(sizes)], axis=0) for name in naming}
        counts = {"first": sizes.first, "drawn": sizes.drawn, "seed": sizes.query_seed}
        examples = chosen_examples(task, queries, means, **counts)
        files.write_arrays(folder, {"examples": examples}, {"named_by": naming})
    arrays, meta = files.read_arrays(folder)
    return arrays["examples"], meta["named_by"]
