"""The steps of a rating model at batch size 1; they give what each rating changed.

Gradient Rollback's setting (Lawrence et al. 2021) for the models of Cheng et al. (2019). The loss is n times
RatingSteps', written as a sum over the n ratings, where each carries its share of the weight decay wd:

    (prediction - rating)^2 + wd/2 * (n/n_user * |user's row|^2 + n/n_item * |item's row|^2 + |network|^2)

with n_user and n_item the numbers of its user's and its item's training ratings. (A row without any keeps its
initial values.) A step computes two rows and the network only (see row_adam), in one compiled loop.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gr_tf.data.ratings import RatingSet
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.training.optimizers import Adam
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import REPLAYED_WITH, RatingConfig
from gr_tf.training.row_adam import RowAdam, split_memory
from gr_tf.training.steps import Block, Steps, Trace, check_length
from gr_tf.types import Ids, Tensor

# TensorFlow 1's, as in RatingSteps.
_ADAM = Adam(epsilon=1e-8)
# Steps of one call of the compiled graph.
_BLOCK_STEPS = 4096


class SingleRatingState(NamedTuple):
    """What the next step depends on.

    Attributes:
        step: scalar, steps done, in the dtype.
        memory: [num_rows, 3 * width + 1], the rows' values, means, squares, and last touch.
        network: the shared arrays.
        slots: Adam's, of each of them.
        order: where the order of the ratings comes from.
    """

    step: Tensor
    memory: Tensor
    network: list[Tensor]
    slots: list[tuple[Tensor, Tensor]]
    order: RatingBatches


class SingleRatingSteps(Steps):
    """Steps on single ratings, in a random order of each epoch.

    A removed rating's error counts for nothing; the weight decay and everything else stays.
    """

    on_one_example = True
    rows_per_example = 2
    can_go_on = False
    replayed_with = REPLAYED_WITH

    def __init__(self, ratings: RatingSet, model: RatingModel, config: RatingConfig) -> None:
        """
        Raises:
            InputError: if the steps are too many to be counted in the dtype.
        """
        self._ratings, self._model, self._config = ratings, model, config
        self._adam = RowAdam(_ADAM, config.dtype)
        self._adam.check_steps(config.steps)
        self._future = tf.constant(self._adam.future(config.learning_rate, config.steps))
        self._rows = model.rows_of(ratings.train.pairs).astype(np.int32)
        self._values = ratings.train.values.astype(config.dtype)
        counts = np.bincount(self._rows.ravel(), minlength=model.num_rows)
        shares = config.weight_decay * ratings.num_examples / np.maximum(counts, 1)
        self._decays = shares.astype(config.dtype)
        self._block = tf.function(self._run_block, jit_compile=True)
        self._caught_up = tf.function(self._all_rows, jit_compile=True)

    def blocks(self, length: int) -> Sequence[Block]:
        """See Steps; length is the number of steps. A block ends where an epoch does.

        Raises:
            InputError: if it is more than the configuration's.
        """
        check_length(length, self._config.steps, "steps")
        found: list[Block] = []
        done, each = 0, self._ratings.num_examples
        while done < length:
            until = min(length, (done // each + 1) * each)
            count = min(_BLOCK_STEPS, until - done)
            ends = -(-until // each) if done + count == until else None
            found.append(Block(len(found), done, count, ends))
            done += count
        return found

    def start(self, parameters: Parameters, removed: Ids, seed: int) -> SingleRatingState:
        """See Steps."""
        memory = np.pad(parameters.table, ((0, 0), (0, 2 * self._model.width + 1)))
        network = [tf.constant(array) for array in parameters.shared]
        slots = [_ADAM.initial_slots(array) for array in network]
        order = RatingBatches(self._ratings.num_examples, 1, seed)
        return SingleRatingState(tf.constant(0, self._config.dtype), tf.constant(memory), network, slots, order)

    def to_arrays(self, state: SingleRatingState) -> dict[str, np.ndarray]:
        """See Steps."""
        arrays = {"step": state.step.numpy(), "memory": state.memory.numpy()}
        for i, (array, slots) in enumerate(zip(state.network, state.slots, strict=True)):
            arrays |= {f"network_{i}": array.numpy(), f"slot_{i}_0": slots[0].numpy(), f"slot_{i}_1": slots[1].numpy()}
        return arrays

    def restore(self, arrays: dict[str, np.ndarray], removed: Ids, seed: int) -> SingleRatingState:
        """See Steps."""
        count = sum(name.startswith("network_") for name in arrays)
        network = [tf.constant(arrays[f"network_{i}"]) for i in range(count)]
        slots = [(tf.constant(arrays[f"slot_{i}_0"]), tf.constant(arrays[f"slot_{i}_1"])) for i in range(count)]
        order = RatingBatches(self._ratings.num_examples, 1, seed)
        return SingleRatingState(tf.constant(arrays["step"]), tf.constant(arrays["memory"]), network, slots, order)

    def run(self, state: SingleRatingState, block: Block, kept: np.ndarray) -> tuple[SingleRatingState, Trace]:
        """See Steps; the losses are squared errors, each before its step, 0 of removed ratings."""
        examples = state.order.take(block.first, block.count)[:, 0]
        places = np.pad(examples, (0, _BLOCK_STEPS - block.count))
        weights = kept[places].astype(self._config.dtype)
        plan = (self._rows[places], self._decays[self._rows[places]], self._values[places], weights)
        new, errors, deltas = self._block(tuple(state[:4]), *map(tf.constant, plan), tf.constant(block.count))
        changed = tf.IndexedSlices(deltas[: block.count], tf.constant(examples))
        trace = Trace(errors.numpy()[: block.count], changed, block.count)
        return SingleRatingState._make((*new, state.order)), trace

    def parameters(self, state: SingleRatingState) -> Parameters:
        """See Steps."""
        table = self._caught_up(state.memory, state.step).numpy()
        return Parameters(table, tuple(array.numpy() for array in state.network))

    def name_of(self, state: SingleRatingState, block: Block, place: int) -> str:
        """See Steps."""
        example_id = int(state.order.take(block.first + place, 1)[0, 0])
        names = ", ".join(map(str, self._ratings.train_frame.iloc[example_id]))
        return f"step {block.first + place}, training rating {example_id} ({names})"

    def _all_rows(self, memory: Tensor, step: Tensor) -> Tensor:
        return self._adam.catch_up(*split_memory(memory, self._model.width), step, self._future)[0]

    def _run_block(
        self, state: Tensor, rows: Tensor, decays: Tensor, values: Tensor, weights: Tensor, count: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Does the first `count` steps of a block on a state without its order.

        Args:
            rows, decays: [block, 2], and the weight decay of each.
            values, weights: [block].

        Returns:
            The new state, the squared errors [block], and the changes of the rows [block, 2, width].
        """
        step, memory, network, slots = state
        # Arrays of rows, not tensors: compiled, a scatter is a loop of its own, but a write is one copy.
        table = tf.TensorArray(self._config.dtype, size=self._model.num_rows, clear_after_read=False).unstack(memory)
        told = tf.TensorArray(self._config.dtype, size=rows.shape[0], element_shape=[2 * self._model.width + 1])

        def body(
            i: Tensor, step: Tensor, table: Tensor, network: Tensor, slots: Tensor, told: Tensor
        ) -> tuple[Tensor, ...]:
            # Gathers, not slices: see dense_kernel.
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
        deltas = tf.reshape(whole[:, 1:], [-1, 2, self._model.width])
        return (step, table.stack(), network, slots), whole[:, 0], deltas

    def _step(
        self, step: Tensor, rows: Tensor, network: Tensor, slots: Tensor, decay: Tensor, value: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step, after `step` others, on rows [2, 3 * width + 1] of the memory: the user's, then the item's.

        Returns:
            The new rows, network and slots; and the squared error with the changes, zero at weight zero.
        """
        before, mean, square = self._adam.catch_up(*split_memory(rows, self._model.width), step, self._future)
        with tf.GradientTape() as tape:
            tape.watch([before, network])
            error = tf.square(self._model.predict(before[:1], before[1:], network)[0] - value)
        of_rows, of_network = tape.gradient(error, [before, network])
        rate = tf.constant(self._config.learning_rate, self._config.dtype)
        penalty = self._model.row_penalty.astype(self._config.dtype)
        gradient = weight * of_rows + decay[:, None] * penalty * before
        after, (mean, square) = _ADAM.apply(before, (mean, square), gradient, step, rate)
        moved = [
            _ADAM.apply(array, slot, weight * part + self._config.weight_decay * of * array, step, rate)
            for array, slot, part, of in zip(network, slots, of_network, self._model.network_penalty, strict=True)
        ]
        tell = weight * tf.concat([error[None], tf.reshape(after - before, [-1])], axis=0)
        rows = tf.concat([after, mean, square, tf.fill([2, 1], step + 1)], axis=1)
        return rows, [array for array, _ in moved], [slot for _, slot in moved], tell
