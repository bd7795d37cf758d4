"""IA: influence functions over all parameters, the baseline of Cheng et al. (2019).

Koh and Liang (2017): the influence of rating z on the prediction y is

    y - y(without z) ~= -1/n * grad y . H^-1 . grad L(z),   H = 1/n * sum over training of Hessian L.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.hessian import check_damping, conjugate_gradients
from gr_tf.attribution.methods import Cost, register
from gr_tf.attribution.training_loss import TrainingLoss
from gr_tf.data.ratings import RatingQuery
from gr_tf.errors import InputError, argument
from gr_tf.tasks.keras_items import KerasRatingTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.rating_decay import RatingDecay

# Which training ratings are ranked.
SCOPES = ("related", "all")


def _cost(task: Task[RatingQuery]) -> Cost:
    """Conjugate gradients with products over all ratings."""
    # Measured on MovieLens-1M with MF, K = 16: 37 products in 3 s.
    return Cost(64.0 * task.num_examples, 100 * 8e-8 * task.num_examples * (task.model.width / 17) ** 0.5)


def _check(task: Task[RatingQuery]) -> None:
    """
    Raises:
        InputError: if the model has no rows of users and items.
    """
    if isinstance(task, KerasRatingTask):
        raise InputError(
            f"ia explains models with rows of users and items, not Keras models: use {argument('method', 'fia')}."
        )


@register(
    "ia",
    kinds=("ratings",),
    needs="hessian",
    unit="stars",
    estimates=True,
    title="IA: influence functions over all parameters, the baseline of FIA; a thousand times slower",
    cost=_cost,
    check=_check,
    instead="fia",
)
class InfluenceAnalysis(Explainer[RatingQuery]):
    """Ranks the training ratings of the query's user and item, or all of them."""

    def __init__(
        self,
        trained: Trained,
        *,
        damping: float = 1e-6,
        tolerance: float = 1e-3,
        max_iterations: int = 100,
        penalty_in_gradient: bool = True,
        scope: str = "related",
        dtype: str | None = None,
    ) -> None:
        """
        Args:
            trained: the model.
            damping, penalty_in_gradient: see FiaSettings.
            tolerance: of the conjugate gradients, ||H x - b|| / ||b||.
            max_iterations: of them; the authors': 100.
            scope: one of SCOPES.
            dtype: precision; default: the training's.

        Raises:
            InputError: if a setting is out of range.
        """
        if scope not in SCOPES:
            raise InputError(f"scope must be one of {', '.join(SCOPES)}; got {scope!r}.")
        check_damping(damping)
        self.task, config = trained.task, trained.task.config
        self._ratings = trained.task.dataset
        self._model = config.make_model(self._ratings, dtype)
        self._parameters = trained.parameters.astype(self._model.dtype)
        decay = RatingDecay.of(config, self._model, self._ratings)
        self._loss = TrainingLoss(self._model, self._parameters, self._ratings, decay)
        self._damping = damping
        self._limits: dict[str, Any] = {"tolerance": tolerance, "max_iterations": max_iterations}
        self._penalty_in_gradient, self._scope = penalty_in_gradient, scope

    def influences(self, queries: Sequence[RatingQuery]) -> list[Influences]:
        """See Explainer."""
        return [self._of(query) for query in queries]

    def _of(self, query: RatingQuery) -> Influences:
        loss, train = self._loss, self._ratings.train
        pair = np.array([query.user, query.item])
        gradient = loss.prediction_gradient(pair)
        solution, diagnostics = conjugate_gradients(loss.product, gradient, self._damping, **self._limits)
        examples = self._ratings.related(query) if self._scope == "related" else np.arange(len(train))
        pairs = train.pairs[examples]
        errors = self._model.predict_pairs(self._parameters, pairs) - train.values[examples]
        along = 2 * errors * loss.derivatives(solution, pairs)
        penalty = loss.decay_along(solution, pairs) if self._penalty_in_gradient else 0.0
        influences = -(along + penalty) / self._ratings.num_examples
        prediction = float(self._model.predict_pairs(self._parameters, pair[None])[0])
        return Influences(examples, influences, prediction, prediction - influences, (diagnostics,))
