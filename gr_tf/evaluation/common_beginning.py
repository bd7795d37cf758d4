"""The common beginning of many trainings of one model, each without some examples: done once where that saves time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.evaluation.retraining import Retraining
from gr_tf.tasks.task import Task
from gr_tf.training.driver import Prefix, record_prefix

# How many states are kept in memory, each three times the size of the parameters.
_RECORDED_STATES = 16


def blocks_between(task: Task[Any], asked: Sequence[Retraining], workers: int = 1) -> int:
    """How many blocks apart states are recorded; 0: recording them costs more than it saves.

    Args:
        task: what is trained.
        asked: trainings of it, of equal length.
        workers: how many record the beginning, each for its part of the trainings.
    """
    blocks = task.steps.blocks(asked[0].length)
    per_epoch = next(place for place, block in enumerate(blocks, start=1) if block.ends is not None)
    every = -(-per_epoch // _RECORDED_STATES)
    firsts = [
        task.steps.first_block_with(np.array(one.removed)) if one.removed and not one.start else 0 for one in asked
    ]
    return every if sum(first // every * every for first in firsts) > per_epoch * workers else 0


def recorded(task: Task[Any], length: int, every: int) -> Prefix | None:
    """The beginning of a training of some length, recorded every so many blocks; None if that is 0."""
    if not every:
        return None
    return record_prefix(task.steps, task.initial_parameters, np.ones(task.num_examples, bool), length, every)
