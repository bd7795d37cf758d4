"""Complete rollback: Gradient Rollback that also undoes what a triple did to its negatives.

Equation 3 of Lawrence et al. (2021) keeps the changes of a triple's own three rows. Its steps also pushed the
rows of its random candidates, which are the same in every epoch; here these changes are undone too. (Adam's
momentum moves all other rows as well; no single triple causes that.)
"""

from collections.abc import Sequence

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.methods import register
from gr_tf.attribution.trajectory import Trajectory, check_replayable, replay_cost
from gr_tf.data.triples import TAIL, Query
from gr_tf.models.places import alternatives
from gr_tf.runs.engine import tf
from gr_tf.tasks.trained import Trained

# Numbers of the rolled-back tables that are in memory together.
_TABLE_NUMBERS = 1 << 22


@register(
    "rollback-all",
    kinds=("triples",),
    needs="steps",
    unit="probability",
    title="Gradient Rollback that also undoes what the triple did to its negatives; for small graphs",
    cost=replay_cost,
    check=check_replayable,
    instead="gr",
)
class CompleteRollback(Explainer[Query]):
    """Ranks all training triples of a training with Adam and dense steps; see Trajectory for the arguments."""

    def __init__(self, trained: Trained, *, segment: int = 256) -> None:
        self.task = trained.task
        self._model, self._triples = trained.task.model, trained.task.dataset
        trajectory = Trajectory(trained.task, trained.epoch, segment)
        self.table: np.ndarray = trajectory.table.numpy()
        self._rows, self._deltas = _changes(trajectory)

    def influences(self, queries: Sequence[Query]) -> list[Influences]:
        """See Explainer.

        Raises:
            InputError: if a tail cannot be predicted.
        """
        self._triples.check_queries(queries)
        together = max(1, _TABLE_NUMBERS // self.table.size)
        before = self._probabilities(self.table[None], queries)
        parts = []
        for first in range(0, len(self._rows), together):
            rows, deltas = self._rows[first : first + together], self._deltas[first : first + together]
            tables = np.repeat(self.table[None], len(rows), axis=0)
            # A row that repeats in a step has its change at its first place and 0 at the others.
            np.subtract.at(tables, (np.arange(len(rows))[:, None], rows), deltas)
            parts.append(self._probabilities(tables, queries))
        after = np.concatenate(parts).T
        everyone = np.arange(self.task.num_examples)
        return [
            Influences(everyone, np.asarray(value - without, np.float64), float(value), without)
            for value, without in zip(before[0], after, strict=True)
        ]

    def _probabilities(self, tables: np.ndarray, queries: Sequence[Query]) -> np.ndarray:
        """The probabilities [n, num_queries] of the answers under each of n tables [n, num_rows, width]."""
        if all(query.place == TAIL for query in queries):
            return self._tail_probabilities(tables, queries)
        each = [
            self._tail_probabilities(tables, [query]) if query.place == TAIL else self._probabilities_at(tables, query)
            for query in queries
        ]
        return np.concatenate(each, axis=1)

    def _probabilities_at(self, tables: np.ndarray, query: Query) -> np.ndarray:
        """The same [n, 1] of a query for a head or a relation."""
        heads, relations, tails = alternatives(self._model, query.triple, query.place).T
        scores = self._model.score(tables[:, heads], tables[:, relations], tables[:, tails])
        probabilities: np.ndarray = tf.nn.softmax(scores)[:, :1].numpy()
        return probabilities

    def _tail_probabilities(self, tables: np.ndarray, queries: Sequence[Query]) -> np.ndarray:
        """The same of queries for tails."""
        model = self._model
        asked = np.array([(query.head, query.relation, query.tail) for query in queries], np.int64).reshape(-1, 3)
        heads, relations, tails = asked.T
        head_rows, relation_rows = tables[:, heads], tables[:, relations + model.num_entities]
        scores = model.scores(head_rows, relation_rows, tables[:, model.columns])
        own = model.score(head_rows, relation_rows, tables[:, tails])
        probabilities: np.ndarray = tf.exp(own - tf.reduce_logsumexp(scores, axis=-1)).numpy()
        return probabilities


def _changes(trajectory: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """The rows [num_examples, k] that each example's steps touch, and what they did to them [..., width]."""
    num_examples, width = trajectory.task.num_examples, trajectory.task.model.width
    rows, deltas = None, None
    for segment in trajectory.segments:
        places = trajectory.rows(segment).numpy()
        tables = trajectory.states(segment)[0].numpy()
        if rows is None or deltas is None:
            rows = np.zeros((num_examples, places.shape[1]), places.dtype)
            deltas = np.zeros((num_examples, places.shape[1], width), tables.dtype)
        examples = slice(segment.first, segment.first + segment.size)
        steps = np.arange(segment.size)[:, None]
        rows[examples] = places
        deltas[examples] += tables[steps + 1, places] - tables[steps, places]
    assert rows is not None
    assert deltas is not None
    earlier = np.tril(rows[:, :, None] == rows[:, None, :], k=-1).any(axis=2)
    deltas[earlier] = 0
    return rows, deltas
