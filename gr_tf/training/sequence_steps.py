"""The steps of a sequential recommender: Adam on batches of sequences, an epoch in one graph.

Kim, "Recommender System Attribution with TracIn". Adam is the kernel of TensorFlow 1's AdamOptimizer.
"""

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.models.sequence_recommender import SequenceRecommender
from gr_tf.runs.engine import tf
from gr_tf.training.adam_kernel import adam_step
from gr_tf.training.epoch_steps import EpochSteps
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.types import Tensor


class SequenceSteps(EpochSteps):
    """Steps on batches of sequences; a removed sequence counts for nothing in its batch."""

    def __init__(self, sequences: SequenceSet, model: SequenceRecommender, config: SequenceConfig) -> None:
        """
        Raises:
            InputError: if there is no training sequence.
        """
        if not sequences.num_examples:
            raise InputError("there is no training sequence.")
        super().__init__(sequences.num_examples, config, config.dtype)
        self._model = model
        self._histories = tf.constant(sequences.train.histories)
        self._targets = tf.constant(sequences.train.targets)

    def _epoch(
        self, parameters: Tensor, means: Tensor, squares: Tensor, order: Tensor, all_weights: Tensor, first: Tensor
    ) -> Tensor:
        """See EpochSteps."""
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
