"""Gradient Rollback for ratings: undo what a training rating did, and see what the model then predicts.

Lawrence et al. (2021), Equation 4, with the predicted rating in the place of the probability: the influence
of a rating z on the prediction y of a user and an item is  y(w) - y(w - gamma[z]).
"""

from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.models.rating_model import RatingModel, RatingParameters


class RatingRollback(Explainer[RatingQuery, RatingExplanation]):
    """Ranks the training ratings of the query's user and of its item.

    Only the changes of the user's and the item's rows are rolled back, each in the rating's own steps: what all
    predictions share is moved by every step, and what Adam's momentum goes on moving between two steps of a
    row is nobody's. So the influences rank; they are not the stars that a removal changes (BUILD_NOTES 90).
    """

    def __init__(
        self, model: RatingModel, parameters: RatingParameters, deltas: np.ndarray, ratings: RatingSet
    ) -> None:
        """
        Args:
            model: what was trained; in float64 small influences keep their digits.
            parameters: the trained ones.
            deltas: [num_examples, 2, width], of a RollbackStore that saw the same training.
            ratings: the dataset it was trained on.

        Raises:
            InputError: if the deltas or the parameters have another shape than the dataset's.
        """
        for what, array, shape in (
            ("the rollback store", deltas, (ratings.num_examples, 2, model.width)),
            ("the table", parameters.table, (len(ratings.users) + len(ratings.items), model.width)),
        ):
            if array.shape != shape:
                raise InputError(f"{what} must have shape {shape} for this dataset; got {array.shape}.")
        self._model = model
        self._ratings = ratings
        self._deltas = deltas
        parameters = parameters.astype(model.dtype)
        self._table = tf.constant(parameters.table)
        self._network = [tf.constant(array) for array in parameters.network]

    def rank(self, query: RatingQuery) -> RatingExplanation:
        """Every related training rating."""
        example_ids = self._ratings.related(query)
        pair = np.array([[query.user, query.item]])
        before = float(self._predicted(pair, None)[0])
        influences = before - self._predicted(np.repeat(pair, len(example_ids), axis=0), example_ids)
        order = np.lexsort((example_ids, -influences))
        return RatingExplanation(query, example_ids[order], influences[order], before, self._ratings)

    def query_of(self, example_id: int) -> RatingQuery:
        """See Explainer."""
        return self._ratings.query_of(example_id)

    def self_influence(self, example_ids: np.ndarray) -> np.ndarray:
        """See Explainer; of many examples at once."""
        pairs = self._ratings.train.pairs[example_ids]
        return self._predicted(pairs, None) - self._predicted(pairs, example_ids)

    def _predicted(self, pairs: np.ndarray, example_ids: np.ndarray | None) -> np.ndarray:
        """Predictions [n] of pairs [n, 2], each without what one example did; None: with everything.

        Raises:
            InputError: if one is not finite.
        """
        rows = self._model.rows_of(pairs)
        values: Any = tf.gather(self._table, rows)
        if example_ids is not None:
            own = self._model.rows_of(self._ratings.train.pairs[example_ids])
            deltas = np.asarray(self._deltas[example_ids], self._model.dtype)
            values -= np.where((rows == own)[..., None], deltas, 0)
        predicted: np.ndarray = self._model.predict(values[:, 0], values[:, 1], self._network).numpy()
        if not np.isfinite(predicted).all():
            place = int(np.flatnonzero(~np.isfinite(predicted))[0])
            what = "" if example_ids is None else f" without example {example_ids[place]}"
            raise InputError(f"the prediction of user and item {pairs[place].tolist()}{what} is not finite.")
        return predicted.astype(np.float64)
