"""A run's folder that nobody named: it is deleted with what holds it, or when Python ends."""

import pathlib
import tempfile


class TemporaryRun:
    """A temporary folder for a run.

    Attributes:
        path: the folder; it is there as long as this object.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gr_tf-run-", ignore_cleanup_errors=True)
        self.path = pathlib.Path(self._folder.name)

    def __repr__(self) -> str:
        return f"temporary run {self.path}"
