"""Training of rating models: Adam on batches of ratings, many steps in one graph.

Cheng et al. (2019), Section 5.1. A native loop gathers the rows of a batch, sums their gradients into
the table and applies Adam (the kernel of TensorFlow 1's AdamOptimizer, which the authors used); only
the arithmetic between is compiled, because compiled scatters are serial.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.rating_model import RatingParameters
from gr_tf.training.adam_state import AdamState, adam_step
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.rating_batches import RatingBatches
from gr_tf.training.rating_config import RatingTrainConfig

# Steps between two looks at a training.
BLOCK_STEPS = 250
# Of one call of the compiled graph: whole blocks, unless batches are very large.
_RATINGS_AT_ONCE = 1 << 21


RatingState = AdamState[RatingParameters]


@dataclasses.dataclass(frozen=True)
class BlockMetrics:
    """What a block of steps gave.

    Attributes:
        step: steps done in this training.
        mean_squared_error: of its batches, before their steps.
    """

    step: int
    mean_squared_error: float


class RatingTrainer:
    """Trains the model of a configuration on a dataset.

    Safe to run in several threads at a time: a training's state is its own. Its result depends on
    the arguments only, bit for bit.
    """

    def __init__(self, ratings: RatingSet, config: RatingTrainConfig) -> None:
        """
        Raises:
            InputError: if a batch is larger than the training set.
        """
        if config.batch_size > ratings.num_examples:
            raise InputError(
                f"batch_size must be at most the {ratings.num_examples} training ratings; got {config.batch_size}."
            )
        self.ratings = ratings
        self.config = config
        self.model = config.make_model(ratings)
        self._rows = np.ascontiguousarray(self.model.rows_of(ratings.train.pairs).T, np.int32)
        self._values = ratings.train.values.astype(config.dtype)
        # The table [1, width] first, then each array of the network.
        self._decays = [
            tf.constant(config.weight_decay * np.asarray(penalty), config.dtype)
            for penalty in (self.model.row_penalty[None], *self.model.network_penalty)
        ]
        self._at_once = max(1, min(BLOCK_STEPS, _RATINGS_AT_ONCE // config.batch_size))
        self._run_block = tf.function(self._block)
        self._gradients = tf.function(self._batch_gradients, jit_compile=True)

    def initial_state(self) -> RatingState:
        """Before the first step."""
        return RatingState.initial(self.model.initial_parameters(self.config.seed))

    def run(
        self,
        start: RatingState,
        steps: int,
        *,
        seed: int,
        removed: Sequence[int] | np.ndarray = (),
        checkpoints: CheckpointFolder | None = None,
        on_resume: Callable[[int], object] | None = None,
        on_block: Callable[[BlockMetrics, Callable[[], RatingParameters]], object] | None = None,
    ) -> RatingState:
        """Does some steps.

        Args:
            start: where to start from.
            steps: how many.
            seed: of the batches: the same seed gives the same batches, whatever is removed.
            removed: example ids that count for nothing in their batches.
            checkpoints: where to continue from and to leave work done.
            on_resume: told how many steps a checkpoint has done already.
            on_block: told each block's metrics, with a function that gives the parameters.

        Raises:
            InputError: if an example id is out of range.
            TrainingError: if a batch's error or, in the end, a parameter is not finite, naming the step.
        """
        kept = self.ratings.kept(np.asarray(removed, np.int64)).astype(self.config.dtype)
        done = 0
        newest = checkpoints.newest() if checkpoints is not None else None
        if newest is not None:
            arrays, meta = newest
            start, done = RatingState.of_arrays(RatingParameters, arrays, meta["step"]), meta["done"]
        if on_resume is not None:
            on_resume(done)
        variables = [
            [tf.Variable(array) for array in (part.table, *part.network)]
            for part in (start.parameters, start.means, start.squares)
        ]
        step = start.done
        batches = RatingBatches(self.ratings.num_examples, self.config.batch_size, seed)
        while done < steps:
            count = min(BLOCK_STEPS, steps - done)
            parts = []
            for first in range(0, count, self._at_once):
                size = min(self._at_once, count - first)
                plan = self._plan(batches.take(done + first, size), kept)
                errors = self._run_block(*variables, *plan, tf.constant(step + first), tf.constant(size))
                parts.append(errors.numpy()[:size])
            errors = np.concatenate(parts)
            if not np.isfinite(errors).all():
                bad = int(np.flatnonzero(~np.isfinite(errors))[0])
                raise TrainingError(
                    f"the mean squared error is {errors[bad]} at step {done + bad}; a lower learning rate may help."
                )
            done += count
            step += count
            if on_block is not None:
                on_block(BlockMetrics(done, float(errors.mean(dtype=np.float64))), lambda: _read(variables[0]))
            if checkpoints is not None and done < steps and checkpoints.due():
                checkpoints.save(_state(variables, step).to_arrays(), {"step": step, "done": done})
        end = _state(variables, step)
        if not all(np.isfinite(array).all() for array in end.to_arrays().values()):
            raise TrainingError(f"parameters are not finite after step {done - 1}; a lower learning rate may help.")
        return end

    def _plan(self, examples: np.ndarray, kept: np.ndarray) -> tuple[Any, Any, Any]:
        """Rows, values and weights of batches [n, batch], filled up to the one shape that the graph is traced for.

        Here, because numpy gathers from these large arrays in less time than the graph.
        """
        examples = np.pad(examples, ((0, self._at_once - len(examples)), (0, 0)))
        rows = np.concatenate([rows.take(examples) for rows in self._rows], axis=1)
        return tf.constant(rows), tf.constant(self._values.take(examples)), tf.constant(kept.take(examples))

    def _batch_gradients(self, rows: Any, network: Any, values: Any, weights: Any) -> Any:
        """The mean squared error of a batch, and its gradients.

        Args:
            rows: [2 * batch, width], user rows, then item rows.
            network: the shared arrays.
            values, weights: [batch].

        Returns:
            The error, and the gradients of `rows` and of each array.
        """
        size = self.config.batch_size
        with tf.GradientTape() as tape:
            tape.watch([rows, network])
            predicted = self.model.predict(rows[:size], rows[size:], network)
            # At least one: a batch may have nothing left in it.
            error = tf.reduce_sum(tf.square(predicted - values) * weights) / tf.maximum(tf.reduce_sum(weights), 1)
        return error, *tape.gradient(error, [rows, network])

    def _block(
        self,
        parameters: Any,
        means: Any,
        squares: Any,
        all_rows: Any,
        values: Any,
        weights: Any,
        first: Any,
        count: Any,
    ) -> Any:
        """Does the steps [first, first + count) on variables; returns their errors [at_once].

        Args:
            parameters, means, squares: variables: the table, then the network.
            all_rows: [at_once, 2 * batch], user rows, then item rows.
            values, weights: [at_once, batch].
            first: Adam's count before the block.
            count: steps to do.
        """
        dtype = self.config.dtype
        errors = tf.TensorArray(dtype, size=self._at_once)
        for place in tf.range(count):
            rows = all_rows[place]
            error, row_gradients, network_gradients = self._gradients(
                tf.gather(parameters[0], rows),
                [tf.identity(array) for array in parameters[1:]],
                values[place],
                weights[place],
            )
            summed = tf.math.unsorted_segment_sum(row_gradients, rows, self.model.num_rows)
            number = tf.cast(first + place + 1, dtype)
            for i, gradient in enumerate([summed, *network_gradients]):
                regularized = gradient + self._decays[i] * parameters[i]
                adam_step(parameters[i], means[i], squares[i], regularized, number, self.config.learning_rate)
            errors = errors.write(place, error)
        return errors.stack()


def _state(variables: Sequence[Sequence[Any]], step: int) -> RatingState:
    parameters, means, squares = map(_read, variables)
    return RatingState(parameters, means, squares, step)


def _read(variables: Sequence[Any]) -> RatingParameters:
    table, *network = (variable.numpy() for variable in variables)
    return RatingParameters(table, tuple(network))
