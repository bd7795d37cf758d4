"""Flags of the binaries that train several seeds."""

from typing import Any, TypeVar

from absl import flags

from gr_tf.tasks.task import Task

T = TypeVar("T", bound=Task[Any])
NUM_SEEDS = flags.DEFINE_integer("num_seeds", 1, "How many seeds, counted up from --seed.", lower_bound=1)


def tasks(task: T) -> list[T]:
    """The task with each of the seeds."""
    return [task.with_config(seed=task.config.seed + number) for number in range(NUM_SEEDS.value)]
