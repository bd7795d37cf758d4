"""Results of single pieces of long work, on disk as soon as they are known."""

import json
import pathlib
from typing import Any

from gr_tf.errors import InputError


class Journal:
    """A JSON-lines file of records that are only ever added.

    A process that is killed leaves at most one unfinished last line, which is dropped when
    the journal is opened again.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """
        Raises:
            InputError: if a line other than an unfinished last one is not JSON.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        self.records: list[dict[str, Any]] = []
        for line_number, line in enumerate(whole.splitlines(), start=1):
            try:
                self.records.append(json.loads(line))
            except ValueError:
                raise InputError(f"{path}:{line_number}: damaged: not a JSON record.") from None

    def add(self, record: dict[str, Any]) -> None:
        """Adds a record; a kill of this process no longer loses it."""
        self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        self._file.flush()
        self.records.append(record)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
