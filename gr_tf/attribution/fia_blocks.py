"""FIA's systems: the loss of a query's related ratings as a function of the query's two rows.

See attribution.fia for the notation: theta_t, R_t, n', H.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from gr_tf.attribution.hessian import hessian_vector_product
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.training.rating_decay import RatingDecay
from gr_tf.types import Ids, Rows, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """The training ratings of one user or item.

    Attributes:
        example_ids: [n].
        errors: [n], prediction - rating.
        derivatives: [n, width], J, of the predictions with respect to the user's or the item's row.
    """

    example_ids: Ids
    errors: np.ndarray
    derivatives: np.ndarray

    @property
    def gram(self) -> np.ndarray:
        """J^T J."""
        return self.derivatives.T @ self.derivatives


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """One query's system.

    Attributes:
        query: whose.
        prediction: y.
        gradient: [2 width], of y.
        own: [2 width], both rows.
        hessian: [2 width, 2 width], H without damping.
        user, item: their ratings.
        in_both: [user's ratings], whether it is the rating of the query's own pair.
        others: [item's ratings], whether it is not.
    """

    query: RatingQuery
    prediction: float
    gradient: np.ndarray
    own: np.ndarray
    hessian: np.ndarray
    user: Side
    item: Side
    in_both: np.ndarray
    others: np.ndarray

    @property
    def example_ids(self) -> Ids:
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


class Blocks:
    """The systems of any queries, at fixed parameters, in float64.

    Attributes:
        penalty: [2 width], the weight decay of each number of both rows.
        product: H times a vector [2 width] by automatic differentiation, without damping: of the vector and `data`.
    """

    def __init__(
        self, model: RatingModel, parameters: Parameters, ratings: RatingSet, decay: RatingDecay, scaled: bool
    ):
        """
        Args:
            model: in float64.
            parameters: of the model.
            ratings: that it was trained on.
            decay: the weight decay of the training.
            scaled: whether the weight decay in H is that of the training times n/n', so that it is as strong beside
                R_t's ratings as it was in the training; else it is the whole wd.
        """
        parameters = parameters.astype("float64")
        self._model, self._ratings, self._scaled = model, ratings, scaled
        self._table = parameters.table
        self._table_tensor = tf.constant(parameters.table)
        self._network = [tf.constant(array) for array in parameters.shared]
        self._decay, self.penalty = decay, decay.rate * np.tile(decay.numbers, 2)
        rows = (tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.int64))
        self._of_sides = [
            tf.function(functools.partial(self._derivatives, side), input_signature=rows) for side in (0, 1)
        ]
        self._mixed = tf.function(self._mixed_derivative, input_signature=(tf.TensorSpec([2], tf.int64),))
        # Kept, because conjugate_gradients traces each function object anew.
        self.product = tf.function(self._product_of_rows, reduce_retracing=True)

    def of(self, queries: Sequence[RatingQuery]) -> list[Block]:
        """The systems of some queries.

        Raises:
            InputError: if a query has no related rating, naming it.
        """
        for query in queries:
            if not len(self._ratings.of_user(query.user)) + len(self._ratings.of_item(query.item)):
                names = self._ratings.users.names[query.user], self._ratings.items.names[query.item]
                raise InputError(f"user {names[0]!r} and item {names[1]!r} have no training rating: nothing explains.")
        users = self._sides([query.user for query in queries], 0)
        items = self._sides([query.item for query in queries], 1)
        rows = self._model.rows_of(np.array([(query.user, query.item) for query in queries], np.int64)).T
        (predictions, of_user), (_, of_item) = (of_side(*rows) for of_side in self._of_sides)
        gradients = np.concatenate([of_user, of_item], axis=1)
        return [
            self._block(query, users[query.user], items[query.item], float(prediction), gradient)
            for query, prediction, gradient in zip(queries, predictions.numpy(), gradients, strict=True)
        ]

    def decay_along(self, block: Block, vector: np.ndarray) -> np.ndarray | float:
        """The derivatives of the weight decay of R_t's ratings along a vector [2 width]: [n'], or the one of all.

        Where a rating has no decay of its own, each has the whole.
        """
        products = self.penalty * (block.own * vector)
        if not self._decay.is_own:
            return self.penalty @ (block.own * vector)
        of_user, of_item = products.reshape(2, -1).sum(axis=1)
        return np.concatenate([of_user + block.in_both * of_item, np.full(block.others.sum(), of_item)])

    def data(self, query: RatingQuery) -> tuple[Tensor, ...]:
        """What `product` depends on, beside the vector."""
        of_user, of_item = self._ratings.of_user(query.user), self._ratings.of_item(query.item)
        others = self._ratings.train.pairs[of_item, 0] != query.user
        examples = np.concatenate([of_user, of_item[others]])
        pairs = self._ratings.train.pairs[examples]
        rows = self._model.rows_of(pairs)
        arrays = (
            self._own(query),
            self._table[rows[:, 0]],
            self._table[rows[:, 1]],
            (pairs == [query.user, query.item])[..., None],
            self._ratings.train.values[examples],
            self._hessian_penalty(query, len(examples)),
        )
        return tuple(map(tf.constant, arrays))

    def _block(self, query: RatingQuery, user: Side, item: Side, prediction: float, gradient: np.ndarray) -> Block:
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
            mixed += user.errors[in_both].sum() * self._mixed(self._rows(query)).numpy()
            hessian[:size, size:] = mixed
            hessian[size:, :size] = mixed.T
        count = len(user.errors) + int(others.sum())
        return Block(
            query,
            prediction,
            gradient,
            self._own(query),
            2 / count * hessian + np.diag(self._hessian_penalty(query, count)),
            user,
            item,
            in_both,
            others,
        )

    def _rows(self, query: RatingQuery) -> Ids:
        return self._model.rows_of(np.array([query.user, query.item]))

    def _own(self, query: RatingQuery) -> np.ndarray:
        return self._table[self._rows(query)].ravel()

    def _hessian_penalty(self, query: RatingQuery, num_related: int) -> np.ndarray:
        """[2 width], the weight decay's part of H."""
        if not self._scaled:
            return self.penalty
        trained = np.outer(self._decay.of_rows[self._rows(query)], self._decay.numbers).ravel()
        return trained * (self._ratings.num_examples / num_related)

    def _sides(self, ids: Sequence[int], side: int) -> dict[int, Side]:
        """What the training ratings of some users (side 0) or items (side 1) say of their rows."""
        distinct = sorted(set(ids))
        of = self._ratings.of_user if side == 0 else self._ratings.of_item
        examples = [of(i) for i in distinct]
        joined = np.concatenate(examples)
        pairs = self._ratings.train.pairs[joined].astype(np.int64)
        predicted, derivatives = self._of_sides[side](*self._model.rows_of(pairs).T)
        errors = predicted.numpy() - self._ratings.train.values[joined]
        cuts = np.cumsum([len(part) for part in examples])[:-1]
        parts = zip(distinct, examples, np.split(errors, cuts), np.split(derivatives.numpy(), cuts), strict=True)
        return {i: Side(ids, error, derivative) for i, ids, error, derivative in parts}

    def _derivatives(self, side: int, user_rows: Tensor, item_rows: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions [n], and their derivatives [n, width] with respect to the row of one side."""
        gathered = [tf.gather(self._table_tensor, user_rows), tf.gather(self._table_tensor, item_rows)]
        with tf.GradientTape() as tape:
            tape.watch(gathered[side])
            predicted = self._model.predict(gathered[0], gathered[1], self._network)
        return predicted, tape.gradient(predicted, gathered[side])

    def _mixed_derivative(self, rows: Tensor) -> Tensor:
        """[width, width], of the prediction, with respect to the user's row, then the item's."""
        user, item = tf.split(tf.gather(self._table_tensor, rows), 2)
        with tf.GradientTape() as outer:
            outer.watch(item)
            with tf.GradientTape() as inner:
                inner.watch(user)
                predicted = self._model.predict(user, item, self._network)
            of_user = inner.gradient(predicted, user)[0]
        return outer.jacobian(of_user, item, unconnected_gradients=tf.UnconnectedGradients.ZERO)[:, 0]

    def _product_of_rows(
        self, vector: Tensor, own: Tensor, users: Rows, items: Rows, is_own: Tensor, values: Tensor, penalty: Tensor
    ) -> Tensor:
        """The Hessian of the mean loss of R_t with respect to both rows, times a vector."""

        def loss(block: Sequence[Tensor]) -> Tensor:
            user, item = tf.split(block[0][None], 2, axis=1)
            predicted = self._model.predict(
                tf.where(is_own[:, 0], user, users), tf.where(is_own[:, 1], item, items), self._network
            )
            decay = tf.reduce_sum(penalty * tf.square(block[0])) / 2
            return tf.reduce_mean(tf.square(predicted - values)) + decay

        return hessian_vector_product(loss, [own], [vector])[0]
