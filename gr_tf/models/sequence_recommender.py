"""A sequential recommender: the next item from the items before it, by an LSTM.

Kim, "Recommender System Attribution with TracIn": item embeddings, an LSTM, its last output, a dense
layer over all items.
"""

import math
from collections.abc import Sequence

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.types import Rows, Tensor

# The parameters in their order: the table of item embeddings [num_items + 1, dim], the LSTM's kernel [dim, 4 hidden],
# recurrent kernel [hidden, 4 hidden] and bias [4 hidden], the dense layer's kernel [hidden, num_items + 1] and bias.
NAMES = ("embeddings", "kernel", "recurrent_kernel", "bias", "output_kernel", "output_bias")


class SequenceRecommender:
    """Logits of the next item.

    Items are numbered from 1; 0 is padding, whose embedding starts at zero.

    Attributes:
        num_items: in the vocabulary.
        dim: of the embeddings.
        hidden: units of the LSTM.
        length: of a history.
        dtype: of everything it computes.
        ranks_and_losses: see models.sequence_ranking: (parameters by NAMES, histories [n, length], targets [n])
            -> [n] and [n].
    """

    def __init__(self, num_items: int, dim: int, hidden: int, length: int, dtype: str = "float32") -> None:
        self.num_items = num_items
        self.dim = dim
        self.hidden = hidden
        self.length = length
        self.dtype = dtype
        import keras  # here, because it is slow to import

        # Unrolled: on a CPU twice as fast as its loop, and differentiable in forward mode.
        self._lstm = keras.layers.LSTM(hidden, unroll=True, dtype=dtype)
        self._lstm.build((None, length, dim))
        self._dense = keras.layers.Dense(num_items + 1, dtype=dtype)
        self._dense.build((None, hidden))
        self.ranks_and_losses = tf.function(self._ranks_and_losses, reduce_retracing=True)

    def initial_parameters(self, seed: int) -> Parameters:
        """Embeddings N(0, 1), the padding's 0; the rest uniform within 1/sqrt(hidden), as PyTorch's defaults.

        The same draw in either precision.
        """
        shapes = [tuple(layer_variable.shape) for layer_variable in self._lstm.weights + self._dense.weights]
        generator = np.random.default_rng(seed)
        embeddings = generator.standard_normal((self.num_items + 1, self.dim))
        embeddings[0] = 0
        bound = 1 / math.sqrt(self.hidden)
        drawn = [generator.uniform(-bound, bound, shape) for shape in shapes]
        # PyTorch's LSTM adds two biases.
        drawn[2] += generator.uniform(-bound, bound, shapes[2])
        return Parameters.of([embeddings, *drawn]).astype(self.dtype)

    def logits(self, embedded: Rows, weights: Sequence[Tensor]) -> Tensor:
        """Logits [n, num_items + 1].

        Args:
            embedded: [n, length, dim], the embeddings of histories.
            weights: the other parameters, by NAMES.
        """
        last, _ = self._lstm.stateless_call(list(weights[:3]), self._lstm.non_trainable_variables, embedded)
        result, _ = self._dense.stateless_call(list(weights[3:]), [], last)
        return result

    def losses(self, embedded: Rows, weights: Sequence[Tensor], targets: Tensor) -> Tensor:
        """Cross-entropies [n] of targets [n] over all items and the padding, as in the published code."""
        return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, self.logits(embedded, weights))

    def _ranks_and_losses(self, parameters: Sequence[Tensor], histories: Tensor, targets: Tensor) -> Tensor:
        logits = self.logits(tf.gather(parameters[0], histories), parameters[1:])
        own = tf.gather(logits, targets, batch_dims=1)[:, None]
        # Without the padding.
        others = logits[:, 1:]
        above = tf.reduce_sum(tf.cast(others > own, tf.float64), axis=1)
        equal = tf.reduce_sum(tf.cast(others == own, tf.float64), axis=1)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        return above + (equal + 1) / 2, losses
