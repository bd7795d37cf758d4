"""The ratings of each step of a training."""

import numpy as np


class RatingBatches:
    """The batches of a training, epoch by epoch: a random order of all examples, cut."""

    def __init__(self, num_examples: int, batch_size: int, seed: int, *, whole: bool = False) -> None:
        """
        Args:
            num_examples: of the dataset.
            batch_size: examples of a batch.
            seed: of the order.
            whole: whether an epoch has all examples: its last batch is filled up with -1. Else what an epoch leaves
                over is not used.
        """
        self._num_examples = num_examples
        self._size = batch_size
        self._seed = seed
        self._per_epoch = -(-num_examples // batch_size) if whole else num_examples // batch_size
        self._epoch = -1
        self._cut = np.zeros((0, 0), np.int32)

    def take(self, first: int, count: int) -> np.ndarray:
        """Example ids [count, batch] of the batches from `first` on."""
        parts = [np.zeros((0, self._size), np.int32)]
        while count:
            epoch, place = divmod(first, self._per_epoch)
            if epoch != self._epoch:
                order = np.random.default_rng((self._seed, epoch)).permutation(self._num_examples).astype(np.int32)
                used = self._per_epoch * self._size
                filled = np.pad(order[:used], (0, max(0, used - len(order))), constant_values=-1)
                self._cut = filled.reshape(self._per_epoch, self._size)
                self._epoch = epoch
            parts.append(self._cut[place : place + count])
            first += len(parts[-1])
            count -= len(parts[-1])
        return np.concatenate(parts)
