"""Gradient Rollback's store on disk, for as many examples as memory does not hold."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

import numpy as np

from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.engine import tf
from gr_tf.training.rollback_store import RollbackStore

# A store of more bytes is on disk, where there is a folder for it.
MOST_IN_MEMORY = 1 << 29


class DiskStore(RollbackStore):
    """The same as RollbackStore, to the bit, in files that are mapped into memory.

    The system keeps in memory what is in use, and drops it where others need memory.
    """

    def __init__(self, num_examples: int, width: int, dtype: str, rows: int, folder: pathlib.Path) -> None:
        """
        Args:
            num_examples, width, dtype, rows: see RollbackStore.
            folder: of the files; replaced if it exists.
        """
        self.shape = (num_examples, rows, width)
        self._dtype, self._folder = np.dtype(dtype), folder
        files.delete(folder)
        folder.mkdir(parents=True)
        self._has_kept = False
        self.clear()

    def _mapped(self, name: str, mode: str) -> np.ndarray:
        found: np.ndarray = np.lib.format.open_memmap(
            self._folder / f"{name}.npy", mode=mode, dtype=self._dtype, shape=self.shape
        )
        return found

    @contextlib.contextmanager
    def _whole(self, name: str) -> Iterator[pathlib.Path]:
        """The path of a file, whose blocks are on disk at the end: later a full disk would end the process.

        Raises:
            InputError: if there is no room.
        """
        path = self._folder / f"{name}.npy"
        try:
            yield path
            if hasattr(os, "posix_fallocate"):
                with path.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise InputError(f"{path}: cannot be written whole (is the disk full?): {error.strerror}.") from None

    def _add(self, deltas: "tf.IndexedSlices") -> None:
        ids, values = deltas.indices.numpy(), deltas.values.numpy()
        if len(np.unique(ids)) == len(ids):
            self._changes[ids] += values
        else:
            np.add.at(self._changes, ids, values)

    def clear(self) -> None:
        """See RollbackStore."""
        self.forget()
        with self._whole("changes"):
            self._changes = self._mapped("changes", "w+")  # a new file is full of zeros

    def to_numpy(self) -> np.ndarray:
        """See RollbackStore; in memory."""
        return np.array(self._changes)

    def assign(self, deltas: np.ndarray) -> None:
        """See RollbackStore."""
        self._changes[:] = deltas

    def keep(self) -> None:
        """See RollbackStore."""
        self._changes.flush()  # type: ignore[attr-defined]
        with self._whole("kept") as path:
            shutil.copyfile(self._folder / "changes.npy", path)
        self._has_kept = True

    def forget(self) -> None:
        """See RollbackStore."""
        self._has_kept = False
        (self._folder / "kept.npy").unlink(missing_ok=True)

    def take_kept(self) -> None:
        """See RollbackStore."""
        if self._has_kept:
            (self._folder / "kept.npy").rename(self._folder / "changes.npy")
            self._has_kept = False
            self._changes = self._mapped("changes", "r+")

    def to_arrays(self) -> dict[str, np.ndarray]:
        """See RollbackStore; left on disk."""
        kept = {"best_deltas": self._mapped("kept", "r+")} if self._has_kept else {}
        return {"deltas": self._changes, **kept}

    def close(self) -> None:
        """See RollbackStore."""
        del self._changes
        files.delete(self._folder)


def store_of(num_examples: int, width: int, dtype: str, rows: int, folder: pathlib.Path | None = None) -> RollbackStore:
    """A store in memory, or on disk if it is large and there is a folder for it.

    Args:
        num_examples, width, dtype, rows: see RollbackStore.
        folder: for its files; replaced if it exists.
    """
    if folder is not None and num_examples * width * rows * np.dtype(dtype).itemsize > MOST_IN_MEMORY:
        return DiskStore(num_examples, width, dtype, rows, folder)
    return RollbackStore(num_examples, width, dtype, rows)
