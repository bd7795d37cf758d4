"""Gradient Rollback's store: how each training triple changed its three rows, or each rating its two.

Lawrence et al. (2021), Equation 3: 3 * h * |D| numbers.
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from gr_tf.errors import InputError, TrainingError
from gr_tf.runs import files
from gr_tf.runs.engine import tf

_ARRAY, _KEPT = "deltas", "best_deltas"


class RollbackStore:
    """Accumulated row changes of every training example, in a variable; see DiskStore for those that are too many.

    Row [i, 0] is how example i changed its head's row, [i, 1] its relation's, [i, 2] its tail's. Where head and tail
    are the same entity, the change stands under head only. A rating has two rows, its user's and its item's.
    """

    def __init__(self, num_examples: int, width: int, dtype: str, rows: int = 3) -> None:
        """
        Args:
            num_examples: of the dataset.
            width: numbers in a row.
            dtype: of the training.
            rows: of an example, 3 of a triple, 2 of a rating.
        """
        self.shape = (num_examples, rows, width)
        self._deltas = tf.Variable(tf.zeros(self.shape, dtype), name="rollback")
        self._kept: np.ndarray | None = None

    def add(self, deltas: "tf.IndexedSlices") -> None:
        """Adds the changes of one block of steps.

        Args:
            deltas: values [block, rows, width]; indices [block], example ids.

        Raises:
            InputError: if the examples of the training have other rows.
            TrainingError: if a value is not finite, naming the example id.
        """
        wanted, told = self.shape[1:], tuple(deltas.values.shape[1:])
        if wanted != told:
            raise InputError(f"the store is for examples of {wanted[0]} rows of {wanted[1]} numbers; got {list(told)}.")
        # A sum is not finite if a value is not; the other way round it may have overflowed.
        if not tf.math.is_finite(tf.reduce_sum(deltas.values)):
            finite = tf.reduce_all(tf.math.is_finite(deltas.values), axis=[1, 2])
            if not tf.reduce_all(finite):
                example_id = int(deltas.indices[tf.argmin(tf.cast(finite, tf.int32))])
                raise TrainingError(f"the change made by example {example_id} is not finite.")
        self._add(deltas)

    def _add(self, deltas: "tf.IndexedSlices") -> None:
        self._deltas.scatter_add(deltas)

    def clear(self) -> None:
        """Sets all deltas to zero, and remembers nothing any more."""
        self.forget()
        self._deltas.assign(tf.zeros_like(self._deltas))

    def to_numpy(self) -> np.ndarray:
        """A copy of the deltas, [num_examples, rows, width]."""
        return np.array(self._deltas.numpy())

    def assign(self, deltas: np.ndarray) -> None:
        """Replaces the deltas, [num_examples, rows, width]."""
        self._deltas.assign(deltas)

    def keep(self) -> None:
        """Remembers the deltas as they are, instead of those remembered before."""
        self._kept = self.to_numpy()

    def forget(self) -> None:
        """Remembers nothing any more."""
        self._kept = None

    def take_kept(self) -> None:
        """Takes the remembered deltas, if there are any, instead of the present ones."""
        if self._kept is not None:
            self.assign(self._kept)
            self.forget()

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The deltas, and those remembered, for a checkpoint."""
        kept = {} if self._kept is None else {_KEPT: self._kept}
        return {_ARRAY: self._deltas.numpy(), **kept}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Takes what `to_arrays` gave."""
        self.forget()
        if _KEPT in arrays:
            self.assign(arrays[_KEPT])
            self.keep()
        self.assign(arrays[_ARRAY])

    def close(self) -> None:
        """Ends the store's use: files of its own are removed."""

    def save(self, folder: pathlib.Path) -> None:
        """Writes the deltas as a new folder that `load_deltas` maps into memory."""
        files.write_arrays(folder, {_ARRAY: self.to_arrays()[_ARRAY]})


def load_deltas(folder: pathlib.Path) -> np.ndarray:
    """The deltas [num_examples, rows, width] that `RollbackStore.save` wrote, left on disk.

    Raises:
        InputError: if the folder is not a rollback store, or its array was truncated or edited.
    """
    arrays, _ = files.read_arrays(folder, memory_map=True)
    if _ARRAY not in arrays:
        raise InputError(f"{folder}: not a rollback store: it has no array {_ARRAY!r}.")
    return arrays[_ARRAY]
