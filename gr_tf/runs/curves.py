"""Training curves for TensorBoard."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np

from gr_tf.errors import InputError
from gr_tf.runs.engine import reason_of, tf


class Curves:
    """Writes numbers by name as TensorBoard scalars, a step at a time; a context.

    Raises:
        InputError: by each method, if something cannot be written, as on a full disk.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        with self._told():
            self._writer = tf.summary.create_file_writer(str(folder))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the numbers of one step."""
        with self._told(), np.errstate(over="ignore"):
            with self._writer.as_default(step=step):
                for name, value in values.items():
                    tf.summary.scalar(name, np.float32(value))  # what is too large is infinite
            self._writer.flush()

    def __enter__(self) -> "Curves":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # What went wrong first is what is told.
        with contextlib.suppress(InputError) if kind else contextlib.nullcontext(), self._told():
            self._writer.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except tf.errors.OpError as error:
            raise InputError(f"{self._folder}: cannot be written (is the disk full?): {reason_of(error)}.") from None
