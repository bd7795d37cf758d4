"""Results of single pieces of long work, on disk as soon as they are known."""

import json
import pathlib
from collections.abc import Collection
from typing import Any, NamedTuple

from gr_tf.errors import DamagedError, InputError
from gr_tf.runs import files


class Place(NamedTuple):
    """A place between two records of a journal.

    Attributes:
        offset: where it is in the file, in bytes.
        records: how many come before it.
        checksum: of all of these.
    """

    offset: int = 0
    records: int = 0
    checksum: str = ""


BEGINNING = Place()


class Journal:
    """A JSON-lines file of records that are only ever added.

    A process that is killed leaves at most one unfinished last line, which is dropped when
    the journal is opened again. Each line ends with a checksum of all records so far, so that
    no line before the last can be edited, lost, or repeated without notice.
    """

    def __init__(self, path: pathlib.Path, fields: Collection[str] | None = None, after: Place = BEGINNING) -> None:
        """
        Args:
            path: the file.
            fields: the names that every record has.
            after: a place whose earlier records are known, and not read again; default: the beginning.

        Raises:
            DamagedError: if a line other than an unfinished last one is no such record, or was edited.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        # Those after the given place, and the place after them.
        self.records, self.end = records_after(path, fields, after)
        self._file = path.open("a+b")
        self._file.truncate(self.end.offset)

    def add(self, record: dict[str, Any]) -> None:
        """Adds a record; a kill of this process no longer loses it.

        Raises:
            InputError: if it cannot be written.
        """
        checksum = files.checksum_of(record, self.end.checksum)
        line = json.dumps({**record, files.CHECKSUM: checksum}, allow_nan=False).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written: {error.strerror or error}.") from None
        self.end = Place(self.end.offset + len(line), self.end.records + 1, checksum)
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
    return records_after(path, fields, BEGINNING)[0]


def records_after(
    path: pathlib.Path, fields: Collection[str] | None, after: Place
) -> tuple[list[dict[str, Any]], Place]:
    """The records of a journal after a place, and the place after them; the journal stays as it is.

    Raises:
        DamagedError: see Journal; also if what comes before the place is not what it was.
    """
    files.refuse_special(path)
    known = f'{after.checksum}"}}\n'.encode() if after.records else b""
    data = b""
    if path.exists():
        with path.open("rb") as file:
            file.seek(after.offset - len(known))
            data = file.read()
    if not data.startswith(known):
        raise DamagedError(f"{path}: its first {after.records} records are not those that were there.")
    data = data[len(known) :]
    whole = data[: data.rfind(b"\n") + 1]
    if not data[len(whole) :].startswith(b"{"[: len(data) - len(whole)]):
        raise DamagedError(f"{path}: damaged: its last line is not the beginning of a record.")
    before, records = after.checksum, list[dict[str, Any]]()
    for line_number, line in enumerate(whole.splitlines(), start=after.records + 1):
        record, checksum = _parsed(line)
        if record is None or (fields is not None and set(record) != set(fields)):
            raise DamagedError(f"{path}:{line_number}: damaged: not a record of this journal.")
        before = files.checksum_of(record, before)
        if checksum != before:
            raise DamagedError(f"{path}:{line_number}: edited, or not the line that followed: its checksum is another.")
        records.append(record)
    return records, Place(after.offset + len(whole), after.records + len(records), before)


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
