"""Explains weighted sums of predictions: one prediction rather than another, or the mean of many.

An influence is linear in what is explained, so that any method explains a sum by the sum of its influences.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Explanation, Influences, counted, in_parts
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.hessian import Diagnostics
from gr_tf.data.dataset import numbers_of
from gr_tf.errors import InputError
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.types import Ids

# Queries whose influences are in memory together.
_QUERIES_AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class Combination:
    """A weighted sum of the predictions of some queries.

    Attributes:
        queries: at least one.
        weights: of their predictions, as many.
    """

    queries: tuple[Any, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.queries or len(self.queries) != len(self.weights):
            raise InputError(
                f"a combination has as many weights as queries, at least one; got {len(self.queries)} queries and "
                f"{len(self.weights)} weights."
            )

    @classmethod
    def difference(cls, query: Any, other: Any) -> "Combination":
        """The prediction of a query, less that of another."""
        return cls((query, other), (1.0, -1.0))

    @classmethod
    def mean(cls, queries: Sequence[Any]) -> "Combination":
        """The mean prediction of some queries.

        Raises:
            InputError: if there is none.
        """
        return cls(tuple(queries), (1 / max(len(queries), 1),) * len(queries))

    @property
    def is_difference(self) -> bool:
        """Whether it is the prediction of one query less that of another."""
        return self.weights == (1.0, -1.0)

    def of(self, values: Sequence[float]) -> float:
        """The weighted sum of the queries' values."""
        return float(np.dot(self.weights, values))


def queries_of(query: Any) -> tuple[Any, ...]:
    """The queries of a combination; of any other query, itself."""
    return query.queries if isinstance(query, Combination) else (query,)


def related_to(task: Task[Any], query: Any) -> Ids:
    """The training examples that share something with a query, or with one of a combination's queries, ascending."""
    return np.flatnonzero(num_related(task, query))


def num_related(task: Task[Any], query: Any) -> np.ndarray:
    """With how many queries of a combination each training example [num_examples] shares something."""
    counts = np.zeros(task.num_examples, np.int64)
    for one in queries_of(query):
        counts[task.related(one)] += 1
    return counts


def all_numbers_of(query: Any) -> list[int]:
    """The ids of all queries of a combination, or of any other query; see data.dataset.numbers_of."""
    return [number for one in queries_of(query) for number in numbers_of(one)]


def combining(explainer: Explainer[Any]) -> Explainer[Combination]:
    """The explainer of combinations by the method of another explainer.

    Influences of an ensemble are combined in each training and then averaged, so that standard errors and signs are
    the combination's.
    """
    return explainer.of_each(combining) if isinstance(explainer, Ensemble) else Combined(explainer)


class Combined(Explainer[Combination]):
    """Explains combinations by the influences that another explainer finds for their queries.

    It considers every example that the other considers for one of the queries. Where it does not, an example has
    influence 0.
    """

    def __init__(self, explainer: Explainer[Any]) -> None:
        """
        Args:
            explainer: of the queries, of one training.
        """
        self._explainer, self.task = explainer, explainer.task

    def influences(self, queries: Sequence[Combination]) -> list[Influences]:
        """See Explainer; only a few queries' influences are in memory at once."""
        return [self._combined(one) for one in queries]

    def _combined(self, combination: Combination) -> Influences:
        values, without = np.zeros(self.task.num_examples), np.zeros(self.task.num_examples)
        considered = np.zeros(self.task.num_examples, bool)
        estimates, predictions = True, list[float]()
        systems: list[Diagnostics] = []
        warnings: list[str] = []
        for weight, found in self._found(combination):
            ids = found.example_ids
            considered[ids] = True
            values[ids] += weight * found.values
            predictions.append(found.prediction)
            systems += found.systems
            warnings += found.warnings
            if found.without is None:
                estimates = False
            else:
                without[ids] += weight * (np.asarray(found.without, np.float64) - found.prediction)
        prediction, ids = combination.of(predictions), np.flatnonzero(considered)
        return Influences(
            ids,
            values[ids],
            prediction,
            prediction + without[ids] if estimates else None,
            systems=tuple(systems),
            warnings=counted(warnings, len(predictions), "questions"),
        )

    def _found(self, combination: Combination) -> Iterator[tuple[float, Influences]]:
        """Yields the weight of each query, and its influences."""
        queries = list(zip(combination.weights, combination.queries, strict=True))
        with progress("questions explained", len(queries)) as bar:
            for part in in_parts(queries, _QUERIES_AT_ONCE):
                for (weight, _), one in zip(
                    part, self._explainer.influences([query for _, query in part]), strict=True
                ):
                    yield weight, one
                    if len(queries) > _QUERIES_AT_ONCE:
                        bar.advance()

    def change_without(self, explanation: Explanation[Combination], example_ids: Ids) -> float:
        """See Explainer; the weighted sum of the other explainer's estimates for each query.

        As in `influences`, an example changes nothing where the other explainer does not consider it.
        """
        if type(self._explainer).change_without is Explainer.change_without:
            return super().change_without(explanation, example_ids)  # The same: it is linear.
        combination = explanation.query
        changes = [
            self._explainer.change_without(ranked, example_ids[np.isin(example_ids, ranked.example_ids)])
            for part in in_parts(combination.queries, _QUERIES_AT_ONCE)
            for ranked in self._explainer.rank_many(part)
        ]
        return combination.of(changes)

    def query_of(self, example_id: int) -> Combination:
        """See Explainer; a combination of one query."""
        return Combination((self._explainer.query_of(example_id),), (1.0,))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The other explainer's."""
        return self._explainer.warnings
