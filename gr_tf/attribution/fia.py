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
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences, in_parts
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.hessian import (
    Diagnostics,
    conjugate_gradients,
    hessian_vector_product,
    newton_cg,
    solve_direct,
)
from gr_tf.attribution.methods import register
from gr_tf.attribution.training_loss import TrainingLoss
from gr_tf.data.ratings import RatingQuery
from gr_tf.errors import InputError
from gr_tf.runs.engine import tf
from gr_tf.tasks.trained import Trained

# With a condition number of 1e6 float64 leaves some 1e-11.
_CG_TOLERANCE = 1e-10
_NUMBERS_AT_ONCE = 1 << 22
_NETWORK_TOLERANCE, _NETWORK_ITERATIONS = 1e-6, 200


@register(
    "fia",
    kinds=("ratings",),
    needs="hessian",
    unit="stars",
    estimates=True,
    title="FIA: the fall of the predicted rating by influence functions, in stars",
    settings=FiaSettings(decay="trained"),
)
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
        self._model = self.task.config.make_model(self.task.dataset, "float64")
        self._ratings = ratings = self.task.dataset
        self._settings = settings or FiaSettings(decay="trained")
        weight_decay = self.task.config.weight_decay
        parameters = trained.parameters.astype("float64")
        self._table = parameters.table
        self._table_tensor = tf.constant(parameters.table)
        self._network = [tf.constant(array) for array in parameters.shared]
        self._penalty = weight_decay * np.tile(self._model.row_penalty, 2)
        rows = (tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.int64))
        self._of_user = tf.function(lambda users, items: self._derivatives(0, users, items), input_signature=rows)
        self._of_item = tf.function(lambda users, items: self._derivatives(1, users, items), input_signature=rows)
        self._mixed = tf.function(self._mixed_derivative, input_signature=(tf.TensorSpec([2], tf.int64),))
        self._training_loss = TrainingLoss(self._model, parameters, ratings, weight_decay) if network else None
        self._product = tf.function(self._product_of_rows, reduce_retracing=True)

    def influences(self, queries: Sequence[RatingQuery]) -> list[Influences]:
        """See Explainer; with the direct solver much faster for many queries at once than one by one.

        Raises:
            InputError: if a query has no related rating, or its damped Hessian is singular, naming the query.
        """
        # In parts: a batch of large blocks is gigabytes, several times over.
        at_once = max(1, _NUMBERS_AT_ONCE // (2 * self._model.width) ** 2)
        return [found for part in in_parts(queries, at_once) for found in self._of_part(part)]

    def _of_part(self, queries: Sequence[RatingQuery]) -> list[Influences]:
        blocks = self._blocks(queries)
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
        return self._blocks([query])[0].hessian

    def hessian_product(self, query: RatingQuery, vector: np.ndarray) -> np.ndarray:
        """H times a vector [2 width] by automatic differentiation, without damping."""
        product: np.ndarray = self._product(tf.constant(vector), *self._block_data(query)).numpy()
        return product

    def _blocks(self, queries: Sequence[RatingQuery]) -> list["_Block"]:
        """The systems of some queries."""
        for query in queries:
            if not len(self._ratings.of_user(query.user)) + len(self._ratings.of_item(query.item)):
                names = self._ratings.users.names[query.user], self._ratings.items.names[query.item]
                raise InputError(f"user {names[0]!r} and item {names[1]!r} have no training rating: nothing explains.")
        users = self._sides([query.user for query in queries], 0)
        items = self._sides([query.item for query in queries], 1)
        rows = self._model.rows_of(np.array([(query.user, query.item) for query in queries], np.int64)).T
        (predictions, of_user), (_, of_item) = self._of_user(*rows), self._of_item(*rows)
        gradients = np.concatenate([of_user, of_item], axis=1)
        return [
            self._block(query, users[query.user], items[query.item], float(prediction), gradient)
            for query, prediction, gradient in zip(queries, predictions.numpy(), gradients, strict=True)
        ]

    def _block(
        self, query: RatingQuery, user: "_Side", item: "_Side", prediction: float, gradient: np.ndarray
    ) -> "_Block":
        """One query's system. The loss is quadratic in either row alone (see RatingModel), so that

            H = 2/n' * [[J_u^T J_u, C], [C^T, J_i^T J_i]] + weight decay,

        where C is zero unless the query's own pair is a training rating.
        """
        size = self._model.width
        hessian = np.zeros((2 * size, 2 * size))
        hessian[:size, :size] = user.gram
        hessian[size:, size:] = item.gram
        pairs = self._ratings.train.pairs
        in_both = pairs[user.example_ids, 1] == query.item
        others = pairs[item.example_ids, 0] != query.user
        if in_both.any():
            mixed = user.derivatives[in_both].T @ item.derivatives[~others]
            mixed += user.errors[in_both].sum() * self.mixed_derivative(query)
            hessian[:size, size:] = mixed
            hessian[size:, :size] = mixed.T
        own = self._table[self._model.rows_of(np.array([query.user, query.item]))].ravel()
        count = len(user.errors) + int(others.sum())
        return _Block(
            query,
            prediction,
            gradient,
            own,
            2 / count * hessian + np.diag(self._hessian_penalty(count)),
            user,
            item,
            in_both,
            others,
        )

    def _hessian_penalty(self, num_related: int) -> np.ndarray:
        """[2 width], the weight decay's part of H."""
        times = self._ratings.num_examples / num_related if self._settings.decay == "trained" else 1.0
        return self._penalty * times

    def _sides(self, ids: Sequence[int], side: int) -> dict[int, "_Side"]:
        """What the training ratings of some users (side 0) or items (side 1) say of their rows."""
        distinct = sorted(set(ids))
        of = self._ratings.of_user if side == 0 else self._ratings.of_item
        examples = [of(i) for i in distinct]
        joined = np.concatenate(examples)
        pairs = self._ratings.train.pairs[joined].astype(np.int64)
        predicted, derivatives = (self._of_user, self._of_item)[side](*self._model.rows_of(pairs).T)
        errors = predicted.numpy() - self._ratings.train.values[joined]
        cuts = np.cumsum([len(part) for part in examples])[:-1]
        parts = zip(distinct, examples, np.split(errors, cuts), np.split(derivatives.numpy(), cuts), strict=True)
        return {i: _Side(ids, error, derivative) for i, ids, error, derivative in parts}

    def _derivatives(self, side: int, user_rows: Any, item_rows: Any) -> tuple[Any, Any]:
        """Predictions [n], and their derivatives [n, width] with respect to the row of one side."""
        gathered = [tf.gather(self._table_tensor, user_rows), tf.gather(self._table_tensor, item_rows)]
        with tf.GradientTape() as tape:
            tape.watch(gathered[side])
            predicted = self._model.predict(gathered[0], gathered[1], self._network)
        return predicted, tape.gradient(predicted, gathered[side])

    def mixed_derivative(self, query: RatingQuery) -> np.ndarray:
        """[width, width], of the prediction, with respect to the user's row, then the item's."""
        mixed: np.ndarray = self._mixed(self._model.rows_of(np.array([query.user, query.item]))).numpy()
        return mixed

    def _mixed_derivative(self, rows: Any) -> Any:
        user, item = tf.split(tf.gather(self._table_tensor, rows), 2)
        with tf.GradientTape() as outer:
            outer.watch(item)
            with tf.GradientTape() as inner:
                inner.watch(user)
                predicted = self._model.predict(user, item, self._network)
            of_user = inner.gradient(predicted, user)[0]
        return outer.jacobian(of_user, item, unconnected_gradients=tf.UnconnectedGradients.ZERO)[:, 0]

    def _block_data(self, query: RatingQuery) -> tuple[Any, ...]:
        """What `_product` depends on."""
        of_user, of_item = self._ratings.of_user(query.user), self._ratings.of_item(query.item)
        others = self._ratings.train.pairs[of_item, 0] != query.user
        examples = np.concatenate([of_user, of_item[others]])
        pairs = self._ratings.train.pairs[examples]
        rows = self._model.rows_of(pairs)
        own = self._table[self._model.rows_of(np.array([query.user, query.item]))].ravel()
        arrays = (
            own,
            self._table[rows[:, 0]],
            self._table[rows[:, 1]],
            (pairs == [query.user, query.item])[..., None],
            self._ratings.train.values[examples],
            self._hessian_penalty(len(examples)),
        )
        return tuple(map(tf.constant, arrays))

    def _product_of_rows(
        self, vector: Any, own: Any, users: Any, items: Any, is_own: Any, values: Any, penalty: Any
    ) -> Any:
        """The Hessian of the mean loss of R_t with respect to both rows, times a vector."""

        def loss(block: Sequence[Any]) -> Any:
            user, item = tf.split(block[0][None], 2, axis=1)
            predicted = self._model.predict(
                tf.where(is_own[:, 0], user, users), tf.where(is_own[:, 1], item, items), self._network
            )
            decay = tf.reduce_sum(penalty * tf.square(block[0])) / 2
            return tf.reduce_mean(tf.square(predicted - values)) + decay

        return hessian_vector_product(loss, [own], [vector])[0]

    def _solve(self, block: "_Block") -> tuple[np.ndarray, Diagnostics]:
        data = self._block_data(block.query)
        if self._settings.solver == "cg":
            size = len(block.gradient)
            return conjugate_gradients(
                self._product,
                block.gradient,
                self._settings.damping,
                tolerance=_CG_TOLERANCE,
                max_iterations=10 * size,
                data=data,
            )
        return newton_cg(lambda vector: self._product(vector, *data), block.gradient, self._settings.damping)

    def _influences(self, block: "_Block", solution: np.ndarray, diagnostics: Diagnostics) -> Influences:
        if not np.isfinite(solution).all():
            names = self._ratings.users.names[block.query.user], self._ratings.items.names[block.query.item]
            raise InputError(
                f"the Hessian of user {names[0]!r} and item {names[1]!r} is singular "
                f"(smallest eigenvalue {diagnostics.smallest_eigenvalue}): use some damping."
            )
        penalty = self._penalty @ (block.own * solution) if self._settings.penalty_in_gradient else 0.0
        examples = block.example_ids
        influences = -(block.gradients_along(solution) + penalty) / len(examples)
        systems = [diagnostics]
        if self._training_loss is not None:
            of_network, told = self._network_influences(self._training_loss, block)
            influences += of_network
            systems.append(told)
        order = np.argsort(examples)
        return Influences(
            examples[order],
            influences[order],
            block.prediction,
            block.prediction - influences[order],
            tuple(systems),
        )

    def _network_influences(self, loss: TrainingLoss, block: "_Block") -> tuple[np.ndarray, Diagnostics]:
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
        along = loss.derivatives(vector, self._ratings.train.pairs[block.example_ids])
        penalty = loss.penalty @ (loss.flat * vector) if self._settings.penalty_in_gradient else 0.0
        return -(2 * block.errors * along + penalty) / self._ratings.num_examples, diagnostics


@dataclasses.dataclass(frozen=True, eq=False)
class _Side:
    """The training ratings of one user or item.

    Attributes:
        example_ids: [n].
        errors: [n], prediction - rating.
        derivatives: [n, width], J, of the predictions with respect to the row.
    """

    example_ids: np.ndarray
    errors: np.ndarray
    derivatives: np.ndarray

    @property
    def gram(self) -> np.ndarray:
        """J^T J."""
        return self.derivatives.T @ self.derivatives


@dataclasses.dataclass(frozen=True, eq=False)
class _Block:
    """One query's system.

    Attributes:
        query: whose.
        prediction: y.
        gradient: [2 width], of y.
        own: [2 width], both rows.
        hessian: [2 width, 2 width].
        user, item: their ratings.
        in_both: [user's ratings], whether it is the rating of the query's own pair.
        others: [item's ratings], whether it is not.
    """

    query: RatingQuery
    prediction: float
    gradient: np.ndarray
    own: np.ndarray
    hessian: np.ndarray
    user: _Side
    item: _Side
    in_both: np.ndarray
    others: np.ndarray

    @property
    def example_ids(self) -> np.ndarray:
        """[n'], R_t: the user's, then the item's others."""
        return np.concatenate([self.user.example_ids, self.item.example_ids[self.others]])

    @property
    def errors(self) -> np.ndarray:
        """[n'], prediction - rating."""
        return np.concatenate([self.user.errors, self.item.errors[self.others]])

    def gradients_along(self, vector: np.ndarray) -> np.ndarray:
        """[n'], the derivatives of the squared errors along a vector [2 width]."""
        along_user, along_item = np.split(vector, 2)
        of_user = self.user.derivatives @ along_user
        of_item = self.item.derivatives @ along_item
        of_user[self.in_both] += of_item[~self.others]
        along: np.ndarray = 2 * self.errors * np.concatenate([of_user, of_item[self.others]])
        return along
