"""Training of sequential recommenders: Adam on batches of sequences, an epoch in one graph.

Kim, "Recommender System Attribution with TracIn". Adam is the kernel of TensorFlow 1's AdamOptimizer.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.data.sequences import Sequences, SequenceSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.sequence_ranking import NextItemMetrics, next_items
from gr_tf.models.sequence_recommender import SequenceParameters
from gr_tf.training.adam_state import AdamState, adam_step, prefixed, without_prefix
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.sequence_config import SequenceTrainConfig

SequenceState = AdamState[SequenceParameters]


@dataclasses.dataclass(frozen=True, eq=False)
class EpochDone:
    """What one epoch gave.

    Attributes:
        epoch: epochs done.
        loss: mean cross-entropy of its batches, before their steps.
        validation: how well the validation sequences are predicted after it; None if there are none.
    """

    epoch: int
    loss: float
    validation: NextItemMetrics | None


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedSequences:
    """A finished training.

    Attributes:
        epoch: whose parameters are the result (see SequenceTrainConfig.patience).
        parameters: of that epoch.
        kept: parameters by epoch, those of kept_epochs up to the result's.
        epochs: epochs done.
    """

    epoch: int
    parameters: SequenceParameters
    kept: Mapping[int, SequenceParameters]
    epochs: int


class SequenceTrainer:
    """Trains the model of a configuration on a dataset.

    Safe to run in several threads at a time: a training's state is its own. Its result depends on
    the arguments only, bit for bit.
    """

    def __init__(self, sequences: SequenceSet, config: SequenceTrainConfig) -> None:
        """
        Raises:
            InputError: if there is no training sequence, or none to stop by.
        """
        if not sequences.num_examples:
            raise InputError("there is no training sequence.")
        if config.patience is not None and not len(sequences.valid):
            raise InputError("patience needs validation sequences: hold some out (valid_share).")
        self.sequences = sequences
        self.config = config
        self.model = config.make_model(sequences)
        self._histories = tf.constant(sequences.train.histories)
        self._targets = tf.constant(sequences.train.targets)
        self._run_epoch = tf.function(self._epoch)

    def initial_state(self) -> SequenceState:
        """Before the first step."""
        return SequenceState.initial(self.model.initial_parameters(self.config.seed))

    def run(
        self,
        *,
        removed: Sequence[int] | np.ndarray = (),
        checkpoints: CheckpointFolder | None = None,
        on_resume: Callable[[int], object] | None = None,
        on_epoch: Callable[[EpochDone], object] | None = None,
    ) -> TrainedSequences:
        """Trains from the initial values.

        Args:
            removed: example ids that count for nothing in their batches.
            checkpoints: where to continue from and to leave work done.
            on_resume: told how many epochs a checkpoint has done already.
            on_epoch: told what each epoch gave.

        Raises:
            InputError: if an example id is out of range.
            TrainingError: if a loss is not finite, naming the step.
        """
        weights = self._weights(np.asarray(removed, np.int64))
        newest = checkpoints.newest() if checkpoints is not None else None
        run = _Run.of_arrays(*newest) if newest is not None else _Run(self.initial_state())
        if on_resume is not None:
            on_resume(run.state.done)
        parts = (run.state.parameters, run.state.means, run.state.squares)
        variables = [[tf.Variable(array) for array in part.arrays] for part in parts]
        while not run.is_over(self.config):
            order = self._order(run.state.done)
            first = run.state.done * len(order)
            losses = self._run_epoch(*variables, tf.constant(order), weights, tf.constant(first)).numpy()
            if not np.isfinite(losses).all():
                bad = int(np.flatnonzero(~np.isfinite(losses))[0])
                raise TrainingError(f"the loss is {losses[bad]} at step {first + bad}; a lower learning rate may help.")
            parameters, means, squares = (
                SequenceParameters(tuple(variable.numpy() for variable in part)) for part in variables
            )
            epoch = run.state.done + 1
            validation = self.accuracy(parameters, self.sequences.valid)
            run.add(SequenceState(parameters, means, squares, epoch), validation, self.config)
            if on_epoch is not None:
                on_epoch(EpochDone(epoch, float(losses.mean(dtype=np.float64)), validation))
            if checkpoints is not None and not run.is_over(self.config) and checkpoints.due():
                checkpoints.save(*run.to_arrays())
        kept = {epoch: parameters for epoch, parameters in run.kept.items() if epoch <= run.best_epoch}
        return TrainedSequences(run.best_epoch, run.best, kept, run.state.done)

    def accuracy(self, parameters: SequenceParameters, sequences: Sequences) -> NextItemMetrics | None:
        """How well next items are predicted; None if there are none."""
        return NextItemMetrics.of(next_items(self.model, parameters, sequences)) if len(sequences) else None

    def _weights(self, removed: np.ndarray) -> Any:
        """[num_examples + 1], 1 or 0: whether an example counts; the last is what fills up the last batch."""
        count = self.sequences.num_examples
        outside = removed[(removed < 0) | (removed >= count)]
        if len(outside):
            raise InputError(f"example ids are 0 to {count - 1}; got {outside[0]}.")
        weights = np.ones(count + 1, self.config.dtype)
        weights[removed] = 0
        weights[count] = 0
        return tf.constant(weights)

    def _order(self, epoch: int) -> np.ndarray:
        """Example ids [batches, batch_size] of an epoch; num_examples fills up the last batch."""
        count, size = self.sequences.num_examples, self.config.batch_size
        order = np.arange(count, dtype=np.int32)
        if self.config.shuffle:
            order = np.random.default_rng((self.config.seed, epoch)).permutation(order)
        num_batches = -(-count // size)
        return np.pad(order, (0, num_batches * size - count), constant_values=count).reshape(num_batches, size)

    def _epoch(self, parameters: Any, means: Any, squares: Any, order: Any, all_weights: Any, first: Any) -> Any:
        """Does an epoch's steps on variables; returns their losses [batches].

        Args:
            parameters, means, squares: variables, by NAMES.
            order: [batches, batch].
            all_weights: [num_examples + 1].
            first: steps done before.
        """
        dtype = self.config.dtype
        num_examples = self.sequences.num_examples
        errors = tf.TensorArray(dtype, size=tf.shape(order)[0])
        for place in tf.range(tf.shape(order)[0]):
            weights = tf.gather(all_weights, order[place])
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
                regularized = dense + self.config.l2 * parameters[i]
                adam_step(parameters[i], means[i], squares[i], regularized, number, self.config.learning_rate)
            errors = errors.write(place, loss)
        return errors.stack()


class _Run:
    """A training under way.

    Attributes:
        state: after the last epoch.
        best_epoch, best, best_mrr: the result so far.
        kept: see TrainedSequences.
    """

    def __init__(self, state: SequenceState) -> None:
        self.state = state
        self.best_epoch, self.best = state.done, state.parameters
        self.best_mrr = -1.0
        self.kept: dict[int, SequenceParameters] = {}

    def is_over(self, config: SequenceTrainConfig) -> bool:
        """Whether no epoch is left to do."""
        patience = config.patience or config.epochs
        return self.state.done >= config.epochs or self.state.done - self.best_epoch >= patience

    def add(self, state: SequenceState, validation: NextItemMetrics | None, config: SequenceTrainConfig) -> None:
        """Tells of one more epoch."""
        self.state = state
        if config.patience is None or (validation is not None and validation.mrr > self.best_mrr):
            self.best_epoch, self.best = state.done, state.parameters
            self.best_mrr = -1.0 if validation is None else validation.mrr
        if state.done in config.kept_epochs:
            self.kept[state.done] = state.parameters

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """For a checkpoint: arrays and a meta value."""
        arrays = prefixed("best", self.best.to_arrays())
        for epoch, parameters in self.kept.items():
            arrays |= prefixed(f"kept-{epoch}", parameters.to_arrays())
        meta = {"epoch": self.state.done, "best_epoch": self.best_epoch, "best_mrr": self.best_mrr}
        return self.state.to_arrays() | arrays, {**meta, "kept": list(self.kept)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> "_Run":
        """From `to_arrays`."""
        run = cls(SequenceState.of_arrays(SequenceParameters, arrays, meta["epoch"]))
        run.best_epoch, run.best_mrr = meta["best_epoch"], meta["best_mrr"]
        run.best, *kept = (
            SequenceParameters.of_arrays(without_prefix(part, arrays))
            for part in ("best", *(f"kept-{epoch}" for epoch in meta["kept"]))
        )
        run.kept = dict(zip(meta["kept"], kept, strict=True))
        return run
