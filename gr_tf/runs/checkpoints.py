"""Checkpoints of unfinished work; after a kill the newest whole one is found again."""

import pathlib
import shutil
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from gr_tf.errors import InputError
from gr_tf.runs import files

_PREFIX = "checkpoint-"


class CheckpointFolder:
    """A folder that holds the newest checkpoint.

    Args:
        folder: where; created when first written.
        every_seconds: how old the newest checkpoint may become before the next is due.
    """

    def __init__(self, folder: pathlib.Path, every_seconds: float = 30.0) -> None:
        self._folder = folder
        self._every_seconds = every_seconds
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether the next checkpoint should be written now."""
        return time.monotonic() - self._last >= self._every_seconds

    def save(self, arrays: Mapping[str, np.ndarray], meta: Any) -> None:
        """Writes a checkpoint, then deletes the older ones."""
        older = self._numbers()
        files.write_arrays(self._path(max(older, default=0) + 1), arrays, meta)
        for number in older:
            shutil.rmtree(self._path(number))
        self._last = time.monotonic()

    def newest(self) -> tuple[dict[str, np.ndarray], Any] | None:
        """The newest checkpoint's arrays and meta value, or None.

        Raises:
            InputError: if it was damaged, or the folder has something else that is called a checkpoint.
        """
        numbers = self._numbers()
        return files.read_arrays(self._path(max(numbers))) if numbers else None

    def clear(self) -> None:
        """Deletes all checkpoints, when the work is finished and saved elsewhere."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, number: int) -> pathlib.Path:
        return self._folder / f"{_PREFIX}{number:08d}"

    def _numbers(self) -> list[int]:
        paths = list(self._folder.glob(f"{_PREFIX}*"))
        for path in paths:
            if not path.name.removeprefix(_PREFIX).isdecimal():
                raise InputError(f"{path}: not a checkpoint of gr_tf: remove it.")
        return [int(path.name.removeprefix(_PREFIX)) for path in paths]
