"""The trainings that an explanation is averaged over: done once, and kept in the run's folder for later questions."""

import os
from collections.abc import Iterator
from typing import Any

from gr_tf.errors import InputError
from gr_tf.runs.progress import Progress, progress
from gr_tf.runs.run_dir import RESULT
from gr_tf.tasks import stage
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory

# Their folder in the run's.
MEMBERS = "members"


def other_members(trained: Trained, first: int, end: int) -> Iterator[Trained]:
    """Trainings like a model from other seeds, for the same length.

    Those of a model in a run's folder are found in its MEMBERS, or done now and kept there, if it can be written.

    Args:
        trained: the model; it is the member of number 0.
        first, end: the members' numbers, without `end`; they are added to the seeds.

    Raises:
        InputError: if the model was trained elsewhere, or a member's folder was damaged.
    """
    if trained.given:
        raise InputError("the training of a given model is not known: there are no others like it to average over.")
    # A seed that is out of range is refused before the first of them.
    members = {number: trained.task.member(number) for number in range(first, end)}
    blocks = len(trained.task.steps.blocks(trained.length))
    with progress(f"{end - first} more trainings", (end - first) * blocks) as bar:
        for number, member in members.items():
            yield _member(trained, number, member, bar, blocks)


def _member(trained: Trained, number: int, member: Task[Any], bar: Progress, blocks: int) -> Trained:
    length, tracking = trained.length, trained.deltas is not None
    if trained.path is None or not os.access(trained.path.parent, os.W_OK):
        found = train_in_memory(member, length=length, tracking=tracking)
        bar.pass_over(blocks)
        return found
    folder = trained.path.parent / MEMBERS / str(number)
    if (folder / stage.STAGE / RESULT).exists():
        bar.pass_over(blocks)
    stage.train(member, folder, reuse=True, replace=True, length=length, tracking=tracking, bar=bar)
    return stage.load(folder, member.dataset)
