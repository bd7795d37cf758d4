"""Predictions without what training examples did."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gr_tf.types import Ids


class Bounds(NamedTuple):
    """Bounds of n numbers.

    Attributes:
        lower, upper: [n].
        refine: from ascending places to better bounds [m], lower and upper; they cost more.
    """

    lower: np.ndarray
    upper: np.ndarray
    refine: Callable[[Ids], tuple[np.ndarray, np.ndarray]]


class RolledBack(abc.ABC):
    """Predictions of one trained model without what training examples did (Lawrence et al. 2021, Equation 4)."""

    @abc.abstractmethod
    def without(self, query: Any, example_ids: Ids) -> tuple[float, np.ndarray]:
        """The value of a query, and [n] the same with each of n examples rolled back."""

    def without_few(self, query: Any, example_ids: Ids) -> tuple[float, np.ndarray]:
        """The same of a few examples; where it can be, to the bit what `without` gives them among many."""
        return self.without(query, example_ids)

    def bounds(self, query: Any, example_ids: Ids) -> Bounds | None:
        """Bounds of how much the value of a query falls with each of n examples rolled back.

        None where they cost as much as the values themselves.
        """
        return None

    @abc.abstractmethod
    def own(self, example_ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """The values [n] of the examples' own queries, and [n] the same with each example itself rolled back."""

    @abc.abstractmethod
    def together(self, query: Any, example_ids: Ids) -> float:
        """The value of a query with all that some examples did rolled back at once."""
