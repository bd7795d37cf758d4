"""Many trainings of one model, each without some examples, on every core."""

import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from gr_tf.data.negatives import BLOCK_SIZE
from gr_tf.errors import InputError
from gr_tf.training.trainer import Prefix, Trainer

Asked = TypeVar("Asked")
Measured = TypeVar("Measured")

# States of the common beginning kept in memory, each three times the size of the parameters.
_RECORDED_STATES = 16


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_jobs(jobs: int) -> None:
    """
    Raises:
        InputError: if jobs is below 1.
    """
    if jobs < 1:
        raise InputError(f"jobs must be at least 1; got {jobs}.")


def in_threads(train: Callable[[Asked], Measured], asked: Iterable[Asked], jobs: int) -> Iterator[Measured]:
    """Trainings, `jobs` at a time; yields what each gave in the order of completion.

    Threads suffice: a compiled block computes outside Python's lock.

    Raises:
        InputError: if jobs is below 1.
    """
    check_jobs(jobs)
    executor = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        futures = [executor.submit(train, one) for one in asked]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    finally:
        executor.shutdown(cancel_futures=True)


def retrain_without(
    trainer: Trainer,
    epochs: int,
    removals: Sequence[np.ndarray],
    measure: Callable[[int, np.ndarray], Measured],
    jobs: int,
) -> Iterator[Measured]:
    """Trains from the same initial values without each of the removals.

    Args:
        trainer: of the model to retrain.
        epochs: of each training.
        removals: the example ids that each training skips.
        measure: what to keep of a training, from its place in `removals` and its table
            [num_rows, width].
        jobs: trainings at a time; they change no result.

    Yields:
        What `measure` returned, in the order of completion.

    Raises:
        InputError: if jobs is below 1.
    """
    check_jobs(jobs)
    prefix = _prefix_that_pays(trainer, epochs, removals)

    def train(place: int) -> Measured:
        return measure(place, trainer.run(removed=removals[place], epochs=epochs, prefix=prefix).table)

    yield from in_threads(train, range(len(removals)), jobs)


def _prefix_that_pays(trainer: Trainer, epochs: int, removals: Sequence[np.ndarray]) -> Prefix | None:
    """The common beginning of the trainings, if recording it costs less than it saves."""
    every = -(-trainer.num_blocks // _RECORDED_STATES)
    firsts = [int(removal.min()) // BLOCK_SIZE if len(removal) else 0 for removal in removals]
    saved = sum(first // every * every for first in firsts)
    return trainer.record_prefix(every) if saved > trainer.num_blocks else None
