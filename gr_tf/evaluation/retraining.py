"""One training of a model without some examples, as a value, and how it is done.

A retraining says where its data are, how the model is trained, what is removed and what is measured. It can be sent to
another thread, process or machine (see many_retrainings); only the process that asked for it writes files.
"""

import dataclasses
import functools
import hashlib
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import in_parts
from gr_tf.errors import InputError, whole_number
from gr_tf.models.parameters import Parameters
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.tasks import kinds
from gr_tf.tasks.reference import TaskReference
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.driver import Prefix
from gr_tf.training.steps import Block

# Tasks that are in memory already, and trainings whose states are.
Known = Sequence[Task[Any] | Trained]

# How many queries are valued together where there may be any number.
_QUERIES_AT_ONCE = 256

# What can be measured on a trained model, by name; the values are JSON.
MEASURES: dict[str, Callable[[Task[Any], Parameters, Sequence[Any]], Any]] = {
    # The value of each query, as it is explained.
    "value": lambda task, parameters, queries: task.value(parameters, queries).tolist(),
    # The same of any number of queries, some at a time.
    "values": lambda task, parameters, queries: [
        value for part in in_parts(queries, _QUERIES_AT_ONCE) for value in task.value(parameters, part).tolist()
    ],
    # The same, one query at a time, with the best answer to each: [value, id or None].
    "answers": lambda task, parameters, queries: [
        [float(task.value(parameters, [query])[0]), task.top(parameters, query)] for query in queries
    ],
    # The value of each query in the precision of small influences.
    "exact value": lambda task, parameters, queries: task.exact_value(parameters, queries).tolist(),
    # The value of each query and the rank of its answer among those that are not known; of tasks that have `ranks`.
    "ranked values": lambda task, parameters, queries: {
        "values": task.value(parameters, queries).tolist(),
        "ranks": task.ranks(parameters, queries).tolist(),
    },
    # Metrics by split.
    "quality": lambda task, parameters, queries: task.quality(parameters),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Retraining:
    """One training without some examples; pickles in kilobytes.

    Attributes:
        task: where the data are and how the model is trained.
        removed: example ids, ascending.
        length: the length in the unit of the task's configuration: epochs, or steps.
        seed: the seed of the order of the examples.
        measure: what to measure on the trained model, a key of MEASURES.
        queries: the queries that are measured, if the measure is about queries.
        looks: after how many steps to measure; empty: at the end.
        start: fingerprint of the training whose state this goes on from; empty: it starts from the initial values.
        validating: whether this selects its epoch by validation, as the first training did.
    """

    task: TaskReference
    removed: tuple[int, ...]
    length: int
    seed: int
    measure: str
    queries: tuple[Any, ...] = ()
    looks: tuple[int, ...] = ()
    start: str = ""
    validating: bool = False

    @classmethod
    def of(
        cls, trained: Trained, removed: Iterable[int], measure: str, queries: Sequence[Any] = (), **other: Any
    ) -> "Retraining":
        """A retraining like an existing training, without some examples; `other` attributes replace its own.

        If the checks of this kind of data go on from the trained model, so does the retraining; from a given model's
        parameters, because they are its task's initial ones.
        """
        task = trained.task
        like = {"task": task.reference, "length": trained.length, "seed": task.config.seed}
        start = {"start": trained.fingerprint if task.continues and not trained.given else ""}
        ids = tuple(sorted(map(int, removed)))
        return cls(**(like | start | other), removed=ids, measure=measure, queries=tuple(queries))

    @functools.cached_property
    def key(self) -> str:
        """A name for files, different for every retraining."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a retraining gave.

    Attributes:
        epoch: the selected epoch.
        measured: the measured value, as JSON; if the retraining has looks, a list with one value for each.
        epochs: how many epochs were done.
    """

    epoch: int
    measured: Any
    epochs: int


def available_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_jobs(jobs: int) -> None:
    """Checks the number of jobs.

    Raises:
        InputError: if jobs is no whole number, or below 1.
    """
    whole_number("jobs", jobs)


class Trainers:
    """Makes or remembers the tasks of retrainings, and the states that they go on from."""

    def __init__(
        self, known: Known = (), states: Mapping[str, dict[str, np.ndarray]] = types.MappingProxyType({})
    ) -> None:
        """
        Args:
            known: tasks and trainings in memory.
            states: of other trainings to go on from, by their fingerprints.
        """
        tasks = [one.task if isinstance(one, Trained) else one for one in known]
        self._tasks = {task.reference: task for task in tasks}
        self._states = {one.fingerprint: one.state for one in known if isinstance(one, Trained)} | dict(states)

    def task(self, reference: TaskReference) -> Task[Any]:
        """The task of a reference; reads and makes it if it is not in memory.

        Raises:
            InputError: if its data cannot be read.
        """
        if reference not in self._tasks:
            self._tasks[reference] = kinds.make(reference)
        return self._tasks[reference]

    def state(self, start: str) -> dict[str, np.ndarray]:
        """The state of a training to go on from, by its fingerprint.

        Raises:
            InputError: if it is not in memory.
        """
        state = self._states.get(start)
        if state is None:
            raise InputError("the training that a retraining goes on from is not in memory.")
        return state

    def run(
        self,
        asked: Retraining,
        *,
        prefix: Prefix | None = None,
        checkpoints: CheckpointFolder | None = None,
        on_found: Callable[[int], object] = lambda blocks: None,
        on_block: Callable[[], object] = lambda: None,
    ) -> Outcome:
        """Does a retraining.

        Args:
            asked: the retraining.
            prefix: the beginning of the training with all examples; see training.driver.
            checkpoints: where earlier work is found and new work is saved.
            on_found, on_block: see many_retrainings.retrain.

        Raises:
            InputError: if its state is not in memory, or a checkpoint is damaged.
        """
        task, measure = self.task(asked.task), MEASURES[asked.measure]
        start = self.state(asked.start) if asked.start else None
        looked: dict[int, Any] = {}
        left = len(task.steps.blocks(asked.length))

        def resumed(blocks: int) -> None:
            nonlocal left
            left -= blocks
            on_found(blocks)

        def look(block: Block, loss: float, parameters: Callable[[], Parameters]) -> None:
            nonlocal left
            left -= 1
            done = block.first + block.count
            if done in asked.looks:
                looked[done] = measure(task, parameters(), asked.queries)
            on_block()

        training = task.train(
            removed=asked.removed,
            length=asked.length,
            seed=asked.seed,
            start=start,
            prefix=prefix,
            validating=asked.validating,
            checkpoints=checkpoints,
            on_resume=resumed,
            on_block=look,
        )
        on_found(left)
        at_looks = [looked[steps] for steps in asked.looks]
        measured = at_looks or measure(task, training.parameters, asked.queries)
        return Outcome(training.epoch, measured, len(training.history))
