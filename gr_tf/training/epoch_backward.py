"""Takes the derivatives of predictions back over batches of Adam on all parameters; see batch_backward, of triples.

A step is, with the gradient g of a batch's loss at w (its l2 included), the means m and v, and the rate a of the step,

    m' = b1 m + (1 - b1) g,    v' = b2 v + (1 - b2) g^2,    w' = w - a m' / (sqrt(v') + e).

Derivatives of a prediction by (w', m', v') give those by g, and through it, by the Hessian of the batch's loss, those
by w; and by the weights of the examples' losses.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.training.adam_kernel import BETA1, BETA2, EPSILON, AdamState
from gr_tf.training.epoch_steps import EpochSteps
from gr_tf.training.steps import Backward, Block
from gr_tf.types import Ids, Tensor

# Predictions that one graph goes back with.
_AT_ONCE = 4


class EpochAdjoint(NamedTuple):
    """Derivatives of at most _AT_ONCE predictions with respect to a state: by its trained arrays, [n, *shape] each.

    Attributes:
        parameters, means, squares: see AdamState.
    """

    parameters: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]


class EpochBackward(Backward):
    """Goes back over the batches of an epoch.

    The state is kept before every k-th batch, k the root of their number, and made again before those between.
    """

    numbers = 3

    def __init__(self, steps: EpochSteps, seconds: float) -> None:
        """
        Args:
            steps: of the training.
            seconds: see Backward.
        """
        self._steps, self.seconds = steps, seconds
        self.states = 2 * (math.isqrt(steps.num_batches) + 2)
        self._back = tf.function(self._over_batch)

    def start(self, arrays: dict[str, np.ndarray], gradients: Sequence[Tensor]) -> list[EpochAdjoint]:
        """See Backward; predictions do not depend on the means."""
        trained, found = [gradients[i] for i in self._steps.trained], []
        for first in range(0, trained[0].shape[0], _AT_ONCE):
            some = [gradient[first : first + _AT_ONCE] for gradient in trained]
            zeros = [tf.zeros_like(gradient) for gradient in some]
            found.append(EpochAdjoint(some, zeros, zeros))
        return found

    def back(
        self, arrays: dict[str, np.ndarray], block: Block, seed: int, kept: np.ndarray, adjoint: list[EpochAdjoint]
    ) -> tuple[list[EpochAdjoint], Ids, np.ndarray]:
        """See Backward; changes the list in place, so that there is about one copy of the adjoint at a time."""
        steps, weights = self._steps, self._steps.weights_of(kept)
        order = steps.drawn(steps.order(seed), block.number)
        state, together, starts = steps.restore(arrays, np.zeros(0, np.int64), seed), math.isqrt(block.count), []
        parts = [order[first : first + together] for first in range(0, block.count, together)]
        for part in parts:
            starts.append(_copied(state))
            state = self._done(state, part, weights)
        count = sum(some.parameters[0].shape[0] for some in adjoint)
        effects = np.zeros((count, steps.num_examples))
        for part, start in zip(reversed(parts), reversed(starts), strict=True):
            states, state = [], start.as_variables()
            for batch in part:
                states.append(_copied(state))
                state = self._done(state, batch[None], weights)
            for batch, before in zip(part[::-1], reversed(states), strict=True):
                by_weights = self._over(before, adjoint, batch, weights)
                found = batch < steps.num_examples
                effects[:, batch[found]] = by_weights[:, found]
        return adjoint, np.arange(steps.num_examples), effects

    def _done(self, state: AdamState, order: np.ndarray, weights: Tensor) -> AdamState:
        """The state after some batches, one after the other: as many graphs as lengths would be compiled else."""
        for batch in order:
            state, _ = self._steps.run_batches(state, batch[None], weights)
        return state

    def _over(self, before: "_Before", adjoint: list[EpochAdjoint], batch: np.ndarray, weights: Tensor) -> np.ndarray:
        """Takes the adjoint back over a batch; the derivatives [n, batch] by the weights, times the weights."""
        ids, number, effects = tf.constant(batch), tf.constant(before.step + 1), []
        for place, some in enumerate(adjoint):
            adjoint[place], by_weights = self._back(
                before.parameters, before.means, before.squares, some, ids, weights, number
            )
            effects.append(by_weights.numpy())
        return np.concatenate(effects).astype(np.float64)

    def _over_batch(
        self,
        parameters: list[Tensor],
        means: list[Tensor],
        squares: list[Tensor],
        adjoint: EpochAdjoint,
        order: Tensor,
        all_weights: Tensor,
        number: Tensor,
    ) -> tuple[EpochAdjoint, Tensor]:
        """The adjoint before the number-th step, counted from 1, from the state before it; and see `_over`."""
        steps, weights = self._steps, tf.gather(all_weights, order)
        batch = steps.batch_of(order)
        inputs = steps.inputs(parameters, batch)
        with tf.GradientTape(persistent=True) as outer:
            outer.watch([inputs, weights])
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                loss = steps.loss(inputs, batch, weights)
            gradients = steps.gradients(inner, loss, inputs)
        count = tf.cast(number, loss.dtype)
        rate = steps.config.learning_rate * tf.sqrt(1 - BETA2**count) / (1 - BETA1**count)
        of_parameters, of_means, of_squares, of_gradients = [], [], [], []
        for k, i in enumerate(steps.trained):
            gradient = steps.whole(i, gradients[k], batch) + steps.l2 * parameters[i]
            mean = BETA1 * means[i] + (1 - BETA1) * gradient
            square = BETA2 * squares[i] + (1 - BETA2) * gradient * gradient
            root = tf.sqrt(square)
            moved = rate * adjoint.parameters[k] / (root + EPSILON)
            of_mean = adjoint.means[k] - moved
            # A number that no gradient has reached yet does not move, and its root has no derivative.
            of_square = adjoint.squares[k] + tf.math.divide_no_nan(moved * mean, 2 * root * (root + EPSILON))
            of_gradient = (1 - BETA1) * of_mean + 2 * (1 - BETA2) * gradient * of_square
            of_parameters.append(adjoint.parameters[k] + steps.l2 * of_gradient)
            of_means.append(BETA1 * of_mean)
            of_squares.append(BETA2 * of_square)
            of_gradients.append(of_gradient)
        by_weights, products = [], []
        sources = [weights, *(inputs[i] for i in steps.trained)]
        for one in range(adjoint.parameters[0].shape[0]):
            along = [
                part[one] if i else tf.gather(part[one], steps.lookups(batch))
                for i, part in zip(steps.trained, of_gradients, strict=True)
            ]
            zero = tf.UnconnectedGradients.ZERO
            of_weights, *found = outer.gradient(gradients, sources, along, unconnected_gradients=zero)
            by_weights.append(of_weights * weights)
            products.append([steps.whole(i, part, batch) for i, part in zip(steps.trained, found, strict=True)])
        hessians = [tf.stack(parts) for parts in zip(*products, strict=True)]
        of_parameters = [part + product for part, product in zip(of_parameters, hessians, strict=True)]
        return EpochAdjoint(of_parameters, of_means, of_squares), tf.stack(by_weights)


class _Before(NamedTuple):
    """The values of an AdamState."""

    parameters: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    step: int
    order: int

    def as_variables(self) -> AdamState:
        parameters, means, squares = ([tf.Variable(array) for array in arrays] for arrays in self[:3])
        return AdamState(parameters, means, squares, self.step, self.order)


def _copied(state: AdamState) -> _Before:
    parameters, means, squares = ([tf.identity(array) for array in arrays] for arrays in state[:3])
    return _Before(parameters, means, squares, state.step, state.order)
