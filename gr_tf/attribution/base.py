"""What every explainer takes and gives."""

import abc
import dataclasses
from collections.abc import Sequence
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
        standard_errors: [k], of influences that are means over several trainings; else None.
        num_trainings: that the influences are means over.
    """

    query: Asked
    example_ids: np.ndarray
    influences: np.ndarray
    standard_errors: np.ndarray | None = dataclasses.field(default=None, kw_only=True)
    num_trainings: int = dataclasses.field(default=1, kw_only=True)

    @property
    @abc.abstractmethod
    def frame(self) -> pd.DataFrame:
        """The explanation as a table, an example a row; with a column standard_error if there are any."""

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
        return dataclasses.replace(
            self,
            example_ids=self.example_ids[chosen],
            influences=self.influences[chosen],
            standard_errors=None if self.standard_errors is None else self.standard_errors[chosen],
        )

    def considering(self: Self, example_ids: np.ndarray) -> Self:
        """The same over more examples [n], ascending ids: those that it does not consider have influence 0."""
        influences = np.zeros(len(example_ids))
        influences[np.searchsorted(example_ids, self.example_ids)] = self.influences
        return dataclasses.replace(self, example_ids=example_ids, influences=influences)

    @classmethod
    @abc.abstractmethod
    def means(cls, explanations: Sequence[Any]) -> dict[str, Any]:
        """What a mean of explanations of one query has beside influences, by field; all over the same examples."""

    @property
    def sign_is_certain(self) -> np.ndarray | None:
        """[k]: whether the trainings agree on an influence's sign; None without standard errors.

        Student's t of each mean, and the false discovery rate over all k held at 5% (Benjamini and Hochberg 1995):
        the largest of many means stands out by chance alone. Ask it of a whole ranking, not of its first few.
        """
        if self.standard_errors is None:
            return None
        from scipy import stats  # here, because it is slow to import

        errors = self.standard_errors
        sizes = np.divide(np.abs(self.influences), errors, out=np.full_like(errors, np.inf), where=errors > 0)
        sizes[self.influences == 0] = 0
        chances = 2 * stats.t.sf(sizes, self.num_trainings - 1)
        certain: np.ndarray = stats.false_discovery_control(chances) <= 0.05 if len(chances) else np.zeros(0, bool)
        return certain

    def _with_errors(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame if self.standard_errors is None else frame.assign(standard_error=self.standard_errors)


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
