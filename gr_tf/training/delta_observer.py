"""What a training at batch size 1 tells of its steps: how they changed the rows of their examples."""

from typing import Protocol

import numpy as np
import tensorflow as tf


class DeltaObserver(Protocol):
    """Accumulates what training examples changed; see attribution.RollbackStore."""

    def add(self, deltas: "tf.IndexedSlices") -> None:
        """Takes the changes of one block: values [block, rows, width], indices example ids."""

    def clear(self) -> None:
        """Forgets everything accumulated so far."""

    def to_numpy(self) -> np.ndarray:
        """Everything accumulated so far."""

    def assign(self, deltas: np.ndarray) -> None:
        """Replaces everything accumulated so far."""
