"""Results of single pieces of long work, on disk as soon as they are known."""

import json
import pathlib
from collections.abc import Collection
from typing import Any

from gr_tf.errors import InputError


class Journal:
    """A JSON-lines file of records that are only ever added.

    A process that is killed leaves at most one unfinished last line, which is dropped when
    the journal is opened again.
    """

    def __init__(self, path: pathlib.Path, fields: Collection[str] | None = None) -> None:
        """
        Args:
            path: the file.
            fields: the names that every record has.

        Raises:
            InputError: if a line other than an unfinished last one is no such record.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("a+b")
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        self.records: list[dict[str, Any]] = []
        for line_number, line in enumerate(whole.splitlines(), start=1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict) or (fields is not None and set(record) != set(fields)):
                raise InputError(f"{path}:{line_number}: damaged: not a record of this journal.")
            self.records.append(record)

    def add(self, record: dict[str, Any]) -> None:
        """Adds a record; a kill of this process no longer loses it.

        Raises:
            InputError: if it cannot be written.
        """
        try:
            self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written: {error.strerror or error}.") from None
        self.records.append(record)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
