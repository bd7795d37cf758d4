"""Many trainings of one model, each without some examples, on every core."""

import concurrent.futures
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from gr_tf.errors import InputError
from gr_tf.training.trainer import Trainer

Measured = TypeVar("Measured")


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    if jobs < 1:
        raise InputError(f"jobs must be at least 1; got {jobs}.")

    def train(place: int) -> Measured:
        return measure(place, trainer.run(removed=removals[place], epochs=epochs).table)

    # Threads suffice: a compiled block computes outside Python's lock.
    executor = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        futures = [executor.submit(train, place) for place in range(len(removals))]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()
    finally:
        executor.shutdown(cancel_futures=True)
