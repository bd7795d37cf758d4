"""TracIn: what the training steps on an example did to the loss of another.

Pruthi, Liu, Kale and Sundararajan (2020), "Estimating Training Data Influence by Tracing Gradient
Descent". With checkpoints i of learning rate eta_i,

    TracInCP(z, z') = sum over i of eta_i * grad loss(w_i, z) . grad loss(w_i, z').

Positive: z is a proponent, whose steps lowered the loss of z'. For one direction g = grad loss(w_i, z')
the products with all z are directional derivatives, from one forward-mode pass over the training
examples; no gradient of a training example is ever kept.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences, not_finite
from gr_tf.attribution.example_gradients import batch_parts, example_gradients
from gr_tf.attribution.methods import Cost, register
from gr_tf.errors import InputError
from gr_tf.runs.engine import tf
from gr_tf.tasks.example_losses import Batch, ExampleLosses
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Checkpoint, Trained
from gr_tf.types import Ids, Rows, Tensor

# Examples of one compiled call; and of one that computes each example's gradient.
_CHUNK = 1024
_EXPLICIT_CHUNK = 64
_ZERO = "zero"  # tf.UnconnectedGradients.ZERO


class TracIn:
    """TracInCP of training examples.

    Args:
        losses: of the model.
        checkpoints: at least one.
        layers: of `losses.layers`, those whose gradients count; None: all.

    Raises:
        InputError: if there is no checkpoint or layer, or a layer is unknown; of every method, if a number is
            not finite, naming the example.
    """

    def __init__(
        self, losses: ExampleLosses, checkpoints: Sequence[Checkpoint], layers: Collection[str] | None = None
    ) -> None:
        if not checkpoints:
            raise InputError("TracIn needs at least one checkpoint.")
        if layers is not None and not layers:
            raise InputError(f"layers must name at least one of {', '.join(losses.layers)}.")
        for layer in layers or ():
            if layer not in losses.layers:
                raise InputError(f"layers must be among {', '.join(losses.layers)}; got {layer!r}.")
        self._losses = losses
        self._checkpoints = [
            (
                [tf.constant(array.astype(losses.dtype)) for array in checkpoint.parameters.arrays],
                checkpoint.learning_rate,
            )
            for checkpoint in checkpoints
        ]
        self._counts = [layers is None or layer in layers for layer in losses.layers]
        self._gradient = tf.function(self._summed_gradient, reduce_retracing=True)
        self._along = tf.function(self._derivatives, reduce_retracing=True)
        self._norms = tf.function(self._squared_norms, reduce_retracing=True)
        self._values = tf.function(self._loss_values, reduce_retracing=True)

    def influences(
        self, test: Sequence[np.ndarray], weights: np.ndarray | None = None, *, on_losses: bool = False
    ) -> np.ndarray:
        """TracInCP [num_train] of every training example on a weighted sum of losses.

        Args:
            test: examples.
            weights: [n], of their losses; None: the mean.
            on_losses: of the training's losses, not of what queries ask about (see ExampleLosses.query_losses).
        """
        if weights is None:
            weights = np.full(len(test[0]), 1 / len(test[0]))
        total = np.zeros(len(self._losses.train[0]))
        for arrays, learning_rate in self._checkpoints:
            direction = self._direction(arrays, test, weights, on_losses)
            along = [self._along(arrays, direction, part).numpy() for part in batch_parts(self._losses.train, _CHUNK)]
            total += learning_rate * np.concatenate(along)[: len(total)].astype(np.float64)
        return _finite(total, "influence")

    def pairwise(self, test: Sequence[np.ndarray]) -> np.ndarray:
        """TracInCP [num_test, num_train] of every training example on each of several."""
        one = np.ones(1)
        return np.stack([self.influences([array[i : i + 1] for array in test], one) for i in range(len(test[0]))])

    def self_influences(self) -> np.ndarray:
        """TracInCP [num_train] of every training example on itself: sums of eta_i * ||grad loss(w_i, z)||^2."""
        total = np.zeros(len(self._losses.train[0]))
        for arrays, learning_rate in self._checkpoints:
            norms = [self._norms(arrays, part).numpy() for part in batch_parts(self._losses.train, _EXPLICIT_CHUNK)]
            total += learning_rate * np.concatenate(norms)[: len(total)].astype(np.float64)
        return _finite(total, "self-influence")

    def training_losses(self) -> np.ndarray:
        """The loss [num_train] of every training example at the last checkpoint."""
        arrays, _ = self._checkpoints[-1]
        values = [self._values(arrays, part).numpy() for part in batch_parts(self._losses.train, _CHUNK)]
        return _finite(np.concatenate(values)[: len(self._losses.train[0])].astype(np.float64), "loss")

    def _loss_values(self, arrays: Sequence[Tensor], batch: Batch) -> Tensor:
        return self._losses.losses(tf.gather(arrays[0], self._losses.rows(batch)), arrays[1:], batch)

    def _direction(
        self, arrays: Sequence[Tensor], test: Sequence[np.ndarray], weights: np.ndarray, on_losses: bool
    ) -> list[Tensor]:
        """The gradient of the weighted loss, as arrays; 0 for layers that do not count."""
        direction = [tf.zeros_like(array) for array in arrays]
        for part, weight in zip(batch_parts(test, _CHUNK), batch_parts([weights], _CHUNK, fill=0), strict=True):
            gradient = self._gradient(arrays, part, tf.cast(weight[0], self._losses.dtype), on_losses)
            direction = [total + of_part for total, of_part in zip(direction, gradient, strict=True)]
        return [
            array if counts else tf.zeros_like(array) for array, counts in zip(direction, self._counts, strict=True)
        ]

    def _summed_gradient(
        self, arrays: Sequence[Tensor], batch: Batch, weights: Tensor, on_losses: bool
    ) -> list[Tensor]:
        losses = self._losses.losses if on_losses else self._losses.query_losses
        ids = self._losses.rows(batch)
        rows = tf.gather(arrays[0], ids)
        with tf.GradientTape() as tape:
            tape.watch([rows, arrays[1:]])
            loss = tf.reduce_sum(weights * losses(rows, arrays[1:], batch))
        of_rows, of_shared = tape.gradient(loss, [rows, list(arrays[1:])], unconnected_gradients=_ZERO)
        return [tf.math.unsorted_segment_sum(of_rows, ids, tf.shape(arrays[0])[0]), *of_shared]

    def _derivatives(self, arrays: Sequence[Tensor], direction: Sequence[Tensor], batch: Batch) -> Tensor:
        """The derivatives [n] of the losses along the direction, in forward mode."""
        ids = self._losses.rows(batch)
        primals = [tf.gather(arrays[0], ids), *arrays[1:]]
        tangents = [tf.gather(direction[0], ids), *direction[1:]]
        with tf.autodiff.ForwardAccumulator(primals, tangents) as accumulator:
            losses = self._losses.losses(primals[0], primals[1:], batch)
        return accumulator.jvp(losses)

    def _squared_norms(self, arrays: Sequence[Tensor], batch: Batch) -> Tensor:
        """||gradient||^2 [n] of each loss; only the rows that an example touches, each once."""
        ids = self._losses.rows(batch)
        of_rows, *of_shared = example_gradients(self._losses, self._losses.losses, arrays, batch)
        total = tf.zeros_like(of_rows[:, 0, 0])
        if self._counts[0]:
            total += _squared_norms_of_sums(ids, of_rows)
        for gradient, counts in zip(of_shared, self._counts[1:]):  # noqa: B905  (autograph)
            if counts:
                total += tf.reduce_sum(tf.square(tf.reshape(gradient, [tf.shape(gradient)[0], -1])), axis=1)
        return total


def _tracin_cost(task: Task[Any]) -> Cost:
    """A chunk of examples with all rows that each looks up, their derivatives, and the query's gradient."""
    parameters, lookups = task.initial_parameters, task.losses().lookups
    size = sum(array.size for array in parameters.arrays)
    chunk = 4.0 * _CHUNK * lookups * parameters.table.shape[1]
    return Cost(8 * (chunk + 8 * size) + 4.0 * task.num_examples * lookups)


@register(
    "tracin",
    kinds=("triples", "ratings", "sequences", "keras"),
    needs="checkpoints",
    unit="log-probability or stars, per unit of training; it ranks",
    title="TracIn: the example's pull on the prediction at the kept epochs, or at the trained parameters",
    cost=_tracin_cost,
    default_for=("sequences", "keras"),
)
class TracInExplainer(Explainer[Any]):
    """Ranks all training examples by TracInCP on a prediction: a log-probability, stars, or a Keras model's loss.

    Pruthi et al. (2020). Positive: the example is a proponent, whose training steps raised what is predicted.
    """

    def __init__(self, trained: Trained, layers: Collection[str] | None = None, dtype: str | None = None) -> None:
        """
        Args:
            trained: the model.
            layers: see TracIn; default: those that training moves.
            dtype: precision; default: the training's.
        """
        self.task, self._parameters = trained.task, trained.parameters
        self._losses = trained.task.losses(dtype)
        self.tracin = TracIn(self._losses, trained.checkpoints(), layers or self._losses.trained_layers)

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        everyone = np.arange(self.task.num_examples)
        return [
            Influences(
                everyone,
                self.tracin.influences(self._losses.query(query)),
                float(self.task.value(self._parameters, [query])[0]),
            )
            for query in queries
        ]

    def self_influence(self, example_ids: Ids) -> np.ndarray:
        """TracIn of training examples on their own training losses [n], at least 0 (Pruthi et al. 2020)."""
        return self.tracin.self_influences()[example_ids]


def _squared_norms_of_sums(ids: Tensor, rows: Rows) -> Tensor:
    """Squared norms [n] of tables that are 0 but for rows [n, k, width]; those of one id in [n, k] are summed."""
    count, places = tf.unstack(tf.shape(ids))
    order = tf.argsort(ids, axis=1)
    ordered = tf.gather(ids, order, batch_dims=1)
    is_new = tf.pad(tf.cast(ordered[:, 1:] != ordered[:, :-1], tf.int32), [[0, 0], [1, 0]])
    segments = tf.cumsum(is_new, axis=1) + places * tf.range(count)[:, None]
    flat = tf.reshape(tf.gather(rows, order, batch_dims=1), [count * places, tf.shape(rows)[2]])
    sums = tf.math.unsorted_segment_sum(flat, tf.reshape(segments, [-1]), count * places)
    return tf.reduce_sum(tf.reshape(tf.square(sums), [count, -1]), axis=1)


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    """The values [num_train], if all are finite."""
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise not_finite(what, bad)
    return values
