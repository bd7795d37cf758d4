"""Rolling back what training triples did: the probability of a head or a relation without each."""

import functools
from typing import Any

import numpy as np

from gr_tf.data.triples import Query
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.places import answer_rows, scored_as
from gr_tf.runs.engine import tf
from gr_tf.types import Rows, Tensor


class PlaceRollback:
    """p(answer | the two other parts) of one trained model, each without what a training triple did to its rows.

    Attributes:
        numbers: how many numbers each training triple needs in memory.
    """

    def __init__(self, model: FactorModel, table: Tensor, place: int, num_changed: int) -> None:
        """
        Args:
            model, table: the trained ones; [num_rows, width].
            place: of the answer: HEAD or RELATION.
            num_changed: how many rows each training triple changed.
        """
        self._model, self._table, self._place = model, table, place
        _, at = scored_as(model, np.zeros((1, 3), np.int32), place)
        self.numbers = len(answer_rows(model, place)) * model.numbers_at(at)
        self._compiled = _compiled(model, place, num_changed, table.dtype)

    def without(self, query: Query, changed: np.ndarray, deltas: np.ndarray) -> np.ndarray:
        """The probabilities [n] of a query, each without one of n changes [n, k, width] of rows [n, k]."""
        (asked,), _ = scored_as(self._model, np.array([query.triple], np.int32), self._place)
        found: np.ndarray = self._compiled(self._table, asked, changed.astype(np.int32), deltas).numpy()
        return found


class _AnswerRollback:
    """The probabilities of heads, or of relations, with changes of rows undone, of any table of a model."""

    def __init__(self, model: FactorModel, place: int) -> None:
        self._model = model
        _, self._at = scored_as(model, np.zeros((1, 3), np.int32), place)
        self._answers = answer_rows(model, place)
        self._column_of = np.full(model.num_rows, -1, np.int32)
        self._column_of[self._answers] = np.arange(len(self._answers))

    def probabilities(self, table: Tensor, asked: Tensor, changed: Tensor, deltas: Rows) -> Tensor:
        """The probabilities [n] of asked [3], the rows of a triple; see PlaceRollback.without."""
        model, at = self._model, self._at

        def rows_now(places: Tensor) -> Rows:
            """The table's rows at places [n], each without its change: [n, width]."""
            lost = tf.where((places[:, None] == changed)[:, :, None], deltas, tf.zeros_like(deltas))
            return tf.gather(table, places) - tf.reduce_sum(lost, axis=1)

        triple = [rows_now(tf.repeat(asked[part], tf.shape(changed)[0])) for part in range(3)]
        scores = model.scores_at(at, triple, tf.gather(table, self._answers))
        # The changed rows may be those of answers too.
        for part in range(changed.shape[1]):
            places = changed[:, part]
            answered = [*triple[:at], rows_now(places), *triple[at + 1 :]]
            columns = tf.gather(self._column_of, places)
            which = tf.cast(tf.where(columns >= 0)[:, 0], tf.int32)
            into = tf.stack([which, tf.gather(columns, which)], axis=1)
            scores = tf.tensor_scatter_nd_update(scores, into, tf.gather(model.score(*answered), which))
        own = tf.gather(scores, tf.gather(self._column_of, asked[at]), axis=1)
        return tf.exp(own - tf.reduce_logsumexp(scores, axis=1))


@functools.cache
def _compiled(model: FactorModel, place: int, num_changed: int, dtype: Any) -> Tensor:
    """_AnswerRollback.probabilities as a graph, which all trainings of a model share; see triple_rollback."""
    signature = [
        tf.TensorSpec([model.num_rows, model.width], dtype),
        tf.TensorSpec([3], tf.int32),
        tf.TensorSpec([None, num_changed], tf.int32),
        tf.TensorSpec([None, num_changed, model.width], dtype),
    ]
    method = _AnswerRollback(model, place).probabilities
    return tf.function(method, input_signature=signature, autograph=False).get_concrete_function()
