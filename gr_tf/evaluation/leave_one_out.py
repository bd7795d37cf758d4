"""Measures the true effect of training examples on some predictions, by training again without each in turn."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.retraining import Retraining
from gr_tf.runs import files, shards
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

# From a seed to its training; the seed decides the initial values and everything else that is random.
Seeded = Callable[[int], Task[Any]]


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
        return np.asarray(self.whole[:, None] - self.without)


def leave_one_out(
    task: Task[Any],
    queries: Sequence[Any],
    jobs: int,
    on_retrained: Callable[[], object] = lambda: None,
    example_ids: Ids | None = None,
) -> LeaveOneOut:
    """Trains once with everything and once without each example, from the same initial values, for the whole length.

    Args:
        task: what is trained.
        queries: whose values are measured.
        jobs: trainings at a time; they change no result.
        on_retrained: called after each training.
        example_ids: the examples to leave out; None: every example.

    Raises:
        InputError: if jobs is below 1, or an example id is out of range.
    """
    values = values_without(task, queries, _one_by_one(task, example_ids), jobs, on_retrained)
    return LeaveOneOut(values[:, 0], values[:, 1:])


def _one_by_one(task: Task[Any], example_ids: Ids | None) -> list[list[int]]:
    """The removals of leave-one-out: nothing, then each example."""
    ids = np.arange(task.num_examples) if example_ids is None else np.asarray(example_ids)
    return [[], *ids[:, None].tolist()]


def values_without(
    task: Task[Any],
    queries: Sequence[Any],
    removals: Sequence[Iterable[int]],
    jobs: int,
    on_retrained: Callable[[], object] = lambda: None,
) -> np.ndarray:
    """The values [num_queries, num_removals] of queries after trainings without some examples each.

    Args:
        task, queries, jobs, on_retrained: see leave_one_out.
        removals: example ids.
    """
    asked = _asked(task, queries, removals)
    values = np.empty((len(queries), len(asked)))
    for place, outcome in retrain(asked, jobs, known=[task]):
        values[:, place] = outcome.measured
        on_retrained()
    return values


def _asked(task: Task[Any], queries: Sequence[Any], removals: Sequence[Iterable[int]]) -> list[Retraining]:
    like: dict[str, Any] = {"task": task.reference, "length": task.length, "seed": task.config.seed}
    like |= {"measure": "exact value", "queries": tuple(queries)}
    return [Retraining(removed=tuple(sorted(map(int, removed))), **like) for removed in removals]


def values_by_seed(
    folder: pathlib.Path,
    seeded: Seeded,
    seeds: Sequence[int],
    queries: Sequence[Any],
    removals: Sequence[Iterable[int]],
    jobs: int,
    arrays: Callable[[np.ndarray], Mapping[str, np.ndarray]],
) -> list[dict[str, np.ndarray]]:
    """Computes arrays from each seed's `values_without`; they are on disk as soon as known, and found there again.

    A seed's retrainings are in a journal until all are done.

    Args:
        folder: each seed's arrays are in a subfolder.
        seeded: gives the training of a seed.
        seeds: seeds of the trainings.
        queries, removals, jobs: see values_without.
        arrays: makes the arrays to keep, by name, from the values.
    """
    places = {seed: folder / f"seed{seed}" for seed in seeds}
    missing = [seed for seed, place in places.items() if not place.exists()]
    with progress("retrainings", len(seeds) * len(removals), (len(seeds) - len(missing)) * len(removals)) as bar:
        parts = shards.Parts()
        for seed in missing:
            with parts:
                journal, task = places[seed].with_name(f"seed{seed}.jsonl"), seeded(seed)
                outcomes = outcomes_of([task], _asked(task, queries, removals), journal, jobs, bar=bar)
                values = np.stack([outcome.measured for outcome in outcomes], axis=1)
                files.write_arrays(places[seed], arrays(values))
                journal.unlink()
        parts.stop()
    return [files.read_arrays(place)[0] for place in places.values()]


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
        folder, seeded, seeds: see values_by_seed.
        queries, jobs, example_ids: see leave_one_out.
    """

    def arrays(values: np.ndarray) -> Mapping[str, np.ndarray]:
        return {"whole": values[:, 0], "without": values[:, 1:]}

    removals = _one_by_one(seeded(seeds[0]), example_ids)
    values_by_seed(folder, seeded, seeds, queries, removals, jobs, arrays)
    return read_effects(folder, seeds)


def read_effects(folder: pathlib.Path, seeds: Sequence[int]) -> np.ndarray:
    """The effects that `effects_by_seed` left in a folder."""
    return np.stack([LeaveOneOut(**files.read_arrays(folder / f"seed{seed}")[0]).effects for seed in seeds])


def paired_effects(
    trained: Trained,
    queries: Sequence[Any],
    removals: Mapping[int, Sequence[int]],
    seeds: Sequence[int],
    looks: Sequence[int],
    journal: pathlib.Path,
    jobs: int,
) -> dict[int, np.ndarray]:
    """The effects of examples when training continues from a trained model, with everything and without each example.

    Cheng et al. (2019), Section 5.2. Both trainings of a pair see the same batches in the same order, so that most of
    the noise of the batches cancels in their difference.

    Args:
        trained: the model, with the state to go on from; its task's checks go on from the trained model.
        queries: the queries whose values are measured, in the precision of the training.
        removals: for each example to leave out, the places of the n queries that are measured without it.
        seeds: seeds of the batches.
        looks: after how many steps to measure; the last one is the end.
        journal, jobs: see outcomes.outcomes_of.

    Returns:
        For each example [n, num_seeds, num_looks]: the prediction with everything minus the one without the example.
    """
    like: dict[str, Any] = {"length": looks[-1], "looks": tuple(looks)}
    measured = [((), range(len(queries))), *(((example,), of) for example, of in removals.items())]
    asked = {
        (removed, seed): Retraining.of(trained, removed, "value", [queries[place] for place in of], seed=seed, **like)
        for removed, of in measured
        for seed in seeds
    }
    outcomes = outcomes_of([trained], list(asked.values()), journal, jobs)
    # [looks, queries] each.
    values = {key: np.array(outcome.measured) for key, outcome in zip(asked, outcomes, strict=True)}
    return {
        example: np.stack([(values[(), seed][:, of] - values[(example,), seed]).T for seed in seeds], axis=1)
        for example, of in removals.items()
    }
