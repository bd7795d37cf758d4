"""Gradient Rollback: undo what a training example did, and see what the model then predicts.

Lawrence et al. (2021), Equation 4 and "Identifying explanations": the influence of d' on the
prediction (s, r, o) is  p(o | s, r; w) - p(o | s, r; w - gamma[d']).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Explanation, Influences, checked_k
from gr_tf.attribution.lazy_explanation import LazyExplanation
from gr_tf.attribution.methods import register
from gr_tf.attribution.strongest import strongest
from gr_tf.errors import InputError, argument
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids


def _check(task: Task[Any]) -> None:
    """
    Raises:
        InputError: if the task's steps do not tell what each example changes.
    """
    if not task.steps.rows_per_example:
        raise InputError(f"Gradient Rollback needs a training that keeps what each example changes; {_HOW}.")


@register(
    "gr",
    kinds=("triples",),
    needs="deltas",
    unit="probability",
    estimates=True,
    default_for=("triples",),
    title="Gradient Rollback: the fall of the probability if what the triple did is undone",
)
@register(
    "gr",
    kinds=("ratings",),
    needs="deltas",
    unit="none; it ranks",
    title="Gradient Rollback: undoes what the rating did to its two rows; it ranks, but overestimates",
    check=_check,
)
class GradientRollback(Explainer[Any]):
    """Explains one trained model by the changes that its training examples caused; ranks the related examples."""

    def __init__(self, trained: Trained) -> None:
        """
        Raises:
            InputError: if the training kept no changes, or of another shape than the dataset's.
        """
        self.task = trained.task
        if trained.deltas is None:
            raise InputError(f"Gradient Rollback needs a training that kept what each example changed; {_HOW}.")
        self.rolled_back = trained.task.rolled_back(trained.parameters, trained.deltas)

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        found = []
        for query in queries:
            example_ids = self.task.related(query)
            before, after = self.rolled_back.without(query, example_ids)
            found.append(Influences(example_ids, np.asarray(before - after, np.float64), before, after))
        return found

    def considered(self, query: Any) -> Ids:
        """The examples that are ranked for a query, ascending."""
        return self.task.related(query)

    def rank_lazily(self, query: Any, k: int) -> Explanation[Any]:
        """See Explainer; bounds of all influences tell which few must be computed."""
        checked_k(k)
        example_ids = self.considered(query)
        bounds = self.rolled_back.bounds(query, example_ids)
        if bounds is None:
            return self.rank(query)
        parts: list[Influences] = []

        def exact(places: Ids) -> np.ndarray:
            before, after = self.rolled_back.without_few(query, ids := example_ids[places])
            parts.append(Influences(ids, np.asarray(before - after, np.float64), before, after))
            return parts[-1].values

        strongest(bounds, k, exact)
        found = Explanation.ranked(query, _together(parts), self.task.dataset)
        return LazyExplanation(found, k, len(example_ids), lambda: self.rank(query))

    def change_without(self, explanation: Explanation[Any], example_ids: Ids) -> float:
        """See Explainer; what they did is undone together."""
        query, nothing = explanation.query, np.zeros(0, np.int64)
        return self.rolled_back.together(query, example_ids) - self.rolled_back.together(query, nothing)

    def own_values(self, example_ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """See Explainer; of many examples at once."""
        return self.rolled_back.own(example_ids)


@register(
    "gr-o",
    kinds=("triples",),
    needs="deltas",
    unit="probability",
    estimates=True,
    title="Gradient Rollback of the triples with the same answer (tail) only, as CRIAGE has it",
)
class SameAnswerRollback(GradientRollback):
    """GR-O: ranks those of the related examples that have the query's answer (Lawrence et al. 2021, Table 2)."""

    def considered(self, query: Any) -> Ids:
        """See GradientRollback."""
        related = self.task.related(query)
        return related[self.task.have_answer(query, related)]

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer; the values are Gradient Rollback's own."""
        found = []
        for query, one in zip(queries, super().influences(queries), strict=True):
            same = self.task.have_answer(query, one.example_ids)
            assert one.without is not None
            found.append(Influences(one.example_ids[same], one.values[same], one.prediction, one.without[same]))
        return found


def _together(parts: Sequence[Influences]) -> Influences:
    """The influences of different examples on one query, in one."""
    ids, values, without = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("example_ids", "values", "without")
    )
    order = np.argsort(ids)
    return Influences(ids[order], values[order], parts[0].prediction, without[order])


_HOW = (
    f"of ratings, train with {argument('optimizer', 'sgd', 'adagrad')}, or {argument('batch_size', 1)}; sequences have "
    "none"
)
