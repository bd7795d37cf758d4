"""IA: influence functions over all parameters, the baseline of Cheng et al. (2019).

Koh and Liang (2017): the influence of rating z on the prediction y is

    y - y(without z) ~= -1/n * grad y . H^-1 . grad L(z),   H = 1/n * sum over training of Hessian L.
"""

import numpy as np

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.hessian import check_damping, conjugate_gradients
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.attribution.training_loss import TrainingLoss
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.models.rating_model import RatingModel, RatingParameters

# Which training ratings are ranked.
SCOPES = ("related", "all")


class InfluenceAnalysis(Explainer[RatingQuery, RatingExplanation]):
    """Ranks the training ratings of the query's user and item, or all of them."""

    def __init__(
        self,
        model: RatingModel,
        parameters: RatingParameters,
        ratings: RatingSet,
        weight_decay: float,
        *,
        damping: float = 1e-6,
        tolerance: float = 1e-3,
        max_iterations: int = 100,
        penalty_in_gradient: bool = True,
        scope: str = "related",
    ) -> None:
        """
        Args:
            model, parameters, ratings, weight_decay, damping, penalty_in_gradient: see Fia; a model of
                float32 is allowed.
            tolerance: of the conjugate gradients, ||H x - b|| / ||b||.
            max_iterations: of them; the authors': 100.
            scope: one of SCOPES.

        Raises:
            InputError: if a setting is out of range.
        """
        if scope not in SCOPES:
            raise InputError(f"scope must be one of {', '.join(SCOPES)}; got {scope!r}.")
        check_damping(damping)
        self._ratings = ratings
        self._loss = TrainingLoss(model, parameters, ratings, weight_decay)
        self._model = model
        self._parameters = parameters.astype(model.dtype)
        self._damping = damping
        self._tolerance = tolerance
        self._max_iterations = max_iterations
        self._penalty_in_gradient = penalty_in_gradient
        self._scope = scope

    def rank(self, query: RatingQuery) -> RatingExplanation:
        """See Explainer."""
        loss, train = self._loss, self._ratings.train
        pair = np.array([query.user, query.item])
        solution, diagnostics = conjugate_gradients(
            loss.product,
            loss.prediction_gradient(pair),
            self._damping,
            tolerance=self._tolerance,
            max_iterations=self._max_iterations,
        )
        examples = self._ratings.related(query) if self._scope == "related" else np.arange(len(train))
        pairs = train.pairs[examples]
        errors = self._model.predict_pairs(self._parameters, pairs) - train.values[examples]
        along = 2 * errors * loss.derivatives(solution, pairs)
        penalty = float(loss.penalty @ (loss.flat * solution)) if self._penalty_in_gradient else 0.0
        influences = -(along + penalty) / self._ratings.num_examples
        order = np.lexsort((examples, -influences))
        prediction = float(self._model.predict_pairs(self._parameters, pair[None])[0])
        return RatingExplanation(query, examples[order], influences[order], prediction, self._ratings, (diagnostics,))

    def query_of(self, example_id: int) -> RatingQuery:
        """See Explainer."""
        return self._ratings.query_of(example_id)
