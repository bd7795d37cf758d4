"""Rolling back what training triples did: the probability of a tail, or of another part, without each."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from gr_tf.data.triples import TAIL, Query, TripleSet
from gr_tf.models.factor_model import FactorModel, TrilinearModel
from gr_tf.models.places import answer_rows, changed_rows, scored_as
from gr_tf.models.prediction import answer_probabilities
from gr_tf.runs.engine import tf
from gr_tf.tasks.place_rollback import PlaceRollback
from gr_tf.tasks.rollback_bounds import RollbackBounds
from gr_tf.tasks.rolled_back import Bounds, RolledBack
from gr_tf.types import Ids, Rows, Tensor

# Numbers of the rolled-back scores that are computed at once; four times as many take five times as long, because
# memory of such a size is fetched anew from the system for each operation.
_CHUNK_NUMBERS = 1 << 22
# Rows that a product of matrices treats alike; what is left of a division by it has other roundings.
_TOGETHER = 16
# So many scores are computed faster than bounded.
_FEW_SCORES = 1 << 20
# Methods of _TailRollback.
_WITHOUT, _OWN = "before_and_without", "before_and_after"


class TripleRollback(RolledBack):
    """p(answer | the two other parts) of one trained model without what training triples did to their rows.

    These are the rows of their head, relation and tail, and that of the inverse relation if the deltas have four rows.
    """

    def __init__(self, model: FactorModel, table: np.ndarray, deltas: np.ndarray, triples: TripleSet) -> None:
        """From the trained table [num_rows, width], and what the triples changed until the same epoch.

        The deltas [num_examples, 3 or 4, width] may be in memory or mapped from disk.
        """
        self._model, self._deltas, self._triples = model, deltas, triples
        self._table = tf.constant(table)
        # Columns of the scores are the entities that may be predicted.
        self._columns = model.columns
        self._tables = self._table, tf.gather(self._table, self._columns)
        self._chunk = max(1, _CHUNK_NUMBERS // (len(self._columns) * model.numbers_per_score))
        self._num_changed = deltas.shape[1]
        self._places: dict[int, PlaceRollback] = {}
        self._bounds: dict[int, RollbackBounds] = {}

    def without(self, query: Query, example_ids: Ids) -> tuple[float, np.ndarray]:
        """See RolledBack.

        Raises:
            InputError: if the tail that is asked for cannot be predicted.
        """
        self._triples.check_queries([query])
        if not len(example_ids):
            return float(answer_probabilities(self._model, self._table, [query])[0]), np.zeros(0)
        if query.place != TAIL:
            return self._without_at(query.place, query, example_ids)
        asked = tf.constant(query.triple, tf.int32)
        rolled_back = _compiled(self._model, self._num_changed, self._table.dtype, _WITHOUT)
        before, after = zip(
            *(rolled_back(*self._tables, asked, *part) for part in self._parts(example_ids)), strict=True
        )
        return float(before[-1]), np.concatenate(after)

    def _without_at(self, place: int, query: Query, example_ids: Ids) -> tuple[float, np.ndarray]:
        """The same of a query for a head or a relation."""
        if place not in self._places:
            self._places[place] = PlaceRollback(self._model, self._table, place, self._num_changed)
        of_place = self._places[place]
        after = [
            of_place.without(query, self._changed(triples), deltas)
            for triples, deltas in self._parts(example_ids, max(1, _CHUNK_NUMBERS // of_place.numbers))
        ]
        return float(answer_probabilities(self._model, self._table, [query])[0]), np.concatenate(after)

    def without_few(self, query: Query, example_ids: Ids) -> tuple[float, np.ndarray]:
        """See RolledBack; the last bits can differ for one in _TOGETHER."""
        more = np.repeat(example_ids[-1:], -len(example_ids) % _TOGETHER)
        before, after = self.without(query, np.append(example_ids, more))
        return before, after[: len(example_ids)]

    def bounds(self, query: Query, example_ids: Ids) -> Bounds | None:
        """See RolledBack; only of models that are linear in each row.

        Raises:
            InputError: if the tail that is asked for cannot be predicted.
        """
        self._triples.check_queries([query])
        (asked,), at = scored_as(self._model, np.array([query.triple]), query.place)
        answers = self._columns if query.place == TAIL else answer_rows(self._model, query.place)
        if len(example_ids) * len(answers) <= _FEW_SCORES or not isinstance(self._model, TrilinearModel):
            return None
        if query.place not in self._bounds:
            self._bounds[query.place] = RollbackBounds(self._model, self._table.numpy(), at, answers, self._deltas)
        return self._bounds[query.place].of(asked, example_ids, self._changed(self._triples.train[example_ids]))

    def _changed(self, triples: np.ndarray) -> np.ndarray:
        return changed_rows(self._model, triples, self._num_changed)

    def _parts(self, example_ids: Ids, chunk: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Training triples and what they changed, in parts that fit into memory."""
        chunk = chunk or self._chunk
        for first in range(0, len(example_ids), chunk):
            chosen = example_ids[first : first + chunk]
            yield self._triples.train[chosen], self._deltas[chosen]

    def together(self, query: Query, example_ids: Ids) -> float:
        """See RolledBack."""
        table = self._table.numpy().copy()
        deltas = np.asarray(self._deltas[example_ids])
        np.subtract.at(table, self._changed(self._triples.train[example_ids]), deltas)
        return float(answer_probabilities(self._model, table, [query])[0])

    def own(self, example_ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """See RolledBack.

        Raises:
            InputError: if a tail cannot be predicted.
        """
        self._triples.check_predictable(np.unique(self._triples.train[example_ids, 2]).tolist())
        own = _compiled(self._model, self._num_changed, self._table.dtype, _OWN)
        parts = [own(*self._tables, *part) for part in self._parts(example_ids)]
        before, after = (np.concatenate([np.zeros(0), *(part[i] for part in parts)]) for i in range(2))
        return before, after


class _TailRollback:
    """The probabilities of tails with triples rolled back, of any table of a model, and its rows of the candidates."""

    def __init__(self, model: FactorModel) -> None:
        self._model = model
        self._column_of = np.full(model.num_entities, -1, np.int32)
        self._column_of[model.columns] = np.arange(len(model.columns))

    def before_and_after(
        self, table: Tensor, candidates: Rows, examples: Tensor, deltas: Rows
    ) -> tuple[Tensor, Tensor]:
        """p of the tail of each of n examples before, and with it rolled back: [n] and [n]."""
        model = self._model
        heads, relations, tails = tf.unstack(examples, axis=1)
        scores = model.scores(tf.gather(table, heads), tf.gather(table, relations + model.num_entities), candidates)
        places = tf.gather(self._column_of, tails)
        before = tf.gather(tf.nn.softmax(scores), places, batch_dims=1)
        return before, self._probabilities_without(table, candidates, examples, examples, deltas)

    def before_and_without(
        self, table: Tensor, candidates: Rows, asked: Tensor, examples: Tensor, deltas: Rows
    ) -> tuple[Tensor, Tensor]:
        """p(tail | head, relation) of asked [3] before, and with each of n examples rolled back: a scalar and [n]."""
        model = self._model
        head, relation, tail = tf.unstack(asked)
        before = model.scores_of_one(table[head], table[relation + model.num_entities], candidates)
        every = tf.tile(asked[None], [tf.shape(examples)[0], 1])
        after = self._probabilities_without(table, candidates, every, examples, deltas)
        return tf.nn.softmax(before)[tf.gather(self._column_of, tail)], after

    def _probabilities_without(
        self, table: Tensor, candidates: Rows, asked: Tensor, examples: Tensor, deltas: Rows
    ) -> Tensor:
        """p(tail | head, relation) [n] of asked [n, 3], each with one of examples [n, 3] rolled back."""
        model = self._model
        head, relation, tail = tf.unstack(asked, axis=1)
        heads, relations, tails = tf.unstack(examples, axis=1)
        # The row of a self-loop lost both of its changes; a score need not be linear in them.
        is_loop = (heads == tails)[:, None]
        of_heads = tf.where(is_loop, deltas[:, 0] + deltas[:, 2], deltas[:, 0])
        of_tails = tf.where(is_loop, tf.zeros_like(of_heads), deltas[:, 2])

        def where(hit: Tensor, delta: Rows) -> Rows:
            return tf.where(hit[:, None], delta, tf.zeros_like(delta))

        head_rows = tf.gather(table, head) - where(heads == head, of_heads) - where(tails == head, of_tails)
        relation_rows = tf.gather(table, relation + model.num_entities) - where(relations == relation, deltas[:, 1])
        scores = model.scores(head_rows, relation_rows, candidates)
        # The example's own entities may be candidates too; each lost its change.
        for entities, delta in ((heads, of_heads), (tails, of_tails)):
            lost = model.lost_score(head_rows, relation_rows, tf.gather(table, entities), delta)
            columns = tf.gather(self._column_of, entities)
            rows = tf.cast(tf.where(columns >= 0)[:, 0], tf.int32)
            places = tf.stack([rows, tf.gather(columns, rows)], axis=1)
            scores = tf.tensor_scatter_nd_sub(scores, places, tf.gather(lost, rows))
        own = tf.gather(scores, tf.gather(self._column_of, tail), batch_dims=1)
        return tf.exp(own - tf.reduce_logsumexp(scores, axis=1))


@functools.cache
def _compiled(model: FactorModel, num_changed: int, dtype: Any, name: str) -> Tensor:
    """A method of _TailRollback as a graph, which all trainings of a model share: tracing takes a second."""
    method = getattr(_TailRollback(model), name)
    table, candidates, changes = (
        tf.TensorSpec([*shape, model.width], dtype)
        for shape in ([model.num_rows], [len(model.columns)], [None, num_changed])
    )
    triple, many = tf.TensorSpec([3], tf.int32), tf.TensorSpec([None, 3], tf.int32)
    asked = [triple, many, changes] if name == _WITHOUT else [many, changes]
    # No Python of it depends on tensors; to look for that takes seconds (autograph). It is traced here, and not when
    # it is called: TensorFlow warns of the fifth call that traces, whatever model it is of.
    return tf.function(method, input_signature=[table, candidates, *asked], autograph=False).get_concrete_function()
