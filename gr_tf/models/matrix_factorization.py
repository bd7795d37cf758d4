"""Matrix factorization with biases: Koren, Bell and Volinsky (2009), as in Cheng et al. (2019)."""

from collections.abc import Sequence

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel, truncated_normal
from gr_tf.runs.engine import tf
from gr_tf.types import Rows, Tensor


class MatrixFactorization(RatingModel):
    """p_u . q_i + b_u + b_i + b; a row is its factors [dim], then its bias; the network is b."""

    trains_network = False

    def __init__(self, num_users: int, num_items: int, dim: int, dtype: str = "float32") -> None:
        super().__init__(num_users, num_items, dim, dtype)
        self.width = dim + 1
        self.row_penalty = np.append(np.ones(dim), 0.0)
        self.network_penalty = (0.0,)

    def initial_parameters(self, seed: int) -> Parameters:
        """Factors truncated normal with standard deviation 1/sqrt(dim), biases 0."""
        table = np.zeros((self.num_rows, self.width))
        table[:, :-1] = truncated_normal((self.num_rows, self.dim), self.dim, (seed, 0))
        return Parameters(table, (np.zeros(()),)).astype(self.dtype)

    def predict(self, user_rows: Rows, item_rows: Rows, network: Sequence[Tensor]) -> Tensor:
        """See RatingModel."""
        product = tf.reduce_sum(user_rows[:, :-1] * item_rows[:, :-1], axis=1)
        return product + user_rows[:, -1] + item_rows[:, -1] + network[0]
