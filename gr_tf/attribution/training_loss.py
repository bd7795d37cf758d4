"""The training loss of a rating model over all its ratings: Hessian-vector products, and derivatives along a vector."""

import functools
from collections.abc import Sequence

import numpy as np

from gr_tf.attribution.hessian import hessian_vector_product
from gr_tf.data.ratings import RatingSet
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.training.rating_decay import RatingDecay
from gr_tf.types import Rows, Tensor

# Ratings of one compiled call.
_CHUNK = 1 << 15


class TrainingLoss:
    """L(theta) = mean over training of (prediction - rating)^2, and the weight decay, at fixed parameters.

    Vectors are flat: the table's rows, then the network's arrays.

    Attributes:
        size: of a vector.
        num_table: how many of its numbers are the table's.
        penalty: [size], the weight decay's factor of half of each square; see RatingDecay.
        flat: [size], the parameters.
        product: the Hessian of L with respect to all parameters, times a vector [size]; traceable.
        network_product: the same with respect to the network alone, times a vector [size - num_table].
    """

    def __init__(self, model: RatingModel, parameters: Parameters, ratings: RatingSet, decay: RatingDecay) -> None:
        self._model, self._decay = model, decay
        self._shapes = [array.shape for array in parameters.shared]
        parameters = parameters.astype(model.dtype)
        self.flat = np.concatenate([parameters.table.ravel(), *(array.ravel() for array in parameters.shared)])
        self.num_table = parameters.table.size
        self.size = len(self.flat)
        self.penalty = np.concatenate(
            [
                np.outer(decay.of_rows, decay.numbers).ravel(),
                *(np.full(array.size, rate) for array, rate in zip(parameters.shared, decay.of_network, strict=True)),
            ]
        ).astype(model.dtype)
        self._num_ratings = len(ratings.train)
        self._table = tf.constant(parameters.table)
        self._network = [tf.constant(array) for array in parameters.shared]
        self._chunks = self._cut(model.rows_of(ratings.train.pairs), ratings.train.values)
        self._compiled = tf.function(self._chunk_product, jit_compile=True)
        self._penalty = tf.constant(self.penalty)
        self._along = tf.function(self._derivatives, reduce_retracing=True)
        # Kept, because conjugate_gradients traces each function object anew.
        self.product = functools.partial(self._product, of_table=True)
        self.network_product = self._product_of_network

    def _product_of_network(self, vector: Tensor) -> Tensor:
        whole = tf.concat([tf.zeros([self.num_table], vector.dtype), vector], axis=0)
        return self._product(whole, of_table=False)[self.num_table :]

    def derivatives(self, vector: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """The derivatives [n] of the predictions of (user, item) pairs [n, 2] along a vector [size]."""
        rows = tf.constant(self._model.rows_of(pairs).T)
        along: np.ndarray = self._along(tf.constant(vector.astype(self._model.dtype)), rows).numpy()
        return along

    def decay_along(self, vector: np.ndarray, pairs: np.ndarray) -> np.ndarray | float:
        """The derivatives of the weight decay of (user, item) pairs' ratings along a vector [size]: [n], or of all.

        Where a rating has no decay of its own, each has the whole.
        """
        if not self._decay.is_own:
            return float(self.penalty @ (self.flat * vector))
        table = (self.flat * vector)[: self.num_table].reshape(self._model.num_rows, -1)
        of_rows: np.ndarray = self._decay.rate * (table @ self._decay.numbers)
        summed: np.ndarray = of_rows[self._model.rows_of(pairs)].sum(axis=1)
        return summed

    def prediction_gradient(self, pair: np.ndarray) -> np.ndarray:
        """The gradient [size] of the prediction of a pair [2]."""
        rows = tf.constant(self._model.rows_of(pair))
        with tf.GradientTape() as tape:
            gathered = tf.gather(self._table, rows)
            tape.watch([gathered, self._network])
            prediction = self._model.predict(gathered[:1], gathered[1:], self._network)
        of_rows, of_network = tape.gradient(prediction, [gathered, self._network])
        of_table = tf.math.unsorted_segment_sum(of_rows, rows, self._model.num_rows)
        gradient: np.ndarray = self._flatten(of_table, of_network).numpy()
        return gradient

    def _cut(self, rows: np.ndarray, values: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Rows [chunks, 2 * size], values and weights [chunks, size]; the last is padded with weight 0."""
        size = min(_CHUNK, len(values))
        count = -(-len(values) // size)
        pad = count * size - len(values)
        weights = np.pad(np.ones(len(values)), (0, pad))
        rows = np.pad(rows, ((0, pad), (0, 0))).reshape(count, size, 2).transpose(0, 2, 1).reshape(count, 2 * size)
        return (
            tf.constant(rows.astype(np.int32)),
            tf.constant(np.pad(values, (0, pad)).reshape(count, size), self._model.dtype),
            tf.constant(weights.reshape(count, size), self._model.dtype),
        )

    def _product(self, vector: Tensor, of_table: bool) -> Tensor:
        along_table, along_network = self._unflatten(vector)
        table = tf.zeros_like(along_table)
        network = [tf.zeros_like(array) for array in along_network]
        rows, values, weights = self._chunks
        for chunk in tf.range(tf.shape(rows)[0]):
            of_rows, of_network = self._compiled(
                tf.gather(self._table, rows[chunk]),
                tf.gather(along_table, rows[chunk]),
                along_network,
                values[chunk],
                weights[chunk],
            )
            if of_table:
                table += tf.math.unsorted_segment_sum(of_rows, rows[chunk], self._model.num_rows)
            network = [total + part for total, part in zip(network, of_network)]  # noqa: B905  (autograph)
        return self._flatten(table, network) / self._num_ratings + self._penalty * vector

    def _chunk_product(
        self, rows: Rows, along_rows: Rows, along_network: Sequence[Tensor], values: Tensor, weights: Tensor
    ) -> tuple[Rows, list[Tensor]]:
        """Of the sum of squared errors of a chunk, with respect to its rows and the network."""

        def loss(block: Sequence[Tensor]) -> Tensor:
            predicted = self._model.predict(block[0], block[1], block[2:])
            return tf.reduce_sum(weights * tf.square(predicted - values))

        of_users, of_items, *of_network = hessian_vector_product(
            loss, [*tf.split(rows, 2), *self._network], [*tf.split(along_rows, 2), *along_network]
        )
        return tf.concat([of_users, of_items], axis=0), of_network

    def _derivatives(self, vector: Tensor, rows: Tensor) -> Tensor:
        along_table, along_network = self._unflatten(vector)
        primals = [tf.gather(self._table, rows[0]), tf.gather(self._table, rows[1]), *self._network]
        tangents = [tf.gather(along_table, rows[0]), tf.gather(along_table, rows[1]), *along_network]
        with tf.autodiff.ForwardAccumulator(primals, tangents) as accumulator:
            predicted = self._model.predict(primals[0], primals[1], primals[2:])
        return accumulator.jvp(predicted)

    def _unflatten(self, vector: Tensor) -> tuple[Tensor, list[Tensor]]:
        sizes = [self.num_table, *(int(np.prod(shape)) for shape in self._shapes)]
        table, *network = tf.split(vector, sizes)
        shaped = [tf.reshape(array, shape) for array, shape in zip(network, self._shapes, strict=True)]
        return tf.reshape(table, [self._model.num_rows, self._model.width]), shaped

    def _flatten(self, table: Tensor, network: Sequence[Tensor]) -> Tensor:
        return tf.concat([tf.reshape(array, [-1]) for array in (table, *network)], axis=0)
