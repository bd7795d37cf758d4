"""Rating models: the predicted rating from a user's row, an item's row and what all predictions share."""

import abc
import math
from collections.abc import Sequence

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.types import Rows, Tensor

_AT_ONCE = 1 << 16


class RatingModel(abc.ABC):
    """What a model computes; its parameters are kept apart (see Parameters).

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
        trains_network: whether trainings with shares move the network; else it is a constant, the mean rating.
    """

    width: int
    row_penalty: np.ndarray
    network_penalty: tuple[float, ...]
    trains_network: bool = True

    def __init__(self, num_users: int, num_items: int, dim: int, dtype: str = "float32") -> None:
        self.num_users = num_users
        self.num_items = num_items
        self.dim = dim
        self.dtype = dtype

    @property
    def num_rows(self) -> int:
        """The number of rows of the table."""
        return self.num_users + self.num_items

    def rows_of(self, pairs: np.ndarray) -> np.ndarray:
        """Table rows [..., 2] of (user, item) pairs [..., 2]."""
        return pairs + np.array([0, self.num_users], pairs.dtype)

    @abc.abstractmethod
    def initial_parameters(self, seed: int) -> Parameters:
        """Initial values; the same draw in either precision."""

    def starting_at(self, parameters: Parameters, mean: float, deviation: float | None) -> Parameters:
        """Initial parameters whose predictions have a given mean, and whose rows a given standard deviation.

        Args:
            parameters: from `initial_parameters`.
            mean: of the ratings; the last array of the network is added to every prediction.
            deviation: of the rows' random values; None: as they are.
        """
        factor = 1.0 if deviation is None else deviation * math.sqrt(self.dim)
        *network, last = parameters.shared
        return Parameters(parameters.table * factor, (*network, np.full_like(last, mean))).astype(self.dtype)

    @abc.abstractmethod
    def predict(self, user_rows: Rows, item_rows: Rows, network: Sequence[Tensor]) -> Tensor:
        """Predicted ratings.

        Args:
            user_rows, item_rows: [n, width], tensors.
            network: the shared arrays, tensors.

        Returns:
            [n].
        """

    def predict_pairs(self, parameters: Parameters, pairs: np.ndarray) -> np.ndarray:
        """Predicted ratings [n] of (user, item) pairs [n, 2]."""
        table = tf.constant(parameters.table.astype(self.dtype))
        network = [tf.constant(array.astype(self.dtype)) for array in parameters.shared]
        predicted = np.zeros(len(pairs), self.dtype)
        # In parts: the rows of a million ratings are gigabytes.
        for first in range(0, len(pairs), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            users, items = self.rows_of(pairs[part]).T
            predicted[part] = self.predict(tf.gather(table, users), tf.gather(table, items), network).numpy()
        return predicted


def truncated_normal(shape: Sequence[int], inputs: int, seed: Sequence[int]) -> np.ndarray:
    """Normal draws of standard deviation 1/sqrt(inputs), those beyond two of them drawn again; float64."""
    return tf.random.stateless_truncated_normal(shape, seed, stddev=1 / math.sqrt(inputs), dtype=tf.float64).numpy()
