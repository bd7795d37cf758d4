"""A journal that several processes may add to at the same time."""

import contextlib
import pathlib
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import filelock

from gr_tf.errors import DamagedError
from gr_tf.runs import files
from gr_tf.runs.journal import BEGINNING, Journal, Place, records_after

Returned = TypeVar("Returned")
_LOCK = ".lock"


class SharedJournal:
    """A journal, the only one of its folder: who adds a record waits until others have added theirs."""

    def __init__(self, path: pathlib.Path, fields: Collection[str]) -> None:
        """
        Args:
            path: the file; it is made with the first record.
            fields: the names that every record has.
        """
        self._path, self._fields = path, fields
        self._between_processes = filelock.FileLock(path.parent / _LOCK)  # A process that is killed loses it too.
        self._between_threads = threading.Lock()
        self._records, self._end = list[dict[str, Any]](), BEGINNING

    def records(self) -> Sequence[dict[str, Any]]:
        """All records that are there now, of any process.

        Raises:
            DamagedError: see Journal.
        """
        with self._between_threads:
            self._follow(*self._read(lambda after: records_after(self._path, self._fields, after)))
            return tuple(self._records)

    def add(self, record: dict[str, Any]) -> None:
        """Adds a record; a kill of this process no longer loses it.

        Raises:
            DamagedError: see Journal.
            InputError: if it cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._between_threads, self._between_processes:
            journal = self._read(lambda after: Journal(self._path, self._fields, after))
            with contextlib.closing(journal):
                journal.add(record)
            self._follow(journal.records, journal.end)

    def delete(self) -> None:
        """Deletes the journal, and nothing else in its folder."""
        if self._path.exists():
            with self._between_processes:
                files.delete(self._path)

    def _read(self, how: Callable[[Place], Returned]) -> Returned:
        """Reads from the last known place on; from the beginning if another process has begun the journal anew.

        Raises:
            DamagedError: see Journal.
        """
        try:
            return how(self._end)
        except DamagedError:
            self._records, self._end = [], BEGINNING
            return how(self._end)

    def _follow(self, new: Sequence[dict[str, Any]], end: Place) -> None:
        self._records += new
        self._end = end
