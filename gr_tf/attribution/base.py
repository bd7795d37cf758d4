"""The contract of explainers: what each takes and gives, and what is derived from it."""

import abc
import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from gr_tf.attribution.hessian import Diagnostics
from gr_tf.data.dataset import Dataset
from gr_tf.errors import InputError, short, whole_number
from gr_tf.runs import html_text
from gr_tf.runs.engine import scipy
from gr_tf.tasks.task import Task
from gr_tf.types import Ids

Q = TypeVar("Q")
# Examples whose self-influences are computed together.
_EXAMPLES_AT_ONCE = 512
# A notebook shows so many.
_EXAMPLES_SHOWN = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Influences:
    """What a method says of the examples that it considers for one query.

    Attributes:
        example_ids: [n], ascending: the examples that the method considers.
        values: [n] float64; positive means that the example supports the prediction.
        prediction: the value that is explained.
        without: [n], the estimated prediction without each example; None if the method does not estimate it.
        systems: how each of the method's systems was solved.
        standard_errors: [n], of values that are means over several trainings; else None.
        agreeing: [n], in how many of these trainings the value has the sign of the mean; else None.
        num_trainings: how many trainings the values are means over.
        sign_chances: [n], the chances that retraining shows the value's sign on average; None if the method does not
            tell. The standard errors are then those of what retraining shows, not of the mean of the values alone.
        warnings: reasons to doubt these influences, beside those that systems and standard errors give.
    """

    example_ids: Ids
    values: np.ndarray
    prediction: float
    without: np.ndarray | None = None
    systems: tuple[Diagnostics, ...] = ()
    standard_errors: np.ndarray | None = None
    agreeing: np.ndarray | None = None
    num_trainings: int = 1
    sign_chances: np.ndarray | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Influences({len(self.values):,} examples, prediction {self.prediction:.4g}{_range(self.values)})"

    def __post_init__(self) -> None:
        ids, values = np.asarray(self.example_ids), np.asarray(self.values, np.float64)
        if ids.ndim != 1 or ids.shape != values.shape:
            raise InputError(
                f"influences are rows of ids and of as many values; got shapes {ids.shape} and {values.shape}."
            )
        if len(ids) and (ids.dtype.kind not in "iu" or ids[0] < 0 or (ids[1:] <= ids[:-1]).any()):
            raise InputError(f"influences are of example ids from 0 on, ascending, each once; got {short(ids)}.")
        bad = ids[~np.isfinite(values)]
        if len(bad):
            raise not_finite("influence", bad)
        object.__setattr__(self, "example_ids", ids)
        object.__setattr__(self, "values", values)


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation(Generic[Q]):
    """Training examples that made a model predict what it predicts, the most influential first.

    Attributes:
        query: what is explained.
        example_ids: [k].
        influences: [k], descending; positive means that the example supports the prediction.
        prediction: the value that is explained.
        without: [k], the estimated prediction without each example; NaN where the method does not estimate it.
        systems: how each of the method's systems was solved.
        standard_errors: [k], of influences that are means over several trainings; else None.
        agreeing: [k], in how many of these trainings the influence has the sign of the mean; else None.
        num_trainings: how many trainings the influences are means over.
        sign_chances: [k], see Influences; else None.
        warnings: see Influences.
        dataset: of the examples.
    """

    query: Q
    example_ids: Ids
    influences: np.ndarray
    prediction: float
    without: np.ndarray
    dataset: Dataset = dataclasses.field(repr=False)
    systems: tuple[Diagnostics, ...] = ()
    standard_errors: np.ndarray | None = None
    agreeing: np.ndarray | None = None
    num_trainings: int = 1
    sign_chances: np.ndarray | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        told = f"{len(self.influences):,} examples of {short(self.dataset.name)}, prediction {self.prediction:.4g}"
        return f"Explanation({short(self.query)}; {told}{_range(self.influences)})"

    def _repr_html_(self) -> str:
        """For notebooks: the first examples by name."""
        first = self.only(slice(_EXAMPLES_SHOWN)).frame
        more = len(self.influences) - len(first)
        told = [html_text.line(f"and {more:,} more")] if more > 0 else []
        return html_text.block([html_text.line(repr(self), strong=True), html_text.table(first), *told])

    @classmethod
    def ranked(cls, query: Q, found: Influences, dataset: Dataset) -> "Explanation[Q]":
        """Ranks by descending influence, and equal influences by example id."""
        told = vars(found) | {"without": np.full(len(found.values), np.nan) if found.without is None else found.without}
        whole = cls(query=query, influences=told.pop("values"), dataset=dataset, **told)
        return whole.only(np.argsort(-found.values, kind="stable"))

    @property
    def frame(self) -> pd.DataFrame:
        """The explanation by name: the examples' columns, influence, prediction, prediction_without, example_id.

        With a column standard_error if there are any.
        """
        frame = self.dataset.train_frame.iloc[self.example_ids].reset_index(drop=True)
        told = frame.assign(
            influence=self.influences,
            prediction=self.prediction,
            prediction_without=self.without,
            example_id=self.example_ids,
        )
        return told if self.standard_errors is None else told.assign(standard_error=self.standard_errors)

    def first(self, k: int | None) -> "Explanation[Q]":
        """The first k examples; None: all whose influence is at least 0.

        Raises:
            InputError: if k is below 1.
        """
        return self.only(self.influences >= 0 if k is None else slice(checked_k(k)))

    @property
    def num_supporting(self) -> int:
        """How many examples have influence >= 0."""
        return int((self.influences >= 0).sum())

    def only(self, chosen: slice | np.ndarray) -> "Explanation[Q]":
        """Some of the examples: a slice, a mask [k] or places."""
        return dataclasses.replace(
            self,
            example_ids=self.example_ids[chosen],
            influences=self.influences[chosen],
            without=self.without[chosen],
            standard_errors=None if self.standard_errors is None else self.standard_errors[chosen],
            agreeing=None if self.agreeing is None else self.agreeing[chosen],
            sign_chances=None if self.sign_chances is None else self.sign_chances[chosen],
        )

    def opponents(self) -> "Explanation[Q]":
        """The examples of negative influence, the most negative first."""
        reverse = self.only(np.arange(len(self.influences))[::-1])
        return reverse.only(reverse.influences < 0)

    def strongest(self, k: int) -> "Explanation[Q]":
        """The first k of positive influence, then the k of the most negative influence, the most negative first.

        Raises:
            InputError: if k is below 1.
        """
        influences, k = self.influences, checked_k(k)
        return self.only(np.append(np.flatnonzero(influences > 0)[:k], np.flatnonzero(influences < 0)[::-1][:k]))

    def by_size(self) -> "Explanation[Q]":
        """The same, by descending |influence|, and equals by example id."""
        return self.only(np.lexsort((self.example_ids, -np.abs(self.influences))))

    @property
    def sign_is_certain(self) -> np.ndarray | None:
        """[k]: whether an influence's sign is certain among all k; None without standard errors.

        Student's t of each mean, and the false discovery rate over all k held at 5% (Benjamini and Hochberg 1995):
        the largest of many means stands out by chance alone. Ask it of a whole ranking, not of its first few.
        None also where the chances of the signs are known (see Influences): they say more.
        """
        if self.standard_errors is None or self.sign_chances is not None:
            return None
        errors = self.standard_errors
        sizes = np.divide(np.abs(self.influences), errors, out=np.full_like(errors, np.inf), where=errors > 0)
        sizes[self.influences == 0] = 0
        chances = 2 * scipy.stats.t.sf(sizes, self.num_trainings - 1)
        certain: np.ndarray = (
            scipy.stats.false_discovery_control(chances) <= 0.05 if len(chances) else np.zeros(0, bool)
        )
        return certain


def not_finite(what: str, example_ids: Ids) -> InputError:
    """That what is told of some examples, at least one, is not finite."""
    others = f", nor of {len(example_ids) - 1} others" if len(example_ids) > 1 else ""
    return InputError(f"the {what} of training example {example_ids[0]} is not finite{others}.")


def _range(influences: np.ndarray) -> str:
    """The largest and the smallest influence, for people."""
    return f", influences from {influences.max():+.4g} to {influences.min():+.4g}" if len(influences) else ""


def counted(warnings: Iterable[str], count: int, of: str) -> tuple[str, ...]:
    """Each warning once; if `count` things could give it, such as systems, with how many of them did."""
    told = collections.Counter(warnings).items()
    return tuple(f"{warning} ({times} of {count} {of})" if count > 1 else warning for warning, times in told)


def checked_k(k: int) -> int:
    """k, if it is a number of examples that can be asked for.

    Raises:
        InputError: if it is no whole number, or below 1.
    """
    return whole_number("k", k)


class Explainer(abc.ABC, Generic[Q]):
    """Says how much training examples support predictions.

    A method is a subclass with `influences`; all else is derived from it, here.

    Attributes:
        task: whose model is explained.
    """

    task: Task[Any]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(of {self.task!r})"

    @abc.abstractmethod
    def influences(self, queries: Sequence[Q]) -> list[Influences]:
        """How much the examples that the method considers for a query support its prediction, for each of some queries.

        Raises:
            InputError: if a query cannot be explained, naming it.
        """

    def rank_many(self, queries: Sequence[Q]) -> list[Explanation[Q]]:
        """Of each query, all examples that the method considers, by descending influence, equals by example id."""
        found = self._told(queries)
        return [Explanation.ranked(query, one, self.task.dataset) for query, one in zip(queries, found, strict=True)]

    def _told(self, queries: Sequence[Q]) -> list[Influences]:
        """What `influences` returns, if it can be.

        Raises:
            InputError: if it is not of each query, or of an example that is not there; see also `influences`.
        """
        found, count = self.influences(queries), self.task.num_examples
        if len(found) != len(queries):
            raise InputError(f"{type(self).__name__}: influences of {len(found)} queries, not of {len(queries)}.")
        for one in found:
            if len(one.example_ids) and one.example_ids[-1] >= count:
                raise InputError(
                    f"{type(self).__name__}: an influence of training example {one.example_ids[-1]}; there are {count}."
                )
        return found

    def rank(self, query: Q) -> Explanation[Q]:
        """All examples that the method considers, by descending influence, equals by example id."""
        return self.rank_many([query])[0]

    def rank_lazily(self, query: Q, k: int) -> Explanation[Q]:
        """As `rank`, but only the `strongest(k)` need be computed before others are asked for.

        They may differ from those of `rank` by the last bits, because other examples are computed with them.

        Raises:
            InputError: if k is below 1.
        """
        checked_k(k)
        return self.rank(query)

    def explain(self, query: Q, k: int | None = 10) -> Explanation[Q]:
        """The k most influential examples; None: all whose influence is at least 0.

        Raises:
            InputError: if k is below 1.
        """
        return self.rank(query).first(k)

    def matrix(self, queries: Sequence[Q]) -> np.ndarray:
        """[num_queries, num_examples]: the influences, 0 of examples that the method does not consider."""
        matrix = np.zeros((len(queries), self.task.num_examples))
        for row, found in zip(matrix, self._told(queries), strict=True):
            row[found.example_ids] = found.values
        return matrix

    def change_without(self, explanation: Explanation[Q], example_ids: Ids) -> float:
        """The estimated change of an explained prediction if some of the explanation's examples are all removed.

        By default the sum of what each changes alone.
        """
        return -float(explanation.influences[np.isin(explanation.example_ids, example_ids)].sum())

    def query_of(self, example_id: int) -> Q:
        """The query that a training example answers."""
        asked: Q = self.task.query_of(example_id)
        return asked

    def self_influence(self, example_ids: Ids) -> np.ndarray:
        """The influence [n] of training examples on their own predictions.

        Large where the model knows an example only by itself: an outlier, or a mistake (Koh and Liang
        2017, Pruthi et al. 2020).

        Args:
            example_ids: [n].
        """
        before, without = self.own_values(example_ids)
        return np.asarray(before - without, np.float64)

    def own_values(self, example_ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """The predictions [n] of examples' own queries, and [n] the same less each example's influence on its own."""
        before, own = np.zeros(len(example_ids)), np.zeros(len(example_ids))
        for first in range(0, len(example_ids), _EXAMPLES_AT_ONCE):
            part = example_ids[first : first + _EXAMPLES_AT_ONCE]
            found = self.influences([self.query_of(int(example_id)) for example_id in part])
            for place, (one, example_id) in enumerate(zip(found, part, strict=True), start=first):
                before[place] = one.prediction
                own[place] = one.values[np.searchsorted(one.example_ids, example_id)]
        return before, before - own

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt all influences of the explainer, a line each."""
        return ()


def in_parts(queries: Sequence[Q], size: int) -> list[Sequence[Q]]:
    """Queries in parts of at most `size`."""
    return [queries[first : first + size] for first in range(0, len(queries), size)]
