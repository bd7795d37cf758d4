"""Rolling back what training triples did: the probability of a head or a relation without each."""

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
        _, self._at = scored_as(model, np.zeros((1, 3), np.int32), place)
        self._answers = answer_rows(model, place)
        self._column_of = np.full(model.num_rows, -1, np.int32)
        self._column_of[self._answers] = np.arange(len(self._answers))
        self.numbers = len(self._answers) * model.numbers_at(self._at)
        self._compiled = tf.function(
            self._probabilities,
            input_signature=[
                tf.TensorSpec([3], tf.int32),
                tf.TensorSpec([None, num_changed], tf.int32),
                tf.TensorSpec([None, num_changed, model.width], table.dtype),
            ],
            autograph=False,
        )

    def without(self, query: Query, changed: np.ndarray, deltas: np.ndarray) -> np.ndarray:
        """The probabilities [n] of a query, each without one of n changes [n, k, width] of rows [n, k]."""
        (asked,), _ = scored_as(self._model, np.array([query.triple], np.int32), self._place)
        found: np.ndarray = self._compiled(asked, changed.astype(np.int32), deltas).numpy()
        return found

    def _probabilities(self, asked: Tensor, changed: Tensor, deltas: Rows) -> Tensor:
        model, at = self._model, self._at

        def rows_now(places: Tensor) -> Rows:
            """The table's rows at places [n], each without its change: [n, width]."""
            lost = tf.where((places[:, None] == changed)[:, :, None], deltas, tf.zeros_like(deltas))
            return tf.gather(self._table, places) - tf.reduce_sum(lost, axis=1)

        triple = [rows_now(tf.repeat(asked[part], tf.shape(changed)[0])) for part in range(3)]
        scores = model.scores_at(at, triple, tf.gather(self._table, self._answers))
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
