"""Results of single pieces of long work, on disk as soon as they are known."""

import json
import pathlib
from collections.abc import Collection
from typing import Any

from gr_tf.errors import DamagedError, InputError
from gr_tf.runs import files


class Journal:
    """A JSON-lines file of records that are only ever added.

    A process that is killed leaves at most one unfinished last line, which is dropped when
    the journal is opened again. Each line ends with a checksum of all records so far, so that
    no line before the last can be edited, lost, or repeated without notice.
    """

    def __init__(self, path: pathlib.Path, fields: Collection[str] | None = None) -> None:
        """
        Args:
            path: the file.
            fields: the names that every record has.

        Raises:
            DamagedError: if a line other than an unfinished last one is no such record, or was edited.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.records, self._checksum, whole = _read(path, fields)
        self._file = path.open("a+b")
        self._file.truncate(whole)

    def add(self, record: dict[str, Any]) -> None:
        """Adds a record; a kill of this process no longer loses it.

        Raises:
            InputError: if it cannot be written.
        """
        checksum = files.checksum_of(record, self._checksum)
        line = json.dumps({**record, files.CHECKSUM: checksum}, allow_nan=False).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written: {error.strerror or error}.") from None
        self._checksum = checksum
        self.records.append(record)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_journal(path: pathlib.Path, fields: Collection[str] | None = None) -> list[dict[str, Any]]:
    """The records of a journal, which stays as it is, and which another process may be writing.

    Args:
        path, fields: see Journal; no records if there is no file.

    Raises:
        DamagedError: see Journal.
    """
    return _read(path, fields)[0]


def _read(path: pathlib.Path, fields: Collection[str] | None) -> tuple[list[dict[str, Any]], str, int]:
    """The records of a journal, the checksum of them all, and how many bytes they are.

    Raises:
        DamagedError: see Journal.
    """
    files.refuse_special(path)
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if not data[len(whole) :].startswith(b"{"[: len(data) - len(whole)]):
        raise DamagedError(f"{path}: damaged: its last line is not the beginning of a record.")
    before, records = "", list[dict[str, Any]]()
    for line_number, line in enumerate(whole.splitlines(), start=1):
        record, checksum = _parsed(line)
        if record is None or (fields is not None and set(record) != set(fields)):
            raise DamagedError(f"{path}:{line_number}: damaged: not a record of this journal.")
        before = files.checksum_of(record, before)
        if checksum != before:
            raise DamagedError(f"{path}:{line_number}: edited, or not the line that followed: its checksum is another.")
        records.append(record)
    return records, before, len(whole)


def _parsed(line: bytes) -> tuple[dict[str, Any] | None, Any]:
    """A line's record, or None if it has none, and the checksum that it ends with."""
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            return None, None
        checksum = record.pop(files.CHECKSUM, None)
        files.checksum_of(record)  # refuses NaN
    except (ValueError, RecursionError):
        return None, None
    return record, checksum
