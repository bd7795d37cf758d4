"""What is seen of a prediction, or of a combination of predictions, in a trained model."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gr_tf.attribution.combined import Combination
from gr_tf.evaluation.retraining import MEASURES
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.task import Task

# Of a difference: which of the two predictions is ahead.
FIRST, OTHER = 0, 1


class Look(NamedTuple):
    """One look at a model.

    Attributes:
        value: what is explained.
        best: the best answer, an id; of a difference FIRST or OTHER; None: there is none, or many.
        values: of a combination, the value of each of its queries.
    """

    value: float
    best: int | None
    values: tuple[float, ...] = ()

    @property
    def pair(self) -> tuple[float, float]:
        """The two values of a difference."""
        mine, other = self.values
        return mine, other


def measure_of(query: Any) -> tuple[str, tuple[Any, ...]]:
    """What a retraining is to measure for a look: a key of MEASURES, and its queries."""
    return ("values", query.queries) if isinstance(query, Combination) else ("answers", (query,))


def look_of(query: Any, measured: Any) -> Look:
    """The look at a model on which this was measured, see `measure_of`."""
    if not isinstance(query, Combination):
        ((value, best),) = measured
        return Look(value, best)
    if not query.is_difference:
        return Look(query.of(measured), None, tuple(measured))
    mine, other = measured
    return Look(query.of(measured), OTHER if other > mine else FIRST, (mine, other))


def look_at(task: Task[Any], parameters: Parameters, query: Any) -> Look:
    """A look at trained parameters."""
    measure, queries = measure_of(query)
    return look_of(query, MEASURES[measure](task, parameters, queries))


def value_at(task: Task[Any], parameters: Parameters, query: Any) -> float:
    """`Look.value` at trained parameters, without the rest."""
    if isinstance(query, Combination):
        return look_at(task, parameters, query).value
    (value,) = MEASURES["value"](task, parameters, (query,))
    return float(value)


def explained_answer(task: Task[Any], query: Any) -> int | None:
    """`Look.best` if the explained answer is the best one; None: no look has one."""
    if isinstance(query, Combination):
        return FIRST if query.is_difference else None
    return task.answer_of(query)


def num_fallen(query: Any, before: Look, after: Look) -> int | None:
    """For how many queries of a sum the value is lower than before; None: it is no sum."""
    if not isinstance(query, Combination) or query.is_difference:
        return None
    changes: Sequence[float] = [now - then for then, now in zip(before.values, after.values, strict=True)]
    return sum(change < 0 for change in changes)
