"""The data of a run that come from DataFrames: kept in the run's folder, so that everything finds them again."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, TypeVar

from gr_tf.data.dataset import Dataset
from gr_tf.data.frames import FrameData
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.kinds import KINDS

D = TypeVar("D", bound=Dataset)
# The run's stage.
STAGE = "data"


def read_frames(given: FrameData, name: str | None, split: Mapping[str, Any]) -> Dataset:
    """A dataset of DataFrames; see kinds.read_own.

    Raises:
        InputError: if they cannot be used, or a setting is unknown or out of range.
    """
    task = KINDS[given.kind]
    return task.of_frames(given, name, task.split_class.of_dict({**task.own_split, **split}))


def kept_in_run(dataset: D, given: FrameData, run_dir: pathlib.Path, *, overwrite: bool = False) -> D:
    """Writes the DataFrames of a dataset into a run's folder, as Parquet files; the result is read from there again.

    Args:
        dataset: see read_frames.
        given: what it was made of.
        run_dir: the run's folder.
        overwrite: replace other data that are there.

    Raises:
        InputError: if the run's folder has other data (without `overwrite`), or cannot be written.
    """
    asked = {"kind": given.kind, "DataFrame_fingerprint": given.fingerprint}
    with RunDir.begin(run_dir / STAGE, asked, overwrite=overwrite, reuse=True) as stage:
        if not stage.is_finished:
            for table_name, table in given.tables.items():
                with files.new_file(stage.place(f"{table_name}.parquet")) as temporary:
                    table.to_parquet(temporary, index=False)
            stage.finish({"rows": {table_name: len(table) for table_name, table in given.tables.items()}})
    return dataclasses.replace(dataset, source=str(stage.path.resolve()))  # type: ignore[type-var]
