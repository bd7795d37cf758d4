"""Predictions without what training examples did."""

import abc
from typing import Any

import numpy as np

from gr_tf.types import Ids


class RolledBack(abc.ABC):
    """Predictions of one trained model without what training examples did (Lawrence et al. 2021, Equation 4)."""

    @abc.abstractmethod
    def without(self, query: Any, example_ids: Ids) -> tuple[float, np.ndarray]:
        """The value of a query, and [n] the same with each of n examples rolled back."""

    @abc.abstractmethod
    def own(self, example_ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """The values [n] of the examples' own queries, and [n] the same with each example itself rolled back."""

    @abc.abstractmethod
    def together(self, query: Any, example_ids: Ids) -> float:
        """The value of a query with all that some examples did rolled back at once."""
