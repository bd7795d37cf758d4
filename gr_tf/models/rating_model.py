"""Rating models: the predicted rating from a user's row, an item's row and what all predictions share."""

import abc
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_NETWORK = "network_"
_AT_ONCE = 1 << 16


@dataclasses.dataclass(frozen=True, eq=False)
class RatingParameters:
    """The parameters of a rating model.

    Attributes:
        table: [num_users + num_items, width], user rows first.
        network: what all predictions share, arrays of any shape.
    """

    table: np.ndarray
    network: tuple[np.ndarray, ...]

    def astype(self, dtype: str) -> "RatingParameters":
        """The same in another precision."""
        return RatingParameters(self.table.astype(dtype), tuple(array.astype(dtype) for array in self.network))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """By name, for files."""
        return {"table": self.table, **{f"{_NETWORK}{i}": array for i, array in enumerate(self.network)}}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "RatingParameters":
        """From `to_arrays`."""
        count = sum(name.startswith(_NETWORK) for name in arrays)
        return cls(arrays["table"], tuple(arrays[f"{_NETWORK}{i}"] for i in range(count)))


class RatingModel(abc.ABC):
    """What a model computes; its parameters are kept apart (see RatingParameters).

    A prediction is linear in the user's row as long as the item's row stays, and the other way round
    (NCF's: piecewise, because of its ReLUs), so that the squared error's Hessian with respect to one
    row is 2 J J^T with J the prediction's derivative.

    Attributes:
        num_users, num_items: the sizes of the vocabularies.
        dim: K, the number of factors.
        width: numbers in a row.
        dtype: of everything it computes.
        row_penalty: [width], 1 where the weight decay applies, else 0.
        network_penalty: the same for each array of the network, one number each.
    """

    width: int
    row_penalty: np.ndarray
    network_penalty: tuple[float, ...]

    def __init__(self, num_users: int, num_items: int, dim: int, dtype: str = "float32") -> None:
        self.num_users = num_users
        self.num_items = num_items
        self.dim = dim
        self.dtype = dtype

    @property
    def num_rows(self) -> int:
        """Rows of the table."""
        return self.num_users + self.num_items

    def rows_of(self, pairs: np.ndarray) -> np.ndarray:
        """Table rows [..., 2] of (user, item) pairs [..., 2]."""
        return pairs + np.array([0, self.num_users], pairs.dtype)

    @abc.abstractmethod
    def initial_parameters(self, seed: int) -> RatingParameters:
        """Initial values; the same draw in either precision."""

    @abc.abstractmethod
    def predict(self, user_rows: Any, item_rows: Any, network: Sequence[Any]) -> Any:
        """Predicted ratings.

        Args:
            user_rows, item_rows: [n, width], tensors.
            network: the shared arrays, tensors.

        Returns:
            [n].
        """

    def predict_pairs(self, parameters: RatingParameters, pairs: np.ndarray) -> np.ndarray:
        """Predicted ratings [n] of (user, item) pairs [n, 2]."""
        table = tf.constant(parameters.table.astype(self.dtype))
        network = [tf.constant(array.astype(self.dtype)) for array in parameters.network]
        predicted = np.zeros(len(pairs), self.dtype)
        # In parts: the rows of a million ratings are gigabytes.
        for first in range(0, len(pairs), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            users, items = self.rows_of(pairs[part]).T
            predicted[part] = self.predict(tf.gather(table, users), tf.gather(table, items), network).numpy()
        return predicted


def truncated_normal(shape: Sequence[int], inputs: int, seed: Sequence[int]) -> np.ndarray:
    """Normal draws of standard deviation 1/sqrt(inputs), those beyond two of them drawn again; float64."""
    drawn: np.ndarray = tf.random.stateless_truncated_normal(
        shape, seed, stddev=1 / math.sqrt(inputs), dtype=tf.float64
    ).numpy()
    return drawn
