"""Adam on variables: its state, and its step.

The kernel of TensorFlow 1's AdamOptimizer, which the authors of FIA used.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.types import Tensor

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
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

    @classmethod
    def start(cls, parameters: Parameters, order: Any) -> "AdamState":
        """The state before the first step."""
        zeros = Parameters.of([np.zeros_like(array) for array in parameters.arrays])
        return cls(_variables(parameters), _variables(zeros), _variables(zeros), 0, order)

    def read(self) -> Parameters:
        """A copy of the parameters."""
        return _read(self.parameters)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name, for files; without the order."""
        arrays = {"step": np.array(self.step)}
        for prefix, variables in zip(_PARTS, self[:3], strict=True):
            arrays |= _read(variables).to_arrays(prefix)
        return arrays

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], order: Any) -> "AdamState":
        """Makes a state from what `to_arrays` gave."""
        parameters, means, squares = (_variables(Parameters.of_arrays(arrays, prefix)) for prefix in _PARTS)
        return cls(parameters, means, squares, int(arrays["step"]), order)


def adam_step(
    variable: Tensor, mean: Tensor, square: Tensor, gradient: Tensor, number: Tensor, learning_rate: float
) -> None:
    """One step of Adam on a variable and its two moments; number: of the step, the first is 1, in their dtype."""
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=mean.handle,
        v=square.handle,
        beta1_power=_BETA1**number,
        beta2_power=_BETA2**number,
        lr=learning_rate,
        beta1=_BETA1,
        beta2=_BETA2,
        epsilon=_EPSILON,
        grad=gradient,
    )


def _variables(parameters: Parameters) -> list[Tensor]:
    return [tf.Variable(array) for array in parameters.arrays]


def _read(variables: Sequence[Tensor]) -> Parameters:
    return Parameters.of([variable.numpy() for variable in variables])
