"""Neural collaborative filtering: He et al. (2017), as in Cheng et al. (2019)."""

from collections.abc import Sequence

import numpy as np

from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel, truncated_normal
from gr_tf.runs.engine import tf
from gr_tf.types import Rows, Tensor


class NeuralCF(RatingModel):
    """An MLP of both rows' first halves beside the product of their second halves.

    A row is the MLP's embedding [dim], then the GMF's [dim]. The MLP is 2 dim -> dim -> dim/2, with
    ReLUs; a last layer takes it and the product to the rating. The network is kernel and bias of the
    three layers.
    """

    def __init__(self, num_users: int, num_items: int, dim: int, dtype: str = "float32") -> None:
        """
        Raises:
            InputError: if dim is odd.
        """
        if dim % 2:
            raise InputError(f"model 'ncf' has a layer of dim/2 units: dim must be even; got {dim}.")
        super().__init__(num_users, num_items, dim, dtype)
        self.width = 2 * dim
        self.row_penalty = np.ones(2 * dim)
        self.network_penalty = (1.0, 0.0) * 3
        import keras  # here, because it is slow to import

        self._layers = (
            keras.layers.Dense(dim, activation="relu", dtype=dtype),
            keras.layers.Dense(dim // 2, activation="relu", dtype=dtype),
            keras.layers.Dense(1, dtype=dtype),
        )
        for layer, inputs in zip(self._layers, self._inputs, strict=True):
            layer.build((None, inputs))

    @property
    def _inputs(self) -> tuple[int, ...]:
        """The number of inputs of each layer."""
        return 2 * self.dim, self.dim, self.dim // 2 + self.dim

    def initial_parameters(self, seed: int) -> Parameters:
        """Truncated normal with standard deviation 1/sqrt(dim), kernels 1/sqrt(inputs); biases 0."""
        table = truncated_normal((self.num_rows, self.width), self.dim, (seed, 0))
        network: list[np.ndarray] = []
        for i, (layer, inputs) in enumerate(zip(self._layers, self._inputs, strict=True), start=1):
            network += [truncated_normal((inputs, layer.units), inputs, (seed, i)), np.zeros(layer.units)]
        return Parameters(table, tuple(network)).astype(self.dtype)

    def predict(self, user_rows: Rows, item_rows: Rows, network: Sequence[Tensor]) -> Tensor:
        """See RatingModel."""
        hidden, second, last = self._layers
        # Not slices: XLA's have no second derivative.
        mlp_user, gmf_user = tf.split(user_rows, 2, axis=1)
        mlp_item, gmf_item = tf.split(item_rows, 2, axis=1)
        mlp = tf.concat([mlp_user, mlp_item], axis=1)
        for layer, weights in ((hidden, network[0:2]), (second, network[2:4])):
            mlp, _ = layer.stateless_call(weights, [], mlp)
        rating, _ = last.stateless_call(network[4:6], [], tf.concat([mlp, gmf_user * gmf_item], axis=1))
        return tf.squeeze(rating, axis=1)
