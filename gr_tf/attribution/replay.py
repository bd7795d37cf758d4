"""Replay: the exact derivative of a prediction with respect to doing a training example's steps.

Weigh every step of example i with w_i: state <- state + w_i * (step(state) - state), so that w_i = 1 is the
training that was done and w_i = 0 the one without the example. The influence of i is dp / dw_i at 1: what the
prediction would lose, to first order, without the example, through everything that came after. Gradient
Rollback, TracIn and influence functions each leave out a part of this path.

Computed for all examples at once by reverse differentiation through the whole training (as in Maclaurin et al.
2015 for hyperparameters, Hara et al. 2019 for SGD), Adam's means and its count of steps included. Memory is that
of one segment's states and of one state a segment (see attribution.trajectory).

In the first epoch Adam's mean square is still near 0, a step's size depends on little but the sign of its gradient,
and the derivative is huge and does not tell what happens without the step. By default, that epoch is left out
(BUILD_NOTES, "Ground truth").
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gr_tf.attribution.base import Explainer, Influences, in_parts
from gr_tf.attribution.trajectory import Trajectory, row_gradients, table_gradient
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.parameters import Parameters
from gr_tf.models.probability_gradients import probability_gradients
from gr_tf.runs.engine import tf
from gr_tf.tasks.trained import Trained
from gr_tf.training.optimizers import Adam
from gr_tf.types import Rows, Tensor

# Numbers of the adjoints of the queries that go back together.
_ADJOINT_NUMBERS = 1 << 20


class _Adjoint(NamedTuple):
    """Derivatives of n predictions with respect to a state: [num_rows, n, width] each, and [n]."""

    table: Tensor
    mean: Tensor
    square: Tensor
    step: Tensor


class Replay(Explainer[Query]):
    """Ranks all training triples of a training with Adam and dense steps."""

    def __init__(self, trained: Trained, *, first_epoch: int | None = None, segment: int = 256) -> None:
        """
        Args:
            trained: the model.
            first_epoch: counted from 1; the steps of earlier ones count for nothing. Default: 2, if there is one.
            segment: see Trajectory.

        Raises:
            InputError: see Trajectory; also if there is no such epoch.
        """
        self.task = trained.task
        first_epoch = min(2, trained.epoch) if first_epoch is None else first_epoch
        self._trajectory = Trajectory(trained.task, trained.epoch, segment)
        if not 1 <= first_epoch <= self._trajectory.epochs:
            raise InputError(f"first_epoch must be from 1 to {self._trajectory.epochs}; got {first_epoch}.")
        self._first_epoch = first_epoch
        self._model, self._triples = trained.task.model, trained.task.dataset
        config = trained.task.config
        self._backward = _compiled_backward(self._model, config.loss, self._trajectory.optimizer, config.dtype)

    @property
    def table(self) -> np.ndarray:
        """The trained parameters [num_rows, width]."""
        table: np.ndarray = self._trajectory.table.numpy()
        return table

    def influences(self, queries: Sequence[Query]) -> list[Influences]:
        """See Explainer."""
        values: np.ndarray = self.by_epoch(queries).sum(axis=0)
        everyone = np.arange(self.task.num_examples)
        parameters = Parameters(self.table)
        return [
            Influences(everyone, row, float(self.task.value(parameters, [query])[0]))
            for query, row in zip(queries, values, strict=True)
        ]

    def by_epoch(self, queries: Sequence[Query]) -> np.ndarray:
        """The parts [epochs, num_queries, num_examples] of `influences` that are due to each epoch's steps.

        Raises:
            InputError: if a tail cannot be predicted, or an influence is not finite, naming the example.
        """
        self._triples.check_queries(queries)
        together = max(1, _ADJOINT_NUMBERS // (self._model.num_rows * self._model.width))
        parts = [self._go_back(part) for part in in_parts(queries, together)]
        found = np.concatenate([np.zeros((self._trajectory.epochs, 0, self._triples.num_examples)), *parts], axis=1)
        bad = np.argwhere(~np.isfinite(found))
        if len(bad):
            raise InputError(f"the influence of training example {bad[0][2]} on {queries[bad[0][1]]} is not finite.")
        return found

    def _go_back(self, queries: Sequence[Query]) -> np.ndarray:
        trajectory = self._trajectory
        gradient = probability_gradients(self._model, trajectory.table, queries)
        zeros = tf.zeros_like(gradient)
        adjoint = _Adjoint(gradient, zeros, zeros, tf.zeros([len(queries)], gradient.dtype))
        found = np.zeros((trajectory.epochs, len(queries), self._triples.num_examples))
        for segment in reversed([part for part in trajectory.segments if part.epoch + 1 >= self._first_epoch]):
            state = segment.state
            adjoint, effects = self._backward(
                trajectory.states(segment), state.step, state.learning_rate, trajectory.rows(segment), adjoint
            )
            found[segment.epoch, :, segment.first : segment.first + segment.size] = effects.numpy().T
        return found


@functools.cache
def _compiled_backward(model: FactorModel, loss_name: str, optimizer: Adam, dtype: str) -> Any:
    """The function that takes an adjoint back over some steps, and what each step did: effects [size, n]."""
    beta1, beta2, epsilon = optimizer.beta1, optimizer.beta2, optimizer.epsilon

    def back(
        adjoint: _Adjoint, before: Sequence[Tensor], places: Tensor, step: Tensor, learning_rate: Tensor
    ) -> tuple[_Adjoint, Tensor]:
        table, mean, square = before
        rows = tf.gather(table, places)[:, None]
        gradient = table_gradient(model, loss_name, table, places)
        with tf.GradientTape() as tape:
            tape.watch(step)
            rate = optimizer.rate(step, learning_rate)
        new_mean = beta1 * mean + (1 - beta1) * gradient
        new_square = beta2 * square + (1 - beta2) * gradient * gradient
        root = tf.sqrt(new_square)
        direction = new_mean / (root + epsilon)
        changes = (-rate * direction, new_mean - mean, new_square - square)
        effects = adjoint.step + tf.add_n(
            [
                tf.reduce_sum(part * change[:, None], axis=[0, 2])
                for part, change in zip(adjoint[:3], changes, strict=True)
            ]
        )
        # Where nothing ever moved, mean and square are 0 and stay so.
        bend = tf.where(root > 0, rate * direction / (2 * tf.where(root > 0, root, 1) * (root + epsilon)), 0)
        of_mean = adjoint.mean - adjoint.table * (rate / (root + epsilon))[:, None]
        of_square = adjoint.square + adjoint.table * bend[:, None]
        along = tf.reduce_sum(adjoint.table * direction[:, None], axis=[0, 2])
        of_step = adjoint.step - along * tape.gradient(rate, step)
        of_gradient = (1 - beta1) * of_mean + 2 * (1 - beta2) * gradient[:, None] * of_square
        turned = _hessian_products(rows, tf.gather(of_gradient, places))
        of_table = tf.tensor_scatter_nd_add(adjoint.table, places[:, None], turned)
        return _Adjoint(of_table, beta1 * of_mean, beta2 * of_square, of_step), effects

    def _hessian_products(rows: Rows, directions: Tensor) -> Tensor:
        """The Hessian of the loss in its rows [k, 1, width], times each of n directions [k, n, width]."""
        tiled = tf.broadcast_to(rows, tf.shape(directions))
        with tf.GradientTape() as tape:
            tape.watch(tiled)
            along = tf.reduce_sum(row_gradients(model, loss_name, tiled) * directions)
        return tape.gradient(along, tiled)

    def run(
        states: Sequence[Tensor], first_step: Tensor, learning_rate: Tensor, rows: Tensor, adjoint: _Adjoint
    ) -> tuple[_Adjoint, Tensor]:
        size = tf.shape(rows)[0]
        effects = tf.zeros([size, tf.shape(adjoint.step)[0]], dtype)

        def body(i: Tensor, adjoint: _Adjoint, effects: Tensor) -> tuple[Tensor, _Adjoint, Tensor]:
            before = tuple(tf.gather(part, i) for part in states)
            step = first_step + tf.cast(i, dtype)
            adjoint, done = back(adjoint, before, tf.gather(rows, i), step, learning_rate)
            return i - 1, adjoint, tf.tensor_scatter_nd_update(effects, [[i]], done[None])

        _, adjoint, effects = tf.while_loop(lambda i, *_: i >= 0, body, (size - 1, adjoint, effects))
        return adjoint, effects

    return tf.function(run, jit_compile=True)
