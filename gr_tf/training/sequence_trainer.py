"""Training of sequential recommenders: Adam on batches of sequences, an epoch in one graph.

Kim, "Recommender System Attribution with TracIn". Adam is the kernel of TensorFlow 1's AdamOptimizer.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.sequence_recommender import SequenceParameters
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.sequence_config import SequenceTrainConfig

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclasses.dataclass(frozen=True, eq=False)
class SequenceState:
    """What the next epoch depends on.

    Attributes:
        parameters: of the model.
        means, squares: Adam's, of each parameter.
        epoch: epochs done.
    """

    parameters: SequenceParameters
    means: SequenceParameters
    squares: SequenceParameters
    epoch: int

    def to_arrays(self) -> dict[str, np.ndarray]:
        """By name, for files; `epoch` is kept apart."""
        return {
            f"{part}.{name}": array
            for part in ("parameters", "means", "squares")
            for name, array in getattr(self, part).to_arrays().items()
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], epoch: int) -> "SequenceState":
        """From `to_arrays`."""
        parts = {
            part: SequenceParameters.of_arrays(
                {name.removeprefix(f"{part}."): array for name, array in arrays.items() if name.startswith(f"{part}.")}
            )
            for part in ("parameters", "means", "squares")
        }
        return cls(**parts, epoch=epoch)


@dataclasses.dataclass(frozen=True, eq=False)
class EpochDone:
    """What one epoch gave.

    Attributes:
        epoch: epochs done.
        loss: mean cross-entropy of its batches, before their steps.
        state: after it.
    """

    epoch: int
    loss: float
    state: SequenceState


class SequenceTrainer:
    """Trains the model of a configuration on a dataset.

    Safe to run in several threads at a time: a training's state is its own. Its result depends on
    the arguments only, bit for bit.
    """

    def __init__(self, sequences: SequenceSet, config: SequenceTrainConfig) -> None:
        """
        Raises:
            InputError: if there is no training sequence.
        """
        if not sequences.num_examples:
            raise InputError("there is no training sequence.")
        self.sequences = sequences
        self.config = config
        self.model = config.make_model(sequences)
        self._histories = tf.constant(sequences.train.histories)
        self._targets = tf.constant(sequences.train.targets)
        self._run_epoch = tf.function(self._epoch)

    def initial_state(self) -> SequenceState:
        """Before the first step."""
        parameters = self.model.initial_parameters(self.config.seed)
        zeros = SequenceParameters(tuple(np.zeros_like(array) for array in parameters.arrays))
        return SequenceState(parameters, zeros, zeros, 0)

    def run(
        self,
        *,
        removed: Sequence[int] | np.ndarray = (),
        checkpoints: CheckpointFolder | None = None,
        on_resume: Callable[[int], object] | None = None,
        on_epoch: Callable[[EpochDone], bool] | None = None,
    ) -> SequenceState:
        """Trains from the initial values.

        Args:
            removed: example ids that count for nothing in their batches.
            checkpoints: where to continue from and to leave work done.
            on_resume: told how many epochs a checkpoint has done already.
            on_epoch: told what each epoch gave; True ends the training.

        Raises:
            InputError: if an example id is out of range.
            TrainingError: if a loss is not finite, naming the step.
        """
        kept = self._kept(np.asarray(removed, np.int64))
        newest = checkpoints.newest() if checkpoints is not None else None
        state = self.initial_state() if newest is None else SequenceState.of_arrays(newest[0], newest[1]["epoch"])
        if on_resume is not None:
            on_resume(state.epoch)
        variables = [
            [tf.Variable(array) for array in part.arrays] for part in (state.parameters, state.means, state.squares)
        ]
        while state.epoch < self.config.epochs:
            order = self._order(state.epoch)
            first = state.epoch * len(order)
            losses = self._run_epoch(*variables, tf.constant(order), kept, tf.constant(first)).numpy()
            if not np.isfinite(losses).all():
                bad = int(np.flatnonzero(~np.isfinite(losses))[0])
                raise TrainingError(f"the loss is {losses[bad]} at step {first + bad}; a lower learning rate may help.")
            parameters, means, squares = (
                SequenceParameters(tuple(variable.numpy() for variable in part)) for part in variables
            )
            state = SequenceState(parameters, means, squares, state.epoch + 1)
            ended = on_epoch is not None and on_epoch(
                EpochDone(state.epoch, float(losses.mean(dtype=np.float64)), state)
            )
            if ended:
                break
            if checkpoints is not None and state.epoch < self.config.epochs and checkpoints.due():
                checkpoints.save(state.to_arrays(), {"epoch": state.epoch})
        return state

    def _kept(self, removed: np.ndarray) -> Any:
        """[num_examples + 1], 1 or 0: whether an example counts; the last is what fills up the last batch."""
        count = self.sequences.num_examples
        outside = removed[(removed < 0) | (removed >= count)]
        if len(outside):
            raise InputError(f"example ids are 0 to {count - 1}; got {outside[0]}.")
        kept = np.ones(count + 1, self.config.dtype)
        kept[removed] = 0
        kept[count] = 0
        return tf.constant(kept)

    def _order(self, epoch: int) -> np.ndarray:
        """Example ids [batches, batch_size] of an epoch; num_examples fills up the last batch."""
        count, size = self.sequences.num_examples, self.config.batch_size
        order = np.arange(count, dtype=np.int32)
        if self.config.shuffle:
            order = np.random.default_rng((self.config.seed, epoch)).permutation(order)
        num_batches = -(-count // size)
        return np.pad(order, (0, num_batches * size - count), constant_values=count).reshape(num_batches, size)

    def _epoch(self, parameters: Any, means: Any, squares: Any, order: Any, kept: Any, first: Any) -> Any:
        """Does an epoch's steps on variables; returns their losses [batches].

        Args:
            parameters, means, squares: variables, by NAMES.
            order: [batches, batch].
            kept: [num_examples + 1].
            first: steps done before.
        """
        dtype = self.config.dtype
        num_examples = self.sequences.num_examples
        errors = tf.TensorArray(dtype, size=tf.shape(order)[0])
        for place in tf.range(tf.shape(order)[0]):
            weights = tf.gather(kept, order[place])
            examples = tf.minimum(order[place], num_examples - 1)
            histories = tf.gather(self._histories, examples)
            inputs = [tf.gather(parameters[0], histories), *(tf.convert_to_tensor(array) for array in parameters[1:])]
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                losses = self.model.losses(inputs[0], inputs[1:], tf.gather(self._targets, examples))
                loss = tf.reduce_sum(losses * weights) / tf.maximum(tf.reduce_sum(weights), 1)
            trained = range(0 if self.config.train_embeddings else 1, len(parameters))
            gradients = tape.gradient(loss, [inputs[i] for i in trained])
            number = tf.cast(first + place + 1, dtype)
            for i, gradient in zip(trained, gradients):  # noqa: B905  (autograph)
                dense = gradient
                if i == 0:
                    dense = tf.math.unsorted_segment_sum(gradient, histories, self.model.num_items + 1)
                tf.raw_ops.ResourceApplyAdam(
                    var=parameters[i].handle,
                    m=means[i].handle,
                    v=squares[i].handle,
                    beta1_power=_BETA1**number,
                    beta2_power=_BETA2**number,
                    lr=self.config.learning_rate,
                    beta1=_BETA1,
                    beta2=_BETA2,
                    epsilon=_EPSILON,
                    grad=dense + self.config.l2 * parameters[i],
                )
            errors = errors.write(place, loss)
        return errors.stack()
