"""What every explainer takes and gives."""

import abc
import dataclasses
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from gr_tf.errors import InputError

Asked = TypeVar("Asked")
Self = TypeVar("Self", bound="Explanation[Any]")


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation(abc.ABC, Generic[Asked]):
    """Training examples that made a model predict what it predicts, the most influential first.

    Attributes:
        query: what is explained.
        example_ids: [k].
        influences: [k], descending; positive means that the example supports the prediction.
    """

    query: Asked
    example_ids: np.ndarray
    influences: np.ndarray

    @property
    @abc.abstractmethod
    def frame(self) -> pd.DataFrame:
        """The explanation as a table, an example a row."""

    def first(self: Self, k: int | None) -> Self:
        """The first k examples; None: all whose influence is at least 0.

        Raises:
            InputError: if k is below 1.
        """
        return self.only(self.influences >= 0 if k is None else slice(checked_k(k)))

    @property
    def num_supporting(self) -> int:
        """How many examples have influence >= 0."""
        return int((self.influences >= 0).sum())

    def only(self: Self, chosen: slice | np.ndarray) -> Self:
        """Some of the examples: a slice, a mask [k] or places."""
        return dataclasses.replace(self, example_ids=self.example_ids[chosen], influences=self.influences[chosen])


def checked_k(k: int) -> int:
    """k, if so many examples can be asked for.

    Raises:
        InputError: if it is below 1.
    """
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}.")
    return k


Explained = TypeVar("Explained", bound=Explanation[Any])


class Explainer(abc.ABC, Generic[Asked, Explained]):
    """Scores training examples by how much they support a prediction."""

    @abc.abstractmethod
    def rank(self, query: Asked) -> Explained:
        """All examples that the method considers, by descending influence, equals by example id."""

    @abc.abstractmethod
    def query_of(self, example_id: int) -> Asked:
        """The query that a training example answers."""

    def self_influence(self, example_ids: np.ndarray) -> np.ndarray:
        """The influence [n] of training examples on their own predictions.

        Large where the model knows an example only by itself: an outlier, or a mistake (Koh and Liang
        2017, Pruthi et al. 2020).

        Args:
            example_ids: [n].
        """
        return np.array([self._own_influence(int(example_id)) for example_id in example_ids])

    def _own_influence(self, example_id: int) -> float:
        explanation = self.rank(self.query_of(example_id))
        return float(explanation.influences[explanation.example_ids == example_id][0])

    def explain(self, query: Asked, k: int | None = 10) -> Explained:
        """The k most influential examples; None: all whose influence is at least 0.

        Raises:
            InputError: if k is below 1.
        """
        return self.rank(query).first(k)
