"""The kinds of data by name, and how a task is made from data or again from its reference."""

import pathlib
import re
from collections.abc import Mapping
from typing import Any

from gr_tf.data.dataset import Dataset
from gr_tf.data.frames import IN_MEMORY
from gr_tf.errors import InputError, argument, short
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.reference import TaskReference
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.triples import TripleTask

# A Keras model's task is made in Python only.
KINDS: dict[str, type[Task[Any]]] = {task.kind: task for task in (TripleTask, RatingTask, SequenceTask, ChoiceTask)}


def served_as(kind: str) -> str:
    """The kind whose methods serve a kind of data: most often itself."""
    return (KINDS[kind].served_as if kind in KINDS else "") or kind


def in_words_of(kind: str, text: str) -> str:
    """A text about the kind that a kind of data is served as, in the kind's own words: see Task.words."""
    words = KINDS[kind].words if kind in KINDS else {}
    return re.sub(r"[a-z]+", lambda found: words.get(found[0], found[0]), text) if words else text


def read_own(kind: str, dataset: str | None, data_dir: str | pathlib.Path | None, split: Mapping[str, Any]) -> Dataset:
    """Reads a dataset by name, or data of one's own.

    Args:
        kind: a key of KINDS.
        dataset, data_dir: see Task.read.
        split: settings of the kind's split_class that are not the defaults for one's own data.

    Raises:
        InputError: if the data cannot be read, or a setting is unknown or out of range.
    """
    task = KINDS[kind]
    return task.read(dataset, data_dir, task.split_class.of_dict({**task.own_split, **split}))


def own_config(kind: str, dataset: Dataset, settings: Mapping[str, Any]) -> Any:
    """The configuration of a training on a dataset: what is not said is the dataset's own, or goes by its size.

    Args:
        kind: a key of KINDS.
        dataset: of the kind.
        settings: of the kind's config_class that are said.

    Raises:
        InputError: if a setting is unknown or out of range.
    """
    task = KINDS[kind]
    models = task.config_class.choices["model"]
    # What the dataset's own settings are depends on the model.
    if settings.get("model") not in (None, *models):
        raise InputError(
            f"{argument('model')} must be one of {', '.join(models)} for {kind}; got {short(settings['model'])}."
        )
    return task.config_class.of_dict({**task.own_settings(dataset, settings), **settings})


def read(reference: TaskReference) -> Dataset:
    """Reads a task's dataset again, from its folder, the package, or its official address.

    Raises:
        InputError: if it cannot be read, or is no longer the same.
    """
    if reference.source == IN_MEMORY:
        raise InputError(
            "the data that were trained on were a DataFrame in the memory of the process that trained: give them again "
            "(train=, with the same run_dir), or train with ask(train=..., run_dir=...), which keeps them in the run."
        )
    dataset = KINDS[reference.kind].read(reference.dataset, reference.source, reference.split)
    if dataset.checksum != reference.checksum:
        raise InputError(f"{reference.source or reference.dataset}: is not the data that was trained on any more.")
    return dataset


def make(reference: TaskReference) -> Task[Any]:
    """A task from its reference.

    Raises:
        InputError: if its data cannot be read, or it had initial values of its own.
    """
    if reference.initial:
        raise InputError("a task with initial values of its own cannot be made from its reference.")
    return KINDS[reference.kind](read(reference), reference.config)
