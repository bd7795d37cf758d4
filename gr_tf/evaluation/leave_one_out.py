"""The true effect of training examples on some predictions: train again without each in turn."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.evaluation.retraining import Retraining, retrain
from gr_tf.runs import files
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

# The training of a seed, which decides its initial values and whatever else is random in it.
Seeded = Callable[[int], Task[Any]]
# Computes one seed's arrays, and calls its second argument after each training.
Compute = Callable[[int, Callable[[], object]], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class LeaveOneOut:
    """The predictions of one training with everything and of one without each example.

    Attributes:
        whole: [num_queries], values with all examples.
        without: [num_queries, num_examples], without each.
    """

    whole: np.ndarray
    without: np.ndarray

    @property
    def effects(self) -> np.ndarray:
        """[num_queries, num_examples]: how much higher the example makes the prediction."""
        effects: np.ndarray = self.whole[:, None] - self.without
        return effects


def leave_one_out(
    task: Task[Any],
    queries: Sequence[Any],
    jobs: int,
    on_retrained: Callable[[], object] | None = None,
    example_ids: Ids | None = None,
) -> LeaveOneOut:
    """Trains once with everything and once without each example, from the same initial values, for the whole length.

    Args:
        task: what is trained.
        queries: whose values are measured.
        jobs: trainings at a time; they change no result.
        on_retrained: called after each training.
        example_ids: of the examples to leave out; None: every one.

    Raises:
        InputError: if jobs is below 1, or an example id is out of range.
    """
    ids = np.arange(task.num_examples) if example_ids is None else np.asarray(example_ids)
    values = values_without(task, queries, [(), *ids[:, None].tolist()], jobs, on_retrained)
    return LeaveOneOut(values[:, 0], values[:, 1:])


def values_without(
    task: Task[Any],
    queries: Sequence[Any],
    removals: Sequence[Iterable[int]],
    jobs: int,
    on_retrained: Callable[[], object] | None = None,
) -> np.ndarray:
    """The values [num_queries, num_removals] of queries after trainings without some examples each.

    Args:
        task, queries, jobs, on_retrained: see leave_one_out.
        removals: example ids.
    """
    trained = {"length": task.length, "seed": task.config.seed, "measure": _measure(task), "queries": tuple(queries)}
    asked = [
        Retraining(task=task.reference, removed=tuple(sorted(map(int, removed))), **trained) for removed in removals
    ]
    values = np.empty((len(queries), len(asked)))
    for place, outcome in retrain(asked, jobs, known=[task]):
        values[:, place] = outcome.measured
        if on_retrained is not None:
            on_retrained()
    return values


def _measure(task: Task[Any]) -> str:
    return "value" if task.exact_dtype is None else "exact value"


def by_seed(
    folder: pathlib.Path, seeds: Sequence[int], compute: Compute, what: str, each: int
) -> list[dict[str, np.ndarray]]:
    """The arrays of each seed: on disk as soon as they are known, and found there again.

    Args:
        folder: a seed's arrays are in its subfolder.
        seeds: whose arrays are wanted.
        compute: see Compute.
        what: is trained, for the progress bar.
        each: how many trainings a seed takes.
    """
    done = sum(_place(folder, seed).exists() for seed in seeds)
    with progress(what, len(seeds) * each, done * each) as bar:
        for seed in seeds:
            if not _place(folder, seed).exists():
                files.write_arrays(_place(folder, seed), compute(seed, bar.advance))
    return [files.read_arrays(_place(folder, seed))[0] for seed in seeds]


def effects_by_seed(
    folder: pathlib.Path,
    seeded: Seeded,
    seeds: Sequence[int],
    queries: Sequence[Any],
    jobs: int,
    example_ids: Ids | None = None,
) -> np.ndarray:
    """The effects [num_seeds, num_queries, num_examples] of leaving out each example, or each of some.

    Args:
        folder: see by_seed.
        seeded: the training of a seed.
        seeds: of the trainings.
        queries, jobs, example_ids: see leave_one_out.
    """

    def compute(seed: int, advance: Callable[[], object]) -> Mapping[str, np.ndarray]:
        found = leave_one_out(seeded(seed), queries, jobs, advance, example_ids)
        return {"whole": found.whole, "without": found.without}

    count = seeded(seeds[0]).num_examples if example_ids is None else len(example_ids)
    by_seed(folder, seeds, compute, "retrainings", count + 1)
    return read_effects(folder, seeds)


def read_effects(folder: pathlib.Path, seeds: Sequence[int]) -> np.ndarray:
    """The effects that `effects_by_seed` left in a folder."""
    arrays = [files.read_arrays(_place(folder, seed))[0] for seed in seeds]
    return np.stack([LeaveOneOut(one["whole"], one["without"]).effects for one in arrays])


def _place(folder: pathlib.Path, seed: int) -> pathlib.Path:
    return folder / f"seed{seed}"


def continued_effects(
    trained: Trained,
    seeds: Sequence[int],
    length: int,
    queries: Sequence[Any],
    example_ids: Ids,
    journal: pathlib.Path,
    jobs: int,
) -> np.ndarray:
    """The same by training on from a trained model, with everything and without each example (Cheng et al. 2019).

    Both trainings of a pair see the same examples in the same order, so that most of the noise of the order cancels.

    Args:
        trained: with the state to go on from.
        seeds: of the order.
        length: of each training.
        queries: whose values are measured, in the precision of the training.
        example_ids: of the examples to leave out.
        journal: a file with what is known already; the rest is added, training by training.
        jobs: trainings at a time; they change no result.
    """
    removals = [(), *((int(example_id),) for example_id in example_ids)]
    asked = {
        (removed, seed): Retraining.of(trained, removed, "value", queries, seed=seed, length=length)
        for removed in removals
        for seed in seeds
    }
    records = Journal(journal, ("removed", "seed", "values"))
    done = {(tuple(record["removed"]), record["seed"]) for record in records.records}
    missing = [key for key in asked if key not in done]
    with progress("retrainings", len(asked), len(asked) - len(missing)) as bar:
        for place, outcome in retrain([asked[key] for key in missing], jobs, known=[trained]):
            removed, seed = missing[place]
            records.add({"removed": list(removed), "seed": seed, "values": outcome.measured})
            bar.advance()
    records.close()
    values = {(tuple(record["removed"]), record["seed"]): np.array(record["values"]) for record in records.records}
    effects = [[values[(), seed] - values[removed, seed] for removed in removals[1:]] for seed in seeds]
    return np.stack(effects).swapaxes(1, 2)
