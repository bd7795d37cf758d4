"""Retrainings that are sent to processes of an engine, here or on other machines, and what happens there.

The data go along, once to each machine: workers need no files and no network of ours, and data that are in memory only
can be sent, too. A worker remembers the tasks that it has made, which are compiled, and their common beginning.
"""

import dataclasses
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gr_tf.errors import InputError, argument
from gr_tf.evaluation import common_beginning
from gr_tf.evaluation.retraining import Outcome, Retraining, Trainers
from gr_tf.runs import devices
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.runs.made_with import decisive, difference
from gr_tf.runs.pools import worker
from gr_tf.runs.pools.batches import completed
from gr_tf.runs.pools.pool import Pool
from gr_tf.runs.run_dir import RunDir
from gr_tf.settings import Settings
from gr_tf.tasks.reference import TaskReference
from gr_tf.tasks.task import Task
from gr_tf.training.driver import Prefix

# How many tasks a worker remembers; an experiment of many seeds has as many.
_TASKS_KEPT = 8


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Retrainings of one task that a worker does one after the other.

    Attributes:
        retrainings: of equal task and start.
        task: the task's class.
        config: its settings.
        every: how many blocks apart the common beginning is recorded; 0: not at all.
        length: of the training whose beginning it is.
        folder: where unfinished trainings save checkpoints; None: nowhere.
        checkpoint_seconds: how often.
        device: where to compute, see runs.devices.
    """

    retrainings: Sequence[Retraining]
    task: type[Task[Any]]
    config: Settings
    every: int
    length: int
    folder: pathlib.Path | None
    checkpoint_seconds: float
    device: str


@dataclasses.dataclass(frozen=True)
class _Report:
    """What a worker gives back.

    Attributes:
        outcomes: of the batch's retrainings, in their order.
        found, done: blocks of steps that needed no work, and the others.
        seconds: how long it worked.
        made_with: see runs.made_with.decisive.
        process_id: the worker's.
    """

    outcomes: list[Outcome]
    found: int
    done: int
    seconds: float
    made_with: dict[str, str]
    process_id: int


def done_by(
    pool: Pool,
    retrainings: Sequence[Retraining],
    trainers: Trainers,
    folder: pathlib.Path | None,
    checkpoint_seconds: float,
    on_found: Callable[[int], object],
    on_block: Callable[[], object],
) -> Iterator[tuple[int, Outcome]]:
    """Does retrainings by the workers of an engine, which run; for the rest see many_retrainings.retrain.

    Raises:
        InputError: if a task cannot be sent, a state is not in memory, or a worker has other versions or another
            processor, so that its last bits may differ.
    """
    ours = decisive()
    folder = folder.resolve() if folder is not None and pool.is_here else None
    sent = _Sent(pool, trainers)
    batches = {
        reference: sent.batch(
            reference, [one for one in retrainings if one.task == reference], folder, checkpoint_seconds
        )
        for reference in dict.fromkeys(one.task for one in retrainings)
    }

    def call(places: Sequence[int]) -> tuple[Any, ...]:
        asked = [retrainings[place] for place in places]
        batch = dataclasses.replace(batches[asked[0].task], retrainings=asked)
        return do, batch, sent.data(asked[0].task), sent.state(asked[0].start)

    groups = [(one.task, one.start) for one in retrainings]
    for places, report in completed(pool, groups, call, "retraining"):
        other = difference(ours, report.made_with)
        if other and not RunDir.any_version:
            raise InputError(
                f"a worker of {argument('engine', pool.name)} has other software than this process, or another "
                f"processor ({other}): the last digits may differ. Let all be alike, or pass "
                f"{argument('gr_tf.runs.run_dir.RunDir.any_version', flag='any_version')}."
            )
        on_found(report.found)
        for _ in range(report.done):
            on_block()
        yield from zip(places, report.outcomes, strict=True)


class _Sent:
    """What has been sent to the workers: each dataset, and each state to go on from, once."""

    def __init__(self, pool: Pool, trainers: Trainers) -> None:
        self._pool, self._trainers = pool, trainers
        self._shared: dict[Any, Any] = {}

    def batch(
        self,
        reference: TaskReference,
        asked: Sequence[Retraining],
        folder: pathlib.Path | None,
        checkpoint_seconds: float,
    ) -> _Batch:
        """What is the same for all batches of a task's retrainings."""
        task = self._trainers.task(reference)
        self.data(reference)
        every = 0 if folder else common_beginning.blocks_between(task, asked, self._pool.workers)
        return _Batch((), type(task), task.config, every, asked[0].length, folder, checkpoint_seconds, devices.chosen())

    def data(self, reference: TaskReference) -> Any:
        """A task's dataset and given initial values, shared; tasks that differ in settings have them in common."""
        task = self._trainers.task(reference)
        key = (reference.checksum, reference.initial)
        if key not in self._shared:
            self._shared[key] = self._pool.share(task.movable())
        return self._shared[key]

    def state(self, start: str) -> Any:
        """The state of a training to go on from, shared; None: there is none."""
        if start and start not in self._shared:
            self._shared[start] = self._pool.share(self._trainers.state(start))
        return self._shared.get(start)


def do(batch: _Batch, data: tuple[Any, Any], state: dict[str, Any] | None) -> _Report:
    """Does a batch; called in the worker.

    Args:
        batch: what to do.
        data: see Trainable.movable.
        state: of the training that these go on from.
    """
    worker.start_tensorflow(batch.device)
    began, found, done = time.monotonic(), 0, 0
    task, prefix = _REMEMBERED.task_and_beginning(batch, data)
    trainers = Trainers([task], {} if state is None else {batch.retrainings[0].start: state})

    def on_found(blocks: int) -> None:
        nonlocal found
        found += blocks

    def on_block() -> None:
        nonlocal done
        done += 1

    outcomes = []
    for asked in batch.retrainings:
        checkpoints = None
        if batch.folder is not None and not asked.looks:
            checkpoints = CheckpointFolder(batch.folder / asked.key, batch.checkpoint_seconds)
        outcomes.append(
            trainers.run(asked, prefix=prefix, checkpoints=checkpoints, on_found=on_found, on_block=on_block)
        )
    return _Report(outcomes, found, done, time.monotonic() - began, decisive(), os.getpid())


class _Remembered:
    """The tasks that this process made for batches, and the common beginnings of their trainings, the latest last."""

    def __init__(self) -> None:
        self._tasks: dict[Any, Task[Any]] = {}
        self._beginnings: dict[Any, Prefix | None] = {}
        self._lock = threading.Lock()  # Dask's workers may have several threads.

    def task_and_beginning(self, batch: _Batch, data: tuple[Any, Any]) -> tuple[Task[Any], Prefix | None]:
        """The task of a batch, compiled, and the recorded beginning; for `data` see `do`."""
        key = (batch.task, batch.retrainings[0].task)
        with self._lock:
            if key not in self._tasks:
                self._tasks[key] = batch.task(data[0], batch.config, data[1])
                self._tasks[key].steps  # noqa: B018  (compiled once, not by each thread)
            self._tasks[key] = task = self._tasks.pop(key)
            if len(self._tasks) > _TASKS_KEPT:
                oldest = next(iter(self._tasks))
                del self._tasks[oldest]
                self._beginnings = {other: one for other, one in self._beginnings.items() if other[0] != oldest}
            recorded = (key, batch.length, batch.every)
            if recorded not in self._beginnings:
                self._beginnings[recorded] = common_beginning.recorded(task, batch.length, batch.every)
            return task, self._beginnings[recorded]


_REMEMBERED = _Remembered()
