"""Trainings in pairs: with some examples and without, by several seeds, where nothing else differs within a pair.

The explanations of all predictions are removed (or added) at once, in one training for each seed, as in Kelpie's
protocol (Rossi et al. 2022); but there the second training draws anew, here every random draw is keyed by seed, epoch,
and batch.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.retraining import Retraining
from gr_tf.runs.run_dir import CHECKPOINTS, RunDir
from gr_tf.tasks.task import Task
from gr_tf.types import Ids

# What conditions without an explanation are called: the paired training, and one with other draws than the explained.
NOTHING, OTHER_ORDER = "nothing", "nothing, another order"
_MEASURE, _JOURNAL = "ranked values", "retrainings.jsonl"


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """The predictions of some trainings.

    Attributes:
        values: [trainings, num_queries].
        ranks: [trainings, num_queries], of the queries' answers.
    """

    values: np.ndarray
    ranks: np.ndarray

    def of(self, trainings: slice | list[int], queries: Ids) -> "Measured":
        """Some of the trainings, and some of the queries."""
        return Measured(self.values[trainings][:, queries], self.ranks[trainings][:, queries])


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Trainings by several seeds that are compared one by one.

    Attributes:
        task: its examples are those of all conditions together; its seed is the explained one.
        queries: what is measured.
        seeds: the explained one, then those that check.
        without: the ids of examples that no training has unless a condition gives them.
        work: where finished trainings are kept, which are not done again.
        jobs: trainings at a time; they change no result.
    """

    task: Task[Any]
    queries: Sequence[Any]
    seeds: Sequence[int]
    work: RunDir
    jobs: int
    without: Ids = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))

    def measure(
        self, removed: Mapping[str, Ids], given: Mapping[str, Ids], *, reordered: bool = True
    ) -> dict[str, Measured]:
        """Trains by each seed with nothing changed and in each condition; and by the explained seed, in other orders.

        Args:
            removed: by condition, the example ids to train without.
            given: by condition, those of `without` to train with.
            reordered: whether OTHER_ORDER is wanted.

        Returns:
            By condition, with NOTHING and OTHER_ORDER: of the seeds in their order; OTHER_ORDER is of those that check.
        """
        gone = {NOTHING: self.without}
        gone |= {name: np.union1d(self.without, ids) for name, ids in removed.items()}
        gone |= {name: np.setdiff1d(self.without, ids) for name, ids in given.items()}
        asked = {name: [self._asked(seed, ids) for seed in self.seeds] for name, ids in gone.items()}
        if reordered:
            asked[OTHER_ORDER] = [self._reordered(seed) for seed in self.seeds[1:]]
        # Seed by seed: unfinished work is then fewer seeds, not fewer conditions.
        every = sorted((seed, name, one) for name, of in asked.items() for seed, one in enumerate(of))
        outcomes = outcomes_of(
            list(self._tasks.values()),
            [one for *_, one in every],
            self.work.place(_JOURNAL),
            self.jobs,
            folder=self.work.place(CHECKPOINTS),
        )
        found = {(seed, name): outcome.measured for (seed, name, _), outcome in zip(every, outcomes, strict=True)}
        return {
            name: Measured(
                *(np.array([found[seed, name][what] for seed in range(len(of))]) for what in ("values", "ranks"))
            )
            for name, of in asked.items()
        }

    def _asked(self, seed: int, removed: Ids) -> Retraining:
        return self._of_task(self._task(seed, self.task.seeds), seed, removed)

    def _reordered(self, seed: int) -> Retraining:
        """The explained training from the same initial values, but with another order and other negatives."""
        others = tuple(name for name in self.task.seeds if name != "seed")
        return self._of_task(self._task(seed, others), seed, self.without)

    def _task(self, seed: int, names: tuple[str, ...]) -> Task[Any]:
        if (seed, names) not in self._tasks:
            self._tasks[seed, names] = self.task.seeded(seed, names)
        return self._tasks[seed, names]

    @functools.cached_property
    def _tasks(self) -> dict[tuple[int, tuple[str, ...]], Task[Any]]:
        """Those that were needed."""
        return {}

    def _of_task(self, task: Task[Any], seed: int, removed: Ids) -> Retraining:
        ids, queries = tuple(removed.tolist()), tuple(self.queries)
        return Retraining(
            task=task.reference, removed=ids, length=task.length, seed=seed, measure=_MEASURE, queries=queries
        )
