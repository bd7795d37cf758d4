"""TracIn of predictions: of triples, ratings and sequences.

Pruthi et al. (2020). Positive: the example is a proponent, whose training steps raised what is
predicted: the log-probability of a tail or an item, or the stars of a rating.
"""

from collections.abc import Collection, Sequence

import numpy as np

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.example_losses import Checkpoint, RatingLosses, SequenceLosses, TripleLosses
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.attribution.sequence_explanation import SequenceExplanation
from gr_tf.attribution.tracin import TracIn
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.data.sequences import SequenceQuery, SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.models.base import FactorModel
from gr_tf.models.prediction import tail_probability
from gr_tf.models.rating_model import RatingModel, RatingParameters
from gr_tf.models.sequence_prediction import next_item_probability, query_histories
from gr_tf.models.sequence_recommender import SequenceParameters, SequenceRecommender
from gr_tf.training.config import TrainConfig


class TripleTracIn(Explainer[Query, TripleExplanation]):
    """Ranks all training triples by TracInCP on the log-probability of the query's tail."""

    def __init__(
        self,
        model: FactorModel,
        checkpoints: Sequence[Checkpoint],
        triples: TripleSet,
        config: TrainConfig,
    ) -> None:
        """
        Args:
            model: what was trained.
            checkpoints: of its training, the last that of the trained model.
            triples: the dataset it was trained on.
            config: of its training.
        """
        self._model = model
        dtype = checkpoints[0].table.dtype.name
        self._losses = TripleLosses(model, triples, config, dtype)
        self._tracin = TracIn(self._losses, checkpoints)
        self._table = checkpoints[-1].table
        self._triples = triples

    def query_of(self, example_id: int) -> Query:
        """See Explainer."""
        return self._triples.query_of(example_id)

    def self_influence(self, example_ids: np.ndarray) -> np.ndarray:
        """TracIn of training examples on their own training losses [n], at least 0 (Pruthi et al. 2020)."""
        return self._tracin.self_influences()[example_ids]

    def rank(self, query: Query) -> TripleExplanation:
        """Every training triple."""
        probability = tail_probability(self._model, self._table, query)
        influences = self._tracin.influences(self._losses.query(query))
        return TripleExplanation.ranked(query, np.arange(len(influences)), influences, probability, self._triples)


class RatingTracIn(Explainer[RatingQuery, RatingExplanation]):
    """Ranks all training ratings by TracInCP on the predicted rating."""

    def __init__(
        self,
        model: RatingModel,
        checkpoints: Sequence[Checkpoint],
        ratings: RatingSet,
        layers: Collection[str] | None = None,
    ) -> None:
        """
        Args:
            model: what was trained.
            checkpoints: of its training, the last that of the trained model.
            ratings: the dataset it was trained on.
            layers: see TracIn.
        """
        self._model = model
        self._tracin = TracIn(RatingLosses(model, ratings), checkpoints, layers)
        self._parameters = RatingParameters(checkpoints[-1].table, checkpoints[-1].shared)
        self._ratings = ratings

    def query_of(self, example_id: int) -> RatingQuery:
        """See Explainer."""
        return self._ratings.query_of(example_id)

    def self_influence(self, example_ids: np.ndarray) -> np.ndarray:
        """TracIn of training examples on their own training losses [n], at least 0 (Pruthi et al. 2020)."""
        return self._tracin.self_influences()[example_ids]

    def rank(self, query: RatingQuery) -> RatingExplanation:
        """Every training rating."""
        pair = np.array([[query.user, query.item]], np.int32)
        influences = self._tracin.influences((pair, np.zeros(1, self._model.dtype)))
        order = np.argsort(-influences, kind="stable")
        prediction = float(self._model.predict_pairs(self._parameters, pair)[0])
        return RatingExplanation(query, order, influences[order], prediction, self._ratings)


class SequenceTracIn(Explainer[SequenceQuery, SequenceExplanation]):
    """Ranks all training sequences by TracInCP on the log-probability of the next item."""

    def __init__(
        self,
        model: SequenceRecommender,
        checkpoints: Sequence[Checkpoint],
        sequences: SequenceSet,
        layers: Collection[str] | None = None,
    ) -> None:
        """
        Args:
            model: what was trained.
            checkpoints: of its training, the last that of the trained model.
            sequences: the dataset it was trained on.
            layers: see TracIn; of a model whose embeddings were not trained, all but "embeddings".
        """
        self._model = model
        self._tracin = TracIn(SequenceLosses(model, sequences), checkpoints, layers)
        self._parameters = SequenceParameters((checkpoints[-1].table, *checkpoints[-1].shared))
        self._sequences = sequences

    def query_of(self, example_id: int) -> SequenceQuery:
        """See Explainer."""
        return self._sequences.query_of(example_id)

    def self_influence(self, example_ids: np.ndarray) -> np.ndarray:
        """TracIn of training examples on their own training losses [n], at least 0 (Pruthi et al. 2020)."""
        return self._tracin.self_influences()[example_ids]

    def rank(self, query: SequenceQuery) -> SequenceExplanation:
        """Every training sequence.

        Raises:
            InputError: if the history is longer than the model's.
        """
        history = query_histories(self._model, query)
        influences = self._tracin.influences((history, np.array([query.target], np.int32)))
        order = np.argsort(-influences, kind="stable")
        probability = next_item_probability(self._model, self._parameters, query)
        return SequenceExplanation(query, order, influences[order], probability, self._sequences)
