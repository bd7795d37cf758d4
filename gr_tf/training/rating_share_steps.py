"""The steps of a rating model on mini-batches of which every rating's share is known exactly.

The loss of a rating has the weight decay of its own two rows, factors and biases alike (as Surprise's SVD has it):

    (prediction - rating)^2 + wd/2 * (|user's row|^2 + |item's row|^2)

A step goes down the sum over its batch, by SGD or Adagrad. So the change of a row is the sum of the shares of its
ratings (see row_optimizers): the initial rows plus all shares are the trained rows, to rounding. What all predictions
share is moved by the sum of the gradients, without decay, and is credited to no rating; MF's is the mean rating, which
stays. A removed rating's error and decay count for nothing.

What a batch computes is in rating_batch_kernel; rating_backward goes back over the batches.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError, argument
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.training.rating_backward import RatingBackward
from gr_tf.training.rating_batch_kernel import RatingBatchKernel, RatingPlan
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.row_optimizers import RowAdagrad, RowOptimizer, RowSgd
from gr_tf.training.steps import Block, Steps, Trace, check_length
from gr_tf.types import Ids, Tensor

# Ratings of a block, about: its shares are in memory at once.
_RATINGS_AT_ONCE = 1 << 16
_OPTIMIZERS: dict[str, type[RowOptimizer]] = {"sgd": RowSgd, "adagrad": RowAdagrad}


class RatingShareState(NamedTuple):
    """What the next step depends on.

    Attributes:
        memories: variables, changed in place, as the optimizer keeps them (see RowOptimizer): of the table, with one
            row more that fills up batches; then of each array of the network, as one row.
        order: what the batches are drawn from.
    """

    memories: list[Tensor]
    order: RatingBatches


class RatingShareSteps(Steps):
    """Steps on batches of ratings in a random order of each epoch, whose last batch may be smaller."""

    rows_per_example = 2

    def __init__(self, ratings: RatingSet, model: RatingModel, config: RatingConfig) -> None:
        """
        Raises:
            InputError: if a batch is larger than the training set.
        """
        self._num_examples, self._size = ratings.num_examples, config.batch_size
        if self._size > self._num_examples:
            raise InputError(
                f"{argument('batch_size')} must be at most the {self._num_examples} training ratings; got {self._size}."
            )
        self._model, self._config = model, config
        # The last of each is what fills up batches.
        rows = model.rows_of(ratings.train.pairs)
        self._rows = np.pad(rows, ((0, 1), (0, 0)), constant_values=model.num_rows).astype(np.int32)
        self._values = np.append(ratings.train.values, 0).astype(config.dtype)
        self._shapes = [array.shape for array in model.initial_parameters(0).shared]
        self._optimizer = _OPTIMIZERS[config.optimizer]()
        self._kernel = RatingBatchKernel(model, config, self._optimizer, self._shapes)
        self._at_once = min(max(1, _RATINGS_AT_ONCE // self._size), self._per_epoch)
        self._run_block = tf.function(self._block)
        self._shares = tf.function(
            lambda factor, gradient: tf.reshape(factor * gradient, [self._size, 2, model.width]), jit_compile=True
        )

    @property
    def _per_epoch(self) -> int:
        return -(-self._num_examples // self._size)

    def blocks(self, length: int) -> Sequence[Block]:
        """See Steps; length is the number of epochs.

        Raises:
            InputError: if it is more than the configuration's.
        """
        check_length(length, self._config.length, "epochs")
        found: list[Block] = []
        for epoch in range(length):
            for first in range(0, self._per_epoch, self._at_once):
                count = min(self._at_once, self._per_epoch - first)
                ends = epoch + 1 if first + count == self._per_epoch else None
                found.append(Block(len(found), epoch * self._per_epoch + first, count, ends))
        return found

    def start(self, parameters: Parameters, removed: Ids, seed: int) -> RatingShareState:
        """See Steps."""
        table = np.pad(parameters.table, ((0, 1), (0, 0)))
        arrays = [table, *(array.reshape(1, -1) for array in parameters.shared)]
        memories = [tf.Variable(self._optimizer.memory(array)) for array in arrays]
        return RatingShareState(memories, self._order(seed))

    def to_arrays(self, state: RatingShareState) -> dict[str, np.ndarray]:
        """See Steps; without the order."""
        return {f"memory_{i}": variable.numpy() for i, variable in enumerate(state.memories)}

    def restore(self, arrays: dict[str, np.ndarray], removed: Ids, seed: int) -> RatingShareState:
        """See Steps."""
        memories = [tf.Variable(arrays[f"memory_{i}"]) for i in range(1 + len(self._shapes))]
        return RatingShareState(memories, self._order(seed))

    def parameters(self, state: RatingShareState) -> Parameters:
        """See Steps."""
        table, *network = (memory.numpy() for memory in state.memories)
        shared = (array[0, : int(np.prod(shape))] for array, shape in zip(network, self._shapes, strict=True))
        arrays = [part.reshape(shape) for part, shape in zip(shared, self._shapes, strict=True)]
        return Parameters(table[:-1, : self._model.width].copy(), tuple(array.copy() for array in arrays))

    def name_of(self, state: RatingShareState, block: Block, place: int) -> str:
        """See Steps."""
        return f"step {block.first + place}, a batch of {self._size} ratings"

    def run(self, state: RatingShareState, block: Block, kept: np.ndarray) -> tuple[RatingShareState, Trace]:
        """See Steps; the losses are the batches' mean squared errors, before their steps."""
        examples, plan = self._plan(state.order.take(block.first, block.count), kept)
        errors, shares = self._run_block(state.memories, plan, tf.constant(block.count))
        changed = tf.IndexedSlices(shares[: len(examples)], tf.constant(examples))
        return state, Trace(errors.numpy()[: block.count], changed, block.count)

    def backward(self) -> RatingBackward:
        """See Steps."""
        return self._backward

    @functools.cached_property
    def _backward(self) -> RatingBackward:
        return RatingBackward(self._kernel, self._at_once, self._plan_of)

    def _plan_of(self, block: Block, seed: int, kept: np.ndarray) -> tuple[Ids, RatingPlan]:
        return self._plan(self._order(seed).take(block.first, block.count), kept)

    def _order(self, seed: int) -> RatingBatches:
        return RatingBatches(self._num_examples, self._size, seed, whole=True)

    def _plan(self, examples: Ids, kept: np.ndarray) -> tuple[Ids, RatingPlan]:
        """The ratings of some batches in their order, and what the compiled graph needs of them.

        Args:
            examples: ids [count, batch]; -1 fills a batch up. Only the last batch of an epoch, the last of its block,
                is not full; what fills it up is at its end.
            kept: see Steps.run.
        """
        filled = np.pad(examples, ((0, self._at_once - len(examples)), (0, 0)), constant_values=-1)
        rows = self._rows[filled].reshape(len(filled), -1)
        distinct = np.full((len(rows), self._kernel.num_distinct), self._model.num_rows, np.int32)
        places = np.zeros(rows.shape, np.int32)
        for i, row in enumerate(rows):
            found, places[i] = np.unique(row, return_inverse=True)
            distinct[i, : len(found)] = found
        weights = np.append(kept, False).take(filled).astype(self._config.dtype)
        plan = RatingPlan(*map(tf.constant, (distinct, places, self._values.take(filled), weights)))
        return examples[examples >= 0], plan

    def _block(self, memories: Sequence[Tensor], plan: RatingPlan, count: Tensor) -> tuple[Tensor, Tensor]:
        """Does `count` steps on a state's memories.

        Returns:
            The mean squared errors [at_once], and the shares [at_once * batch, 2, width].
        """
        dtype, width = self._config.dtype, self._model.width
        errors = tf.TensorArray(dtype, size=self._at_once, element_shape=[])
        told = tf.TensorArray(dtype, size=self._at_once, element_shape=[self._size, 2, width])
        for i in tf.range(count):
            done = self._kernel.step(memories, plan.batch(i))
            told = told.write(i, self._shares(tf.gather(done.factor, plan.places[i]), done.of_rows))
            errors = errors.write(i, done.error)
        return errors.stack(), tf.reshape(told.stack(), [-1, 2, width])
