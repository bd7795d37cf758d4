"""What steps of Adam on batches of a shuffled epoch have in common: an epoch is one call of a compiled graph."""

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.training.adam_kernel import AdamState, AdamSteps
from gr_tf.training.steps import Block, Trace, check_length
from gr_tf.types import Tensor


class EpochSteps(AdamSteps):
    """Steps on batches of examples; a removed example counts for nothing in its batch."""

    def __init__(self, num_examples: int, config: Any, dtype: str) -> None:
        """
        Args:
            num_examples: how many there are.
            config: with batch_size, epochs, shuffle, learning_rate.
            dtype: of the losses.
        """
        self._num_examples, self._config, self._dtype = num_examples, config, dtype
        self._batches = -(-num_examples // config.batch_size)
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
        """See Steps; the losses are the batches' means, before their steps."""
        # The last weight is that of what fills up the last batch.
        weights = tf.constant(np.append(kept, False).astype(self._dtype))
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

    @abc.abstractmethod
    def _epoch(
        self, parameters: Tensor, means: Tensor, squares: Tensor, order: Tensor, all_weights: Tensor, first: Tensor
    ) -> Tensor:
        """Does an epoch's steps on variables, see AdamState, after `first` others; returns their losses [batches].

        Args:
            order: [batches, batch] example ids.
            all_weights: [num_examples + 1].
        """
