"""Rolling back what training ratings did: the predicted rating without each."""

from collections.abc import Sequence

import numpy as np

from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.tasks.rolled_back import RolledBack
from gr_tf.types import Ids, Rows


class RatingRollback(RolledBack):
    """The predicted rating without what training ratings did, each to its user's and its item's row.

    What all predictions share is left as it is. Of Adam, what its momentum moves between two steps of a row is not
    recorded; of SGD and Adagrad nothing else moves a row. The differences rank: the trainings without a rating would
    make up for a part of them (BUILD_NOTES, "What is rolled back of a rating").
    """

    def __init__(self, model: RatingModel, parameters: Parameters, deltas: np.ndarray, ratings: RatingSet) -> None:
        """In the model's precision: float64 keeps the digits of small differences."""
        self._model, self._ratings, self._deltas = model, ratings, deltas
        parameters = parameters.astype(model.dtype)
        self._table = tf.constant(parameters.table)
        self._network = [tf.constant(array) for array in parameters.shared]

    def without(self, query: RatingQuery, example_ids: Ids) -> tuple[float, np.ndarray]:
        """See RolledBack."""
        pair = pairs_of([query])
        before = float(self._predicted(pair, None)[0])
        return before, self._predicted(np.repeat(pair, len(example_ids), axis=0), example_ids)

    def own(self, example_ids: Ids) -> tuple[np.ndarray, np.ndarray]:
        """See RolledBack."""
        pairs = self._ratings.train.pairs[example_ids]
        return self._predicted(pairs, None), self._predicted(pairs, example_ids)

    def together(self, query: RatingQuery, example_ids: Ids) -> float:
        """See RolledBack."""
        pair = pairs_of([query])
        changes = self._changes(np.repeat(pair, len(example_ids), axis=0), example_ids).sum(axis=0, keepdims=True)
        return float(self._predict(tf.gather(self._table, self._model.rows_of(pair)) - changes)[0])

    def _predicted(self, pairs: np.ndarray, example_ids: Ids | None) -> np.ndarray:
        """Predictions [n] of pairs [n, 2], each without what one example did; None: with everything."""
        values = tf.gather(self._table, self._model.rows_of(pairs))
        if example_ids is not None:
            values -= self._changes(pairs, example_ids)
        return self._predict(values)

    def _changes(self, pairs: np.ndarray, example_ids: Ids) -> np.ndarray:
        """What each of n examples did to the rows of its pair, [n, 2, width]."""
        own = self._model.rows_of(self._ratings.train.pairs[example_ids])
        deltas = np.asarray(self._deltas[example_ids], self._model.dtype)
        return np.where((self._model.rows_of(pairs) == own)[..., None], deltas, 0)

    def _predict(self, values: Rows) -> np.ndarray:
        """Predictions [n] of users' and items' rows [n, 2, width]."""
        return self._model.predict(values[:, 0], values[:, 1], self._network).numpy().astype(np.float64)


def pairs_of(queries: Sequence[RatingQuery]) -> np.ndarray:
    """The users and items [n, 2] int32 of queries."""
    return np.array([(query.user, query.item) for query in queries], np.int32).reshape(-1, 2)
