"""Adam on variables, and what a training by it can be continued from.

The kernel of TensorFlow 1's AdamOptimizer, which the authors of FIA used.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import tensorflow as tf


class Parameters(Protocol):
    """The parameters of a model, as named arrays."""

    def to_arrays(self) -> dict[str, np.ndarray]:
        """By name, for files."""

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Any:
        """From `to_arrays`."""


_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8

P = TypeVar("P", bound=Parameters)
_PARTS = ("parameters", "means", "squares")


@dataclasses.dataclass(frozen=True, eq=False)
class AdamState(Generic[P]):
    """What the next step depends on.

    Attributes:
        parameters: of the model.
        means, squares: Adam's, of each parameter.
        done: steps, or epochs, that Adam has done.
    """

    parameters: P
    means: P
    squares: P
    done: int

    @classmethod
    def initial(cls, parameters: P) -> "AdamState[P]":
        """Before the first step."""
        zeros = type(parameters).of_arrays(
            {name: np.zeros_like(array) for name, array in parameters.to_arrays().items()}
        )
        return cls(parameters, zeros, zeros, 0)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """By name, for files; `done` is kept apart."""
        return {
            name: array for part in _PARTS for name, array in prefixed(part, getattr(self, part).to_arrays()).items()
        }

    @classmethod
    def of_arrays(cls, kind: type[P], arrays: Mapping[str, np.ndarray], done: int) -> "AdamState[P]":
        """From `to_arrays`; kind: of the parameters."""
        parameters, means, squares = (kind.of_arrays(without_prefix(part, arrays)) for part in _PARTS)
        return cls(parameters, means, squares, done)


def adam_step(variable: Any, mean: Any, square: Any, gradient: Any, number: Any, learning_rate: float) -> None:
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


def prefixed(part: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays as PART.NAME."""
    return {f"{part}.{name}": array for name, array in arrays.items()}


def without_prefix(part: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays named PART.NAME, by NAME."""
    return {name.removeprefix(f"{part}."): array for name, array in arrays.items() if name.startswith(f"{part}.")}
