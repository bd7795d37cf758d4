"""The parameters of a model, whatever its kind."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.types import Tensor

_SHARED = "shared_"


@dataclasses.dataclass(frozen=True, eq=False)
class Parameters:
    """Rows that examples look up, and arrays that all examples share.

    Attributes:
        table: [num_rows, width]: entities then relations, users then items, or items with the padding first.
        shared: arrays of any shapes: a network's weights, a global bias; empty for a knowledge graph's model.
    """

    table: np.ndarray
    shared: tuple[np.ndarray, ...] = ()

    def __repr__(self) -> str:
        shared = f", shared {[array.shape for array in self.shared]}" if self.shared else ""
        return f"Parameters(table {self.table.shape} {self.table.dtype}{shared})"

    @functools.cached_property
    def table_tensor(self) -> Tensor:
        """The table for TensorFlow; copied once, not by each operation."""
        return tf.constant(self.table)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The table, then the shared arrays."""
        return self.table, *self.shared

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray]) -> "Parameters":
        """From the table and the shared arrays."""
        return cls(arrays[0], tuple(arrays[1:]))

    def astype(self, dtype: str) -> "Parameters":
        """The same parameters in another precision."""
        return Parameters.of([array.astype(dtype) for array in self.arrays])

    @property
    def are_finite(self) -> bool:
        """Whether every number is finite."""
        return all(np.isfinite(array).all() for array in self.arrays)

    @property
    def checksum(self) -> str:
        """SHA-256 of the arrays' numbers."""
        return hashlib.sha256(b"".join(array.tobytes() for array in self.arrays)).hexdigest()

    def to_arrays(self, prefix: str = "") -> dict[str, np.ndarray]:
        """The arrays by name, for files: PREFIXtable, PREFIXshared_0, ..."""
        names = ("table", *(f"{_SHARED}{i}" for i in range(len(self.shared))))
        return {f"{prefix}{name}": array for name, array in zip(names, self.arrays, strict=True)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], prefix: str = "") -> "Parameters":
        """From `to_arrays`; arrays of other names are passed over."""
        count = sum(name.startswith(prefix + _SHARED) for name in arrays)
        return cls(arrays[f"{prefix}table"], tuple(arrays[f"{prefix}{_SHARED}{i}"] for i in range(count)))
