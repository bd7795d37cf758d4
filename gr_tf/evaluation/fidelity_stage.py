"""Compares all methods with an atlas, the truth by exhaustive retraining, and keeps on disk what is done."""

import dataclasses
import hashlib
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.data.dataset import numbers_of
from gr_tf.errors import DamagedError, InputError, argument
from gr_tf.evaluation import agreement, fidelity
from gr_tf.evaluation.atlas import Truth, consensus_seeds, read_truth
from gr_tf.evaluation.compared import COMBINED, SCREENS, Scored, compared
from gr_tf.evaluation.leave_one_out import values_by_seed
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task

NAME = "fidelity"
FIRST_SUBSET_SEED = 500_000
# Strata of agreement.strata, from the widest to the nearest.
STRATA = ("all", "adjacent", "shared >= 2")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of all protocols.

    Attributes:
        first_seed: the first seed of the explained trainings, which are not the atlas's.
        subsets: how many random halves of the training examples, for LDS.
        subset_seeds: how many trainings on each half; their seeds are counted up from FIRST_SUBSET_SEED.
        own_seeds: how many trainings of the atlas are explained themselves.
        shuffles: how often the answers of all training examples are shuffled.
        candidates: how many examples a method proposes for retraining.
    """

    first_seed: int = 10_000
    subsets: int = 100
    subset_seeds: int = 10
    own_seeds: int = 5
    shuffles: int = 4
    candidates: int = 20


def measure_fidelity(
    task: Task[Any],
    atlas_dir: pathlib.Path,
    run_dir: pathlib.Path,
    num_seeds: int,
    *,
    sizes: Sizes,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Computes what is missing, writes fidelity{num_seeds}/result.json, and returns what it holds.

    Args:
        task: the trainings' task, the same as the atlas's.
        atlas_dir: where make_atlas left the task's atlases; the one with the most seeds is taken.
        run_dir: the folder of the results.
        num_seeds: how many trainings are explained.
        sizes: the sizes of the protocols.
        jobs: retrainings at a time.
        overwrite: drop what was written.

    Raises:
        InputError: if there is no atlas, or it has another dataset or configuration, or a seed would serve twice.
    """
    truth, methods, dataset = read_truth(atlas_dir, task), compared(task.kind), task.dataset
    seeds = range(sizes.first_seed, sizes.first_seed + num_seeds)
    on_subsets = range(FIRST_SUBSET_SEED, FIRST_SUBSET_SEED + sizes.subset_seeds)
    uses: dict[str, Sequence[int]] = {
        "the atlas": truth.seeds,
        "the explained trainings": seeds,
        "the trainings on halves": on_subsets,
        "the queries": consensus_seeds(truth.seeds[0]),
    }
    for first, second in itertools.combinations(uses, 2):
        if shared := set(uses[first]) & set(uses[second]):
            told = f"seed {min(shared)} would serve for {first} and for {second}"
            raise InputError(f"{told}: take another {argument('seed')} of the atlas.")
    settings = {
        "dataset": dataset.name,
        "checksum": dataset.checksum,
        "config": task.config.to_dict(),
        "queries": hashlib.sha256(np.concatenate(list(map(numbers_of, truth.queries))).tobytes()).hexdigest(),
        "methods": list(methods),
        "subsets": [sizes.subsets, sizes.subset_seeds],
    }
    with RunDir.begin(run_dir / "influences", settings, overwrite=overwrite, reuse=True) as stage:
        scored = Scored(stage.place("trained"), task.seeded, truth.queries, methods).compute(seeds)
        shuffled = []
        for shuffle, seed in enumerate(seeds[: sizes.shuffles]):
            without_sense = task.with_dataset(dataset.shuffled(shuffle))
            of_shuffle = Scored(stage.place(f"shuffled{shuffle}"), without_sense.seeded, truth.queries, methods)
            shuffled.append((of_shuffle.compute([seed]), seed))
        own_seeds = truth.seeds[: sizes.own_seeds]
        own = Scored(stage.place("own"), task.seeded, truth.queries, methods).compute(own_seeds)
        subsets = fidelity.half_subsets(task.num_examples, sizes.subsets, task.config.seed)
        of_subsets = values_by_seed(
            stage.place("subsets"),
            task.seeded,
            on_subsets,
            truth.queries,
            [np.flatnonzero(~inside) for inside in subsets],
            jobs,
            lambda values: {"outputs": values.T},
        )
        outputs = np.stack([arrays["outputs"] for arrays in of_subsets])
    asked = {
        **settings,
        "num_seeds": num_seeds,
        "atlas_seeds": len(truth.seeds),
        "atlas_fingerprint": truth.fingerprint,
        "protocols": {
            "own_seeds": sizes.own_seeds,
            "shuffles": sizes.shuffles,
            "top": list(fidelity.TOP),
            "candidates": sizes.candidates,
            "combined": {name: list(parts) for name, parts in COMBINED.items()},
            "screens": list(SCREENS),
        },
    }
    with RunDir.begin(run_dir / f"{NAME}{num_seeds}", asked, overwrite=overwrite, replace=True, reuse=True) as stage:
        if not stage.is_finished:
            masks = {name: mask for name, mask in agreement.strata(truth.shared).items() if name in STRATA}
            if "adjacent" not in masks:
                raise InputError(
                    "no query has three training examples that share something with it: nothing to compare."
                )
            # The examples that share most with the queries.
            nearest = list(masks.values())[-1]
            combined = [name for name, parts in COMBINED.items() if set(parts) <= set(methods)]
            rows, refused = _all_method_rows([*methods, *combined], truth, masks, scored, own, seeds)
            names = list(dict.fromkeys(row["method"] for row in rows))
            stage.finish(
                {
                    "ceilings": fidelity.ceilings(truth, masks),
                    "rows": rows,
                    "refused": refused,
                    "warnings": scored.warnings([name for name in names if name in methods], seeds),
                    "lds": fidelity.lds_rows(names, scored, seeds, subsets, outputs),
                    "shuffled": fidelity.shuffled_rows(names, truth, nearest, shuffled),
                    "own": fidelity.own_rows(names, truth, masks, own, scored, own_seeds, seeds),
                    "screens": fidelity.screen_rows(names, truth, masks["adjacent"], scored, seeds, sizes.candidates),
                    "blends": fidelity.blend_rows(names, truth, nearest, scored, seeds),
                }
            )
        return dict(stage.result())


def _all_method_rows(
    names: Sequence[str],
    truth: Truth,
    masks: Mapping[str, np.ndarray],
    scored: Scored,
    own: Scored,
    seeds: Sequence[int],
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The rows of the methods that can be compared, and why the others cannot."""
    rows: list[dict[str, Any]] = []
    refused = {**own.refused, **scored.refused}
    with progress("comparisons", len(names)) as bar:
        for name in names:
            try:
                if not {name, *COMBINED.get(name, ())} & set(refused):
                    rows += fidelity.method_rows(name, truth, masks, scored, seeds)
            except DamagedError:
                raise
            except InputError as error:
                refused[name] = error.on_command_line
            bar.advance()
    if not rows:
        raise InputError("; ".join(f"{name}: {why}" for name, why in refused.items()))
    return rows, refused
