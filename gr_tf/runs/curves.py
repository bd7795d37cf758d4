"""Training curves for TensorBoard."""

import pathlib
from collections.abc import Mapping

import numpy as np

from gr_tf.runs.engine import tf


class Curves:
    """Writes numbers by name as TensorBoard scalars, a step at a time; a context."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Writes the numbers of one step."""
        with self._writer.as_default(step=step), np.errstate(over="ignore"):
            for name, value in values.items():
                tf.summary.scalar(name, np.float32(value))  # what is too large is infinite
        self._writer.flush()

    def __enter__(self) -> "Curves":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
