"""The steps of a sequential recommender: Adam on batches of sequences, an epoch in one graph.

Kim, "Recommender System Attribution with TracIn". Adam is the kernel of TensorFlow 1's AdamOptimizer.
"""

from collections.abc import Sequence

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.models.sequence_recommender import NAMES, SequenceRecommender
from gr_tf.runs.engine import tf
from gr_tf.training.epoch_backward import EpochBackward
from gr_tf.training.epoch_steps import EpochSteps
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.types import Tensor

# Of going back over a batch with one prediction, for each product of the logits of its sequences; measured.
_SECONDS = 5e-10


class SequenceSteps(EpochSteps):
    """Steps on batches of sequences; a removed sequence counts for nothing in its batch."""

    def __init__(self, sequences: SequenceSet, model: SequenceRecommender, config: SequenceConfig) -> None:
        """
        Raises:
            InputError: if there is no training sequence.
        """
        if not sequences.num_examples:
            raise InputError("there is no training sequence.")
        trained = range(0 if config.train_embeddings else 1, len(NAMES))
        super().__init__(sequences.num_examples, config, config.dtype, trained, config.l2)
        self._model = model
        self._histories = tf.constant(sequences.train.histories)
        self._targets = tf.constant(sequences.train.targets)

    def backward(self) -> EpochBackward:
        """See Steps."""
        model = self._model
        products = model.length * (model.dim + model.hidden) * 4 * model.hidden + model.hidden * self.num_rows
        return EpochBackward(self, 2e-3 + _SECONDS * self.config.batch_size * products)

    @property
    def num_rows(self) -> int:
        """See EpochSteps."""
        return self._model.num_items + 1

    def batch_of(self, examples: Tensor) -> list[Tensor]:
        """See EpochSteps."""
        examples = tf.minimum(examples, self.num_examples - 1)
        return [tf.gather(self._histories, examples), tf.gather(self._targets, examples)]

    def lookups(self, batch: Sequence[Tensor]) -> Tensor:
        """See EpochSteps."""
        return batch[0]

    def losses(self, inputs: Sequence[Tensor], batch: Sequence[Tensor]) -> Tensor:
        """See EpochSteps."""
        return self._model.losses(inputs[0], inputs[1:], batch[1])
