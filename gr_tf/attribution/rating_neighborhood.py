"""NH for ratings: random training ratings of the query's user and item."""

import numpy as np

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.models.rating_model import RatingModel, RatingParameters


class RatingNeighborhood(Explainer[RatingQuery, RatingExplanation]):
    """Ranks the related training ratings at random, as Neighborhood does with triples."""

    def __init__(self, model: RatingModel, parameters: RatingParameters, ratings: RatingSet, seed: int = 0) -> None:
        self._model = model
        self._parameters = parameters
        self._ratings = ratings
        self._seed = seed

    def rank(self, query: RatingQuery) -> RatingExplanation:
        """Every related training rating, in random order."""
        example_ids = np.sort(self._ratings.related(query))
        influences = np.random.default_rng([self._seed, query.user, query.item]).random(len(example_ids))
        order = np.argsort(-influences, kind="stable")
        pair = np.array([[query.user, query.item]])
        prediction = float(self._model.predict_pairs(self._parameters, pair)[0])
        return RatingExplanation(query, example_ids[order], influences[order], prediction, self._ratings)

    def query_of(self, example_id: int) -> RatingQuery:
        """See Explainer."""
        return self._ratings.query_of(example_id)
