"""The steps of a rating model: Adam on batches of ratings, many steps in one graph.

Cheng et al. (2019), Section 5.1. A native loop gathers the rows of a batch, sums their gradients into
the table and applies Adam; only the arithmetic between is compiled, because compiled scatters are serial.
"""

from collections.abc import Sequence

import numpy as np

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError, argument
from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.training.adam_kernel import AdamState, AdamSteps, adam_step
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import REPLAYED_WITH, RatingConfig
from gr_tf.training.steps import Block, Trace
from gr_tf.types import Ids, Rows, Tensor

# Steps of a block.
BLOCK_STEPS = 250
# Of one call of the compiled graph: whole blocks, unless batches are very large.
_RATINGS_AT_ONCE = 1 << 21


class RatingSteps(AdamSteps):
    """Steps on batches of ratings; a removed rating counts for nothing in its batch."""

    replayed_with = REPLAYED_WITH

    def __init__(self, ratings: RatingSet, model: RatingModel, config: RatingConfig) -> None:
        """
        Raises:
            InputError: if a batch is larger than the training set.
        """
        if config.batch_size > ratings.num_examples:
            raise InputError(
                f"{argument('batch_size')} must be at most the {ratings.num_examples} training ratings; got "
                f"{config.batch_size}."
            )
        self._num_examples = ratings.num_examples
        self._model, self._config = model, config
        self._rows = np.ascontiguousarray(model.rows_of(ratings.train.pairs).T, np.int32)
        self._values = ratings.train.values.astype(config.dtype)
        # The table [1, width] first, then each array of the network.
        self._decays = [
            tf.constant(config.weight_decay * np.asarray(penalty), config.dtype)
            for penalty in (model.row_penalty[None], *model.network_penalty)
        ]
        self._at_once = max(1, min(BLOCK_STEPS, _RATINGS_AT_ONCE // config.batch_size))
        self._run_block = tf.function(self._block)
        self._gradients = tf.function(self._batch_gradients, jit_compile=True)

    def blocks(self, length: int) -> Sequence[Block]:
        """See Steps; length is the number of steps. An epoch ends with the block that its last step is in.

        Raises:
            InputError: if it is below 1.
        """
        if length < 1:
            raise InputError(f"steps must be at least 1; got {length}.")
        each = max(1, self._num_examples // self._config.batch_size)
        found: list[Block] = []
        for first in range(0, length, BLOCK_STEPS):
            count = min(BLOCK_STEPS, length - first)
            done = first + count
            epochs = -(-done // each) if done == length else done // each
            found.append(Block(len(found), first, count, epochs if epochs > first // each else None))
        return found

    def order(self, seed: int) -> RatingBatches:
        """See AdamSteps."""
        return RatingBatches(self._num_examples, self._config.batch_size, seed)

    def name_of(self, state: AdamState, block: Block, place: int) -> str:
        """See Steps."""
        return f"step {block.first + place}, a batch of {self._config.batch_size} ratings"

    def run(self, state: AdamState, block: Block, kept: np.ndarray) -> tuple[AdamState, Trace]:
        """See Steps; the losses are the batches' mean squared errors, before their steps."""
        parts = []
        for first in range(0, block.count, self._at_once):
            size = min(self._at_once, block.count - first)
            plan = self._plan(state.order.take(block.first + first, size), kept)
            errors = self._run_block(*state[:3], *plan, tf.constant(state.step + first), tf.constant(size))
            parts.append(errors.numpy()[:size])
        return state._replace(step=state.step + block.count), Trace(np.concatenate(parts), None, block.count)

    def _plan(self, examples: Ids, kept: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, values and weights of batches [n, batch], filled up to the one shape that the graph is traced for.

        Here, because numpy gathers from these large arrays in less time than the graph.
        """
        examples = np.pad(examples, ((0, self._at_once - len(examples)), (0, 0)))
        rows = np.concatenate([rows.take(examples) for rows in self._rows], axis=1)
        weights = kept.take(examples).astype(self._config.dtype)
        return tf.constant(rows), tf.constant(self._values.take(examples)), tf.constant(weights)

    def _batch_gradients(self, rows: Rows, network: Sequence[Tensor], values: Tensor, weights: Tensor) -> Tensor:
        """The mean squared error of a batch, and its gradients by rows and by each array of the network.

        The rows [2 * batch, width] are the users', then the items'.
        """
        size = self._config.batch_size
        with tf.GradientTape() as tape:
            tape.watch([rows, network])
            predicted = self._model.predict(rows[:size], rows[size:], network)
            # At least one: a batch may have nothing left in it.
            error = tf.reduce_sum(tf.square(predicted - values) * weights) / tf.maximum(tf.reduce_sum(weights), 1)
        return error, *tape.gradient(error, [rows, network])

    def _block(
        self,
        parameters: Sequence[Tensor],
        means: Sequence[Tensor],
        squares: Sequence[Tensor],
        all_rows: Tensor,
        values: Tensor,
        weights: Tensor,
        first: Tensor,
        count: Tensor,
    ) -> Tensor:
        """Does `count` steps on variables, see AdamState, after Adam's `first`; returns their errors [at_once].

        Args:
            all_rows: [at_once, 2 * batch], user rows, then item rows.
            values, weights: [at_once, batch].
        """
        dtype = self._config.dtype
        errors = tf.TensorArray(dtype, size=self._at_once)
        for place in tf.range(count):
            rows = all_rows[place]
            error, row_gradients, network_gradients = self._gradients(
                tf.gather(parameters[0], rows),
                [tf.identity(array) for array in parameters[1:]],
                values[place],
                weights[place],
            )
            summed = tf.math.unsorted_segment_sum(row_gradients, rows, self._model.num_rows)
            number = tf.cast(first + place + 1, dtype)
            for i, gradient in enumerate([summed, *network_gradients]):
                regularized = gradient + self._decays[i] * parameters[i]
                adam_step(parameters[i], means[i], squares[i], regularized, number, self._config.learning_rate)
            errors = errors.write(place, error)
        return errors.stack()
