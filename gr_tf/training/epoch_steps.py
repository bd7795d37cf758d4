"""What steps of Adam on batches of a shuffled epoch have in common: an epoch is one call of a compiled graph."""

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.training.adam_kernel import AdamState, AdamSteps, adam_step
from gr_tf.training.steps import Block, Trace, check_length
from gr_tf.types import Tensor


class EpochSteps(AdamSteps):
    """Steps on batches of examples; a removed example counts for nothing in its batch.

    Attributes:
        num_examples, config: as given.
        num_batches: of an epoch.
        trained: the places of the trained arrays among the parameters.
        l2: how much of a parameter is added to its gradient.
    """

    def __init__(self, num_examples: int, config: Any, dtype: str, trained: range, l2: float = 0.0) -> None:
        """
        Args:
            num_examples: how many there are.
            config: with batch_size, epochs, shuffle, learning_rate.
            dtype: of the losses.
            trained, l2: see the attributes.
        """
        self.num_examples, self.config, self._dtype = num_examples, config, dtype
        self.trained, self.l2 = trained, l2
        self.num_batches = -(-num_examples // config.batch_size)
        self._run_epoch = tf.function(self._epoch)

    def blocks(self, length: int) -> Sequence[Block]:
        """See Steps; length is the number of epochs, and a block is an epoch.

        Raises:
            InputError: if it is more than the configuration's.
        """
        check_length(length, self.config.epochs, "epochs")
        return [Block(epoch, epoch * self.num_batches, self.num_batches, epoch + 1) for epoch in range(length)]

    def order(self, seed: int) -> int:
        """The seed itself: each epoch has an order of its own."""
        return seed

    def name_of(self, state: AdamState, block: Block, place: int) -> str:
        """See Steps."""
        return f"step {block.first + place}, batch {place} of epoch {block.ends}"

    def run(self, state: AdamState, block: Block, kept: np.ndarray) -> tuple[AdamState, Trace]:
        """See Steps; the losses are the batches' means, before their steps."""
        state, losses = self.run_batches(state, self.drawn(state.order, block.number), self.weights_of(kept))
        return state, Trace(losses.numpy(), None, block.count)

    def run_batches(self, state: AdamState, order: np.ndarray, weights: Tensor) -> tuple[AdamState, Tensor]:
        """Does the steps on some batches [batches, batch_size] of example ids; and their losses [batches]."""
        losses = self._run_epoch(*state[:3], tf.constant(order), weights, tf.constant(state.step))
        return state._replace(step=state.step + len(order)), losses

    def weights_of(self, kept: np.ndarray) -> Tensor:
        """The weights of the examples' losses; the last is that of what fills up the last batch."""
        return tf.constant(np.append(kept, False).astype(self._dtype))

    def drawn(self, seed: int, epoch: int) -> np.ndarray:
        """Example ids [batches, batch_size] of an epoch; num_examples fills up the last batch."""
        count, size = self.num_examples, self.config.batch_size
        order = np.arange(count, dtype=np.int32)
        if self.config.shuffle:
            order = np.random.default_rng((seed, epoch)).permutation(order)
        fill = self.num_batches * size - count
        return np.pad(order, (0, fill), constant_values=count).reshape(self.num_batches, size)

    def _epoch(
        self, parameters: Tensor, means: Tensor, squares: Tensor, order: Tensor, all_weights: Tensor, first: Tensor
    ) -> Tensor:
        """Does steps on variables, see AdamState, after `first` others; returns their losses [batches].

        Args:
            order: [batches, batch] example ids.
            all_weights: [num_examples + 1].
        """
        losses = tf.TensorArray(self._dtype, size=tf.shape(order)[0])
        for place in tf.range(tf.shape(order)[0]):
            weights = tf.gather(all_weights, order[place])
            batch = self.batch_of(order[place])
            inputs = self.inputs(parameters, batch)
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                loss = self.loss(inputs, batch, weights)
            number = tf.cast(first + place + 1, self._dtype)
            for i, gradient in zip(self.trained, self.gradients(tape, loss, inputs)):  # noqa: B905  (autograph)
                regularized = self.whole(i, gradient, batch)
                if self.l2:
                    regularized += self.l2 * parameters[i]
                adam_step(parameters[i], means[i], squares[i], regularized, number, self.config.learning_rate)
            losses = losses.write(place, loss)
        return losses.stack()

    def gradients(self, tape: Tensor, loss: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The gradients of a batch's loss by the inputs that are trained, which a tape has watched."""
        sources = [inputs[i] for i in self.trained]
        found = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(gradient) for gradient in found]

    def loss(self, inputs: Sequence[Tensor], batch: Sequence[Tensor], weights: Tensor) -> Tensor:
        """The mean loss of a batch's examples, by their weights [batch]."""
        return tf.reduce_sum(self.losses(inputs, batch) * weights) / tf.maximum(tf.reduce_sum(weights), 1)

    def inputs(self, parameters: Sequence[Tensor], batch: Sequence[Tensor]) -> list[Tensor]:
        """The parameters as a batch reads them: rows of the table by their lookups, the other arrays whole."""
        rows = tf.gather(parameters[0], self.lookups(batch))
        return [rows, *(tf.convert_to_tensor(array) for array in parameters[1:])]

    def whole(self, place: int, part: Tensor, batch: Sequence[Tensor]) -> Tensor:
        """What belongs to a batch's inputs, as an array of the parameters: of the table, sums over its lookups."""
        if place:
            return part
        return tf.math.unsorted_segment_sum(part, self.lookups(batch), self.num_rows)

    @property
    @abc.abstractmethod
    def num_rows(self) -> int:
        """The number of rows of the table; 0 where it is not read."""

    @abc.abstractmethod
    def batch_of(self, examples: Tensor) -> list[Tensor]:
        """What the losses of examples [batch] need of the data; num_examples is an id that counts for nothing."""

    @abc.abstractmethod
    def lookups(self, batch: Sequence[Tensor]) -> Tensor:
        """The rows of the table that a batch reads, ids of any shape."""

    @abc.abstractmethod
    def losses(self, inputs: Sequence[Tensor], batch: Sequence[Tensor]) -> Tensor:
        """The losses [batch] of a batch; see `inputs`."""
