"""The steps of a sequential recommender: Adam on batches of sequences, an epoch in one graph.

Kim, "Recommender System Attribution with TracIn". Adam is the kernel of TensorFlow 1's AdamOptimizer.
"""

from collections.abc import Sequence

import numpy as np

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.models.sequence_recommender import SequenceRecommender
from gr_tf.runs.engine import tf
from gr_tf.training.adam_kernel import AdamState, AdamSteps, adam_step
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.steps import Block, Trace, check_length
from gr_tf.types import Tensor


class SequenceSteps(AdamSteps):
    """Steps on batches of sequences; a removed sequence counts for nothing in its batch."""

    def __init__(self, sequences: SequenceSet, model: SequenceRecommender, config: SequenceConfig) -> None:
        """
        Raises:
            InputError: if there is no training sequence.
        """
        if not sequences.num_examples:
            raise InputError("there is no training sequence.")
        self._num_examples = sequences.num_examples
        self._model, self._config = model, config
        self._histories = tf.constant(sequences.train.histories)
        self._targets = tf.constant(sequences.train.targets)
        self._batches = -(-sequences.num_examples // config.batch_size)
        self._run_epoch = tf.function(self._epoch)

    def blocks(self, length: int) -> Sequence[Block]:
        """See Steps; length is the number of epochs, and a block is an epoch.

        Raises:
            InputError: if it is more than the configuration's.
        """
        check_length(length, self._config.epochs, "epochs")
        return [Block(epoch, epoch * self._batches, self._batches, epoch + 1) for epoch in range(length)]

    def order(self, seed: int) -> int:
        """The seed itself: each epoch has an order of its own."""
        return seed

    def name_of(self, state: AdamState, block: Block, place: int) -> str:
        """See Steps."""
        return f"step {block.first + place}, batch {place} of epoch {block.ends}"

    def run(self, state: AdamState, block: Block, kept: np.ndarray) -> tuple[AdamState, Trace]:
        """See Steps; the losses are the batches' mean cross-entropies, before their steps."""
        # The last weight is that of what fills up the last batch.
        weights = tf.constant(np.append(kept, False).astype(self._config.dtype))
        order = tf.constant(self._drawn(state.order, block.number))
        losses = self._run_epoch(*state[:3], order, weights, tf.constant(state.step))
        return state._replace(step=state.step + block.count), Trace(losses.numpy(), None, block.count)

    def _drawn(self, seed: int, epoch: int) -> np.ndarray:
        """Example ids [batches, batch_size] of an epoch; num_examples fills up the last batch."""
        count, size = self._num_examples, self._config.batch_size
        order = np.arange(count, dtype=np.int32)
        if self._config.shuffle:
            order = np.random.default_rng((seed, epoch)).permutation(order)
        fill = self._batches * size - count
        return np.pad(order, (0, fill), constant_values=count).reshape(self._batches, size)

    def _epoch(
        self, parameters: Tensor, means: Tensor, squares: Tensor, order: Tensor, all_weights: Tensor, first: Tensor
    ) -> Tensor:
        """Does an epoch's steps on variables, see AdamState, after `first` others; returns their losses [batches].

        Args:
            order: [batches, batch] example ids.
            all_weights: [num_examples + 1].
        """
        dtype = self._config.dtype
        num_examples = self._num_examples
        errors = tf.TensorArray(dtype, size=tf.shape(order)[0])
        for place in tf.range(tf.shape(order)[0]):
            weights = tf.gather(all_weights, order[place])
            examples = tf.minimum(order[place], num_examples - 1)
            histories = tf.gather(self._histories, examples)
            inputs = [tf.gather(parameters[0], histories), *(tf.convert_to_tensor(array) for array in parameters[1:])]
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                losses = self._model.losses(inputs[0], inputs[1:], tf.gather(self._targets, examples))
                loss = tf.reduce_sum(losses * weights) / tf.maximum(tf.reduce_sum(weights), 1)
            trained = range(0 if self._config.train_embeddings else 1, len(parameters))
            gradients = tape.gradient(loss, [inputs[i] for i in trained])
            number = tf.cast(first + place + 1, dtype)
            for i, gradient in zip(trained, gradients):  # noqa: B905  (autograph)
                dense = gradient
                if i == 0:
                    dense = tf.math.unsorted_segment_sum(gradient, histories, self._model.num_items + 1)
                regularized = dense + self._config.l2 * parameters[i]
                adam_step(parameters[i], means[i], squares[i], regularized, number, self._config.learning_rate)
            errors = errors.write(place, loss)
        return errors.stack()
