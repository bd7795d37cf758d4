"""Replay of ratings: that of batches (block_replay), of trainings of which each rating's share is known."""

from typing import Any

from gr_tf.attribution.block_replay import BlockReplay, block_cost
from gr_tf.attribution.methods import register
from gr_tf.errors import InputError, argument
from gr_tf.tasks.task import Task


def _check(task: Task[Any]) -> None:
    """
    Raises:
        InputError: if nothing takes derivatives back over the task's steps.
    """
    if task.steps.backward() is None:
        raise InputError(
            f"replaying a training of ratings needs {argument('optimizer', 'sgd', 'adagrad')}; got "
            f"{argument('optimizer', task.config.optimizer)}."
        )


register(
    "replay",
    kinds=("ratings",),
    needs="trajectory",
    unit="stars",
    title="the derivative of the predicted rating by the rating's part in the training after the first epoch, through "
    "the rest of the training",
    cost=block_cost,
    check=_check,
    instead="fia",
)(BlockReplay)
