"""Does many trainings of one model, each without some examples, on every core.

A retraining is a value: it says where its data are, how the model is trained, what is removed and what is measured. It
can be sent to another thread, process or machine; only the process that asked for it writes files.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import in_parts
from gr_tf.errors import InputError, whole_number
from gr_tf.models.parameters import Parameters
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import progress
from gr_tf.tasks import kinds
from gr_tf.tasks.reference import TaskReference
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.driver import Prefix, record_prefix
from gr_tf.training.steps import Block

# Tasks that are in memory already, and trainings whose states are.
Known = Sequence[Task[Any] | Trained]

# The fields of a journal's records.
_FIELDS = ("retraining", "removed", "seed", "epoch", "epochs", "measured")
# How many states of the common beginning are kept in memory, each three times the size of the parameters.
_RECORDED_STATES = 16
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

    def __init__(self, known: Known = ()) -> None:
        tasks = [one.task if isinstance(one, Trained) else one for one in known]
        self._tasks = {task.reference: task for task in tasks}
        self._states = {one.fingerprint: one.state for one in known if isinstance(one, Trained)}

    def task(self, reference: TaskReference) -> Task[Any]:
        """The task of a reference; reads and makes it if it is not in memory.

        Raises:
            InputError: if its data cannot be read.
        """
        if reference not in self._tasks:
            self._tasks[reference] = kinds.make(reference)
        return self._tasks[reference]

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
            on_found, on_block: see retrain.

        Raises:
            InputError: if its state is not in memory, or a checkpoint is damaged.
        """
        task, measure = self.task(asked.task), MEASURES[asked.measure]
        start = self._states.get(asked.start)
        if asked.start and start is None:
            raise InputError("the training that a retraining goes on from is not in memory.")
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


def retrain(
    retrainings: Sequence[Retraining],
    jobs: int,
    *,
    known: Known = (),
    folder: pathlib.Path | None = None,
    checkpoint_seconds: float = 30.0,
    on_found: Callable[[int], object] = lambda blocks: None,
    on_block: Callable[[], object] = lambda: None,
) -> Iterator[tuple[int, Outcome]]:
    """Does many retrainings, `jobs` at a time; the number of jobs changes no result.

    Args:
        retrainings: what to do.
        jobs: trainings at a time.
        known: tasks and trainings in memory.
        folder: where unfinished trainings save checkpoints; without it, or with looks, a killed one begins anew.
        checkpoint_seconds: how much of each training a kill may lose.
        on_found: called with the number of blocks that need no work: done earlier, or not needed by the stopping rule.
        on_block: called after each block that is done.

    Yields:
        The place of each retraining and its outcome, in the order of completion.

    Raises:
        InputError: if jobs is below 1, or an example id is out of range.
    """
    check_jobs(jobs)
    trainers = Trainers(known)
    # The parent makes the tasks and compiles once, not each thread again.
    tasks = {one.task: trainers.task(one.task) for one in retrainings}
    prefixes = {
        reference: _prefix_that_pays(task, [one for one in retrainings if one.task == reference])
        for reference, task in (tasks.items() if folder is None else ())
    }

    def run(place: int) -> tuple[int, Outcome]:
        asked = retrainings[place]
        # Checkpoints do not contain the values of earlier looks.
        checkpoints = None
        if folder is not None and not asked.looks:
            checkpoints = CheckpointFolder(folder / asked.key, checkpoint_seconds)
        prefix = prefixes.get(asked.task)
        return place, trainers.run(asked, prefix=prefix, checkpoints=checkpoints, on_found=on_found, on_block=on_block)

    # Threads suffice: a compiled block computes outside Python's lock.
    executor = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        futures = [executor.submit(run, place) for place in range(len(retrainings))]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    finally:
        executor.shutdown(cancel_futures=True)


def outcomes_of(
    known: Known,
    retrainings: Sequence[Retraining],
    journal: pathlib.Path,
    jobs: int,
    *,
    what: str = "retraining",
    folder: pathlib.Path | None = None,
    checkpoint_seconds: float = 30.0,
) -> list[Outcome]:
    """The outcomes of retrainings, in their order; those in the journal are not done again.

    Args:
        known: tasks and trainings in memory.
        retrainings: what to do; equal ones are done once, and the journal may have others.
        journal: a file; each record has Retraining.key, so that it is never found for other settings.
        jobs: retrainings at a time; they change no result.
        what: for the progress bar, which counts blocks of steps.
        folder: where unfinished retrainings save checkpoints, removed at the end; None: a killed one begins anew.
        checkpoint_seconds: how much of each retraining a kill may lose.

    Raises:
        InputError: if jobs is below 1, an example id is out of range, or the journal is damaged.
    """
    with contextlib.closing(Journal(journal, _FIELDS)) as kept:
        done = {record["retraining"] for record in kept.records}
        missing = list({one.key: one for one in retrainings if one.key not in done}.values())
        trainers = Trainers(known)
        blocks = sum(len(trainers.task(one.task).steps.blocks(one.length)) for one in missing)
        with progress(what, blocks) as bar:
            for place, outcome in retrain(
                missing,
                jobs,
                known=known,
                folder=folder,
                checkpoint_seconds=checkpoint_seconds,
                on_found=bar.pass_over,
                on_block=bar.advance,
            ):
                one = missing[place]
                told = {"retraining": one.key, "removed": list(one.removed), "seed": one.seed}
                kept.add({**told, **dataclasses.asdict(outcome)})
        outcomes = {one["retraining"]: Outcome(one["epoch"], one["measured"], one["epochs"]) for one in kept.records}
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return [outcomes[one.key] for one in retrainings]


def _prefix_that_pays(task: Task[Any], asked: Sequence[Retraining]) -> Prefix | None:
    """The common beginning of trainings of one task, if recording it costs less than it saves."""
    blocks = task.steps.blocks(asked[0].length)
    per_epoch = next(place for place, block in enumerate(blocks, start=1) if block.ends is not None)
    every = -(-per_epoch // _RECORDED_STATES)
    firsts = [
        task.steps.first_block_with(np.array(one.removed)) if one.removed and not one.start else 0 for one in asked
    ]
    if sum(first // every * every for first in firsts) <= per_epoch:
        return None
    kept = np.ones(task.num_examples, bool)
    return record_prefix(task.steps, task.initial_parameters, kept, asked[0].length, every)
