"""Training of rating models at batch size 1, with what each rating changed.

Gradient Rollback's setting (Lawrence et al. 2021) for the models of Cheng et al. (2019). The loss is n times
RatingTrainer's, written as a sum over the n ratings, where each carries its share of the weight decay wd:

    (prediction - rating)^2 + wd/2 * (n/n_user * |user's row|^2 + n/n_item * |item's row|^2 + |network|^2)

with n_user and n_item the numbers of its user's and its item's training ratings. (A row without any stays as it
starts.) A step computes two rows and the network only (see row_adam), in one compiled loop.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.rating_model import RatingParameters
from gr_tf.optimizers import Adam
from gr_tf.row_adam import RowAdam
from gr_tf.training.delta_observer import DeltaObserver
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RatingTrainConfig

# TensorFlow 1's, as in RatingTrainer.
_ADAM = Adam(epsilon=1e-8)
# Steps of one call of the compiled graph.
_BLOCK_STEPS = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class RatingEpoch:
    """How a training stands at the end of an epoch, or of its last steps.

    Attributes:
        steps: done by now.
        mean_squared_error: of the epoch's ratings, each before its step; removed ones count as 0.
        parameters: by now.
    """

    steps: int
    mean_squared_error: float
    parameters: RatingParameters


class SingleRatingTrainer:
    """Trains the model of a configuration on a dataset, rating by rating, any number of times.

    Safe to run in several threads at a time; a run's result depends on its arguments only, bit for bit.
    """

    def __init__(self, ratings: RatingSet, config: RatingTrainConfig) -> None:
        """
        Args:
            ratings: the dataset.
            config: the settings, with batch_size 1.

        Raises:
            InputError: if the batch size is another, or the steps are too many to be counted in the dtype.
        """
        if config.batch_size != 1:
            raise InputError(f"training rating by rating wants batch_size 1; got {config.batch_size}.")
        self.ratings = ratings
        self.config = config
        self.model = config.make_model(ratings)
        self._adam = RowAdam(_ADAM, config.dtype)
        self._adam.check_steps(config.steps)
        self._future = tf.constant(self._adam.future(config.learning_rate, config.steps))
        self._rows = self.model.rows_of(ratings.train.pairs).astype(np.int32)
        self._values = ratings.train.values.astype(config.dtype)
        counts = np.bincount(self._rows.ravel(), minlength=self.model.num_rows)
        shares = config.weight_decay * ratings.num_examples / np.maximum(counts, 1)
        self._decays = shares.astype(config.dtype)
        self._block = tf.function(self._run_block, jit_compile=True)
        self._caught_up = tf.function(self._all_rows, jit_compile=True)

    def run(
        self,
        *,
        removed: Sequence[int] | np.ndarray = (),
        store: DeltaObserver | None = None,
        on_epoch: Callable[[RatingEpoch], object] | None = None,
    ) -> RatingParameters:
        """Trains from the initial values, for the configuration's steps.

        Args:
            removed: example ids whose errors count for nothing; the weight decay and everything else stays.
            store: cleared, receives each rating's changes of its user's and of its item's row.
            on_epoch: told how the training stands after each epoch, and at its end.

        Raises:
            InputError: if an example id is out of range.
            TrainingError: if an error or a parameter is not finite, naming the step and the rating.
        """
        weights = self.ratings.kept(np.asarray(removed, np.int64)).astype(self.config.dtype)
        if store is not None:
            store.clear()
        state = self._start()
        order = RatingBatches(self.ratings.num_examples, 1, self.config.seed)
        done, squared_error, since = 0, 0.0, 0
        while done < self.config.steps:
            until = min(self.config.steps, (done // self.ratings.num_examples + 1) * self.ratings.num_examples)
            count = min(_BLOCK_STEPS, until - done)
            examples = order.take(done, count)[:, 0]
            places = np.pad(examples, (0, _BLOCK_STEPS - count))
            plan = (self._rows[places], self._decays[self._rows[places]], self._values[places], weights[places])
            state, errors, deltas = self._block(state, *map(tf.constant, plan), tf.constant(count))
            squared_error += self._checked(errors.numpy()[:count], done, examples)
            if store is not None:
                store.add(tf.IndexedSlices(deltas[:count], tf.constant(examples)))
            done += count
            if done == until and on_epoch is not None:
                on_epoch(RatingEpoch(done, squared_error / (done - since), self._parameters(state)))
                squared_error, since = 0.0, done
        parameters = self._parameters(state)
        if not all(np.isfinite(array).all() for array in parameters.to_arrays().values()):
            raise TrainingError(f"parameters are not finite after step {done - 1}; a lower learning rate may help.")
        return parameters

    def _start(self) -> Any:
        """Steps done; the rows' memory [num_rows, 3 * width + 1]: values, means, squares, last touch; the network."""
        initial = self.model.initial_parameters(self.config.seed)
        memory = np.zeros((self.model.num_rows, 3 * self.model.width + 1), self.config.dtype)
        memory[:, : self.model.width] = initial.table
        network = [tf.constant(array) for array in initial.network]
        slots = [_ADAM.initial_slots(array) for array in network]
        return tf.constant(0, self.config.dtype), tf.constant(memory), network, slots

    def _checked(self, errors: np.ndarray, done: int, examples: np.ndarray) -> float:
        """The sum of a block's squared errors."""
        if not np.isfinite(errors).all():
            place = int(np.flatnonzero(~np.isfinite(errors))[0])
            names = ", ".join(map(str, self.ratings.train_frame.iloc[examples[place]]))
            raise TrainingError(
                f"the squared error is {errors[place]} at step {done + place}, training rating {examples[place]} "
                f"({names}); a lower learning rate may help."
            )
        return float(errors.sum(dtype=np.float64))

    def _parameters(self, state: Any) -> RatingParameters:
        step, memory, network, _ = state
        return RatingParameters(self._caught_up(memory, step).numpy(), tuple(array.numpy() for array in network))

    def _all_rows(self, memory: Any, step: Any) -> Any:
        return self._adam.catch_up(*self._split(memory), step, self._future)[0]

    def _split(self, memory: Any) -> tuple[Any, Any, Any, Any]:
        """Values, means, squares [n, width] and last touch [n] of rows of the memory."""
        *parts, touched = tf.split(memory, [self.model.width] * 3 + [1], axis=1)
        return *parts, touched[:, 0]

    def _run_block(
        self, state: Any, rows: Any, decays: Any, values: Any, weights: Any, count: Any
    ) -> tuple[Any, Any, Any]:
        """Does the first `count` steps of a block.

        Args:
            state: see _start.
            rows, decays: [block, 2], and the weight decay of each.
            values, weights: [block].
            count: scalar.

        Returns:
            The new state, the squared errors [block], and the changes of the rows [block, 2, width].
        """
        step, memory, network, slots = state
        # Arrays of rows, not tensors: compiled, a scatter is a loop of its own, but a write is one copy.
        table = tf.TensorArray(self.config.dtype, size=self.model.num_rows, clear_after_read=False).unstack(memory)
        told = tf.TensorArray(self.config.dtype, size=rows.shape[0], element_shape=[2 * self.model.width + 1])

        def body(i: Any, step: Any, table: Any, network: Any, slots: Any, told: Any) -> tuple[Any, ...]:
            # Gathers, not slices: see dense_steps.
            places = tf.unstack(tf.gather(rows, i))
            before = tf.stack([table.read(place) for place in places])
            after, network, slots, tell = self._step(
                step, before, network, slots, tf.gather(decays, i), tf.gather(values, i), tf.gather(weights, i)
            )
            for place, row in zip(places, tf.unstack(after), strict=True):
                table = table.write(place, row)
            return i + 1, step + 1, table, network, slots, told.write(i, tell)

        _, step, table, network, slots, told = tf.while_loop(
            lambda i, *_: i < count, body, (tf.constant(0), step, table, network, slots, told)
        )
        whole = told.stack()
        deltas = tf.reshape(whole[:, 1:], [-1, 2, self.model.width])
        return (step, table.stack(), network, slots), whole[:, 0], deltas

    def _step(
        self, step: Any, rows: Any, network: Any, slots: Any, decay: Any, value: Any, weight: Any
    ) -> tuple[Any, Any, Any, Any]:
        """One step.

        Args:
            step: steps done before.
            rows: [2, 3 * width + 1], of the memory, the user's, then the item's.
            network, slots: the shared arrays, and Adam's of them.
            decay: [2], of the rows.
            value, weight: of the rating.

        Returns:
            The new rows, network and slots; and the squared error with the changes, zero at weight zero.
        """
        before, mean, square = self._adam.catch_up(*self._split(rows), step, self._future)
        with tf.GradientTape() as tape:
            tape.watch([before, network])
            error = tf.square(self.model.predict(before[:1], before[1:], network)[0] - value)
        of_rows, of_network = tape.gradient(error, [before, network])
        rate = tf.constant(self.config.learning_rate, self.config.dtype)
        penalty = self.model.row_penalty.astype(self.config.dtype)
        gradient = weight * of_rows + decay[:, None] * penalty * before
        after, (mean, square) = _ADAM.apply(before, (mean, square), gradient, step, rate)
        moved = [
            _ADAM.apply(array, slot, weight * part + self.config.weight_decay * of * array, step, rate)
            for array, slot, part, of in zip(network, slots, of_network, self.model.network_penalty, strict=True)
        ]
        tell = weight * tf.concat([error[None], tf.reshape(after - before, [-1])], axis=0)
        rows = tf.concat([after, mean, square, tf.fill([2, 1], step + 1)], axis=1)
        return rows, [array for array, _ in moved], [slot for _, slot in moved], tell
