"""FIA: influence functions restricted to the two rows of a prediction.

Cheng, Shen, Huang and Zhu (2019), "Incorporating Interpretability into Latent Factor Models via Fast
Influence Analysis". With theta_t the rows of the query's user and item, and R_t the n' training ratings
that involve one of them, the influence of rating z on the prediction y is

    y - y(without z) ~= -1/n' * grad y . H^-1 . grad L(z),   H = 1/n' * sum over R_t of Hessian L

with respect to theta_t (Equations 15-17; for NCF Equation 24). The full form for NCF adds the same with
respect to the network, over all n training ratings (Equations 21-23).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from gr_tf.attribution.base import Explainer, Influences, in_parts
from gr_tf.attribution.embedding_fia import EmbeddingFia
from gr_tf.attribution.fia_blocks import Block, Blocks
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.hessian import Diagnostics, conjugate_gradients, newton_cg, solve_direct
from gr_tf.attribution.methods import register
from gr_tf.attribution.training_loss import TrainingLoss
from gr_tf.data.ratings import RatingQuery
from gr_tf.errors import InputError
from gr_tf.tasks.keras_items import KerasRatingTask
from gr_tf.tasks.trained import Trained
from gr_tf.training.rating_decay import RatingDecay

# With a condition number of 1e6 float64 leaves some 1e-11.
_CG_TOLERANCE = 1e-10
# Of the Hessian blocks that are in memory together.
_NUMBERS_AT_ONCE = 1 << 22
_NETWORK_TOLERANCE, _NETWORK_ITERATIONS = 1e-6, 200


class Fia(Explainer[RatingQuery]):
    """Ranks the training ratings of the query's user and of its item; computed in float64."""

    def __init__(self, trained: Trained, settings: FiaSettings | None = None, *, network: bool = False) -> None:
        """
        Args:
            trained: the model.
            settings: default: with the weight decay as strong as in training.
            network: add the network's part (Equations 21-23); a solve over all training ratings per query.
        """
        self.task = trained.task
        self._ratings = ratings = self.task.dataset
        self._settings = settings = settings or FiaSettings()
        self._model = model = self.task.config.make_model(ratings, "float64")
        decay, parameters = RatingDecay.of(self.task.config, model, ratings), trained.parameters.astype("float64")
        self._blocks = Blocks(model, parameters, ratings, decay, scaled=settings.decay == "trained")
        self._training_loss = TrainingLoss(model, parameters, ratings, decay) if network else None

    def influences(self, queries: Sequence[RatingQuery]) -> list[Influences]:
        """See Explainer; with the direct solver much faster for many queries at once than one by one.

        Raises:
            InputError: if a query has no related rating, or its damped Hessian is singular, naming the query.
        """
        # In parts: a batch of large blocks is gigabytes, several times over.
        at_once = max(1, _NUMBERS_AT_ONCE // (2 * self._model.width) ** 2)
        return [found for part in in_parts(queries, at_once) for found in self._of_part(part)]

    def _of_part(self, queries: Sequence[RatingQuery]) -> list[Influences]:
        blocks = self._blocks.of(queries)
        if self._settings.solver == "direct":
            hessians = np.stack([block.hessian for block in blocks])
            right_sides = np.stack([block.gradient for block in blocks])
            solutions, diagnostics = solve_direct(hessians, right_sides, self._settings.damping)
        else:
            solved = [self._solve(block) for block in blocks]
            solutions, diagnostics = np.stack([x for x, _ in solved]), [told for _, told in solved]
        return [
            self._influences(block, solution, told)
            for block, solution, told in zip(blocks, solutions, diagnostics, strict=True)
        ]

    def hessian(self, query: RatingQuery) -> np.ndarray:
        """H [2 width, 2 width] without damping: the user's row, then the item's."""
        return self._blocks.of([query])[0].hessian

    def hessian_product(self, query: RatingQuery, vector: np.ndarray) -> np.ndarray:
        """H times a vector [2 width] by automatic differentiation, without damping."""
        product: np.ndarray = self._blocks.product(vector, *self._blocks.data(query)).numpy()
        return product

    def _solve(self, block: Block) -> tuple[np.ndarray, Diagnostics]:
        product, data = self._blocks.product, self._blocks.data(block.query)
        if self._settings.solver == "cg":
            return conjugate_gradients(
                product,
                block.gradient,
                self._settings.damping,
                tolerance=_CG_TOLERANCE,
                max_iterations=10 * len(block.gradient),
                data=data,
            )
        return newton_cg(lambda vector: product(vector, *data), block.gradient, self._settings.damping)

    def _influences(self, block: Block, solution: np.ndarray, diagnostics: Diagnostics) -> Influences:
        if not np.isfinite(solution).all():
            names = self._ratings.users.names[block.query.user], self._ratings.items.names[block.query.item]
            raise InputError(
                f"the Hessian of user {names[0]!r} and item {names[1]!r} is singular "
                f"(smallest eigenvalue {diagnostics.smallest_eigenvalue}): use some damping."
            )
        penalty = self._blocks.decay_along(block, solution) if self._settings.penalty_in_gradient else 0.0
        examples = block.example_ids
        influences = -(block.gradients_along(solution) + penalty) / len(examples)
        systems = [diagnostics]
        if self._training_loss is not None:
            of_network, told = self._network_influences(self._training_loss, block)
            influences += of_network
            systems.append(told)
        # Two ascending runs: merged, eight times as fast as a quicksort.
        order = np.argsort(examples, kind="stable")
        return Influences(
            examples[order], influences[order], block.prediction, block.prediction - influences[order], tuple(systems)
        )

    def _network_influences(self, loss: TrainingLoss, block: Block) -> tuple[np.ndarray, Diagnostics]:
        """The network's part, over the whole training set."""
        gradient = loss.prediction_gradient(np.array([block.query.user, block.query.item]))[loss.num_table :]
        solution, diagnostics = conjugate_gradients(
            loss.network_product,
            gradient,
            self._settings.damping,
            tolerance=_NETWORK_TOLERANCE,
            max_iterations=_NETWORK_ITERATIONS,
        )
        vector = np.concatenate([np.zeros(loss.num_table), solution])
        pairs = self._ratings.train.pairs[block.example_ids]
        along = loss.derivatives(vector, pairs)
        penalty = loss.decay_along(vector, pairs) if self._settings.penalty_in_gradient else 0.0
        return -(2 * block.errors * along + penalty) / self._ratings.num_examples, diagnostics


class GivenFia(Explainer[RatingQuery]):
    """FIA of a given Keras model of users and items, through the embeddings that it looks up."""

    def __init__(self, trained: Trained, settings: FiaSettings | None = None) -> None:
        """
        Args:
            trained: of a KerasRatingTask.
            settings: its damping counts; the model's penalties are not known.

        Raises:
            InputError: if the model looks no embeddings up, or a setting is not for given models.
        """
        task = cast(KerasRatingTask, trained.task)
        self.task, settings = task, settings or FiaSettings()
        if settings != FiaSettings(damping=settings.damping):
            raise InputError("of a given Keras model FIA has the setting damping only: its penalties are not known.")
        underlying = dataclasses.replace(trained, task=task.keras)
        self._example_of = task.example_of
        self._of_keras = EmbeddingFia(underlying, damping=settings.damping)

    def influences(self, queries: Sequence[RatingQuery]) -> list[Influences]:
        """See Explainer, and EmbeddingFia."""
        return self._of_keras.influences([self._example_of(query) for query in queries])


@register(
    "fia",
    kinds=("ratings",),
    needs="hessian",
    unit="stars",
    estimates=True,
    title="FIA: the fall of the predicted rating by influence functions, in stars",
    default_for=("ratings",),
    settings=FiaSettings(),
)
def fia(trained: Trained, settings: FiaSettings | None = None, **others: Any) -> Explainer[RatingQuery]:
    """Fia, or GivenFia of a Keras model."""
    if isinstance(trained.task, KerasRatingTask):
        return GivenFia(trained, settings)
    return Fia(trained, settings, **others)
