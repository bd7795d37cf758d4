"""The ratings of each step of a training."""

import numpy as np


class RatingBatches:
    """The batches of a training, epoch by epoch: a random order of all examples, cut."""

    def __init__(self, num_examples: int, batch_size: int, seed: int) -> None:
        self._num_examples = num_examples
        self._size = batch_size
        self._seed = seed
        self._per_epoch = num_examples // batch_size
        self._epoch = -1
        self._cut = np.zeros((0, 0), np.int32)

    def take(self, first: int, count: int) -> np.ndarray:
        """Example ids [count, batch] of the batches from `first` on."""
        parts = [np.zeros((0, self._size), np.int32)]
        while count:
            epoch, place = divmod(first, self._per_epoch)
            if epoch != self._epoch:
                order = np.random.default_rng((self._seed, epoch)).permutation(self._num_examples).astype(np.int32)
                self._cut = order[: self._per_epoch * self._size].reshape(self._per_epoch, self._size)
                self._epoch = epoch
            parts.append(self._cut[place : place + count])
            first += len(parts[-1])
            count -= len(parts[-1])
        return np.concatenate(parts)
