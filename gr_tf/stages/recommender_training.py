"""What the training stages of recommenders have in common: what was asked, and on which dataset."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.data.sequences import SequenceSet, SequenceSplit
from gr_tf.errors import InputError
from gr_tf.report.run_dir import RunDir

STAGE = "train"


Dataset = TypeVar("Dataset", RatingSet, SequenceSet)


def begin(
    run_dir: pathlib.Path,
    dataset: RatingSet | SequenceSet,
    split: RatingSplit | SequenceSplit,
    config: Mapping[str, Any],
    *,
    overwrite: bool,
) -> RunDir:
    """Starts or continues the stage, or opens it finished (see RunDir.begin).

    Args:
        run_dir: the run's folder; the training's is its subfolder "train".
        dataset: what is trained on.
        split: how it was split.
        config: the settings, as JSON.
        overwrite: drop a training with other settings.

    Raises:
        InputError: if the folder cannot be used.
    """
    settings = {
        "dataset": dataset.name,
        "data_dir": dataset.source,
        "split": dataclasses.asdict(split),
        "checksum": dataset.checksum,
        "config": config,
    }
    return RunDir.begin(run_dir / STAGE, settings, replace=overwrite, reuse=True)


def finished(
    run_dir: pathlib.Path,
    what: str,
    dataset: Dataset | None,
    read: Callable[[str, str | None, Mapping[str, Any]], Dataset],
) -> tuple[RunDir, Dataset]:
    """The finished stage of a run's folder, and its dataset.

    Args:
        run_dir: the folder.
        what: "a training of ...", for the message.
        dataset: if it is at hand.
        read: reads it, from its name, folder and split, if not.

    Raises:
        InputError: if the stage is absent or unfinished, or the dataset is no longer the one it was trained on.
    """
    stage = RunDir.finished(run_dir / STAGE, what)
    settings = stage.settings
    if dataset is None:
        dataset = read(settings["dataset"], settings["data_dir"], settings["split"])
    if dataset.checksum != settings["checksum"]:
        raise InputError(f"{stage.path} was trained on other data than {dataset.source or dataset.name} has.")
    return stage, dataset
