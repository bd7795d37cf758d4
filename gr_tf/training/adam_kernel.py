"""Adam on variables: its state, its step, and what steps by it have in common.

The kernel of TensorFlow 1's AdamOptimizer, which the authors of FIA used.
"""

import abc
from typing import Any, NamedTuple

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.training.steps import Steps
from gr_tf.types import Ids, Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
# Of the names of arrays in files: parameters, means, squares.
_PARTS = ("", "mean.", "square.")


class AdamState(NamedTuple):
    """What the next step depends on.

    Attributes:
        parameters, means, squares: variables, of the table and each shared array; changed in place.
        step: how many steps Adam has done.
        order: what the batches are drawn from.
    """

    parameters: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    step: int
    order: Any


class AdamSteps(Steps):
    """Steps of Adam on variables; a subclass says what batches are drawn from, and does them."""

    @abc.abstractmethod
    def order(self, seed: int) -> Any:
        """What the batches of a training are drawn from; the same whatever is removed."""

    def start(self, parameters: Parameters, removed: Ids, seed: int) -> AdamState:
        """See Steps."""
        zeros = Parameters.of([np.zeros_like(array) for array in parameters.arrays])
        return AdamState(_variables(parameters), _variables(zeros), _variables(zeros), 0, self.order(seed))

    def restore(self, arrays: dict[str, np.ndarray], removed: Ids, seed: int) -> AdamState:
        """See Steps."""
        parameters, means, squares = (_variables(Parameters.of_arrays(arrays, prefix)) for prefix in _PARTS)
        return AdamState(parameters, means, squares, int(arrays["step"]), self.order(seed))

    def to_arrays(self, state: AdamState) -> dict[str, np.ndarray]:
        """See Steps; without the order."""
        arrays = {"step": np.array(state.step)}
        for prefix, variables in zip(_PARTS, state[:3], strict=True):
            arrays |= _read(variables).to_arrays(prefix)
        return arrays

    def parameters(self, state: AdamState) -> Parameters:
        """See Steps."""
        return _read(state.parameters)


def adam_step(
    variable: Tensor, mean: Tensor, square: Tensor, gradient: Tensor, number: Tensor, learning_rate: float
) -> None:
    """One step of Adam on a variable and its two moments; number: of the step, the first is 1, in their dtype."""
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=BETA1**number,
        beta2_power=BETA2**number,
        lr=learning_rate,
        beta1=BETA1,
        beta2=BETA2,
        epsilon=EPSILON,
        grad=gradient,
    )


def _variables(parameters: Parameters) -> list[Tensor]:
    return [tf.Variable(array) for array in parameters.arrays]


def _read(variables: list[Tensor]) -> Parameters:
    return Parameters.of([variable.numpy() for variable in variables])
