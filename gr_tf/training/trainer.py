"""Training at batch size 1, in compiled blocks of steps, with what each example changed."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.data.negatives import BLOCK_SIZE, draw_candidates
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError, TrainingError
from gr_tf.models.base import FactorModel
from gr_tf.optimizers import Adam
from gr_tf.row_adam import RowAdam
from gr_tf.training.block import Steps
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.config import TrainConfig
from gr_tf.training.delta_observer import DeltaObserver
from gr_tf.training.dense_steps import DenseSteps
from gr_tf.training.row_steps import RowSteps

# Blocks are drawn again in every epoch, unless all of them together are smaller than this.
_KEPT_PLANS_BYTES = 64 << 20
# Tables with more numbers than this are trained by rows.
_DENSE_NUMBERS = 10_000


@dataclasses.dataclass(frozen=True)
class EpochMetrics:
    """One epoch.

    Attributes:
        epoch: counted from 1.
        loss: mean over the steps done; NaN if none was.
        lipschitz: the empirical Lipschitz constant since the first epoch.
        validation_mrr: what `validate` said, or None without it.
    """

    epoch: int
    loss: float
    lipschitz: float
    validation_mrr: float | None


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """The selected epoch's parameters and the way there.

    Attributes:
        table: [num_rows, width], after the selected epoch.
        epoch: the selected one: best validation MRR (the earlier of equals), or the last.
        history: one entry per epoch.
    """

    table: np.ndarray
    epoch: int
    history: tuple[EpochMetrics, ...]


@dataclasses.dataclass(frozen=True)
class Prefix:
    """How the training of all examples stood at the start of some blocks of its first epoch.

    A training that removes only later examples comes by the same states, bit for bit.

    Attributes:
        states: by block: the arrays of Steps.to_arrays, the sum of losses, and the Lipschitz constant.
    """

    states: Mapping[int, tuple[dict[str, np.ndarray], float, float]]

    def before(self, block: int) -> int | None:
        """The last recorded block that is not behind `block`."""
        return max((recorded for recorded in self.states if recorded <= block), default=None)


@dataclasses.dataclass
class _Progress:
    """Everything that the next step depends on."""

    state: Any
    epoch: int = 0
    block: int = 0
    loss_sum: float = 0.0
    lipschitz: float = 0.0
    history: list[EpochMetrics] = dataclasses.field(default_factory=list)
    last_table: np.ndarray | None = None
    best_epoch: int = 0
    best_table: np.ndarray | None = None
    best_deltas: np.ndarray | None = None


class Trainer:
    """Trains one configuration on one dataset, any number of times.

    `run` may be called from several threads at once: a run's result depends on its
    arguments only, bit for bit. (TensorFlow computes outside Python's lock.)
    """

    def __init__(self, triples: TripleSet, config: TrainConfig, initial_table: np.ndarray | None = None) -> None:
        """
        Args:
            triples: the dataset.
            config: the settings.
            initial_table: [num_rows, width], instead of values drawn from config.seed.
        """
        self.triples = triples
        self.config = config
        self.model = config.make_model(triples)
        if initial_table is None:
            initial_table = self.model.initial_table(config.seed, config.dtype)
        shape = (self.model.num_rows, self.model.width)
        if initial_table.shape != shape:
            raise InputError(f"initial_table must have shape {shape}; got {initial_table.shape}.")
        self.initial_table = initial_table.astype(config.dtype)
        self.steps = make_steps(self.model, config, triples.num_examples)
        self._train_rows = self.model.rows_of(triples.train)
        self._block_size = min(BLOCK_SIZE, triples.num_examples)
        self._firsts = range(0, triples.num_examples, BLOCK_SIZE)
        self._kept_plans: dict[int, Any] = {}
        self._keep_plans = 4 * triples.num_examples * (3 + config.num_negatives) <= _KEPT_PLANS_BYTES

    @property
    def num_blocks(self) -> int:
        """Blocks of steps in an epoch."""
        return len(self._firsts)

    def run(
        self,
        *,
        removed: Sequence[int] | np.ndarray = (),
        epochs: int | None = None,
        prefix: Prefix | None = None,
        store: DeltaObserver | None = None,
        validate: Callable[[np.ndarray], float] | None = None,
        checkpoints: CheckpointFolder | None = None,
        on_resume: Callable[[int], object] | None = None,
        on_block: Callable[[], object] | None = None,
        on_epoch: Callable[[EpochMetrics], object] | None = None,
    ) -> TrainingResult:
        """Trains from the initial values.

        Args:
            removed: example ids whose steps are skipped; everything else stays as it was. Without
                any example left, the model keeps its initial values.
            epochs: at most the configuration's, the default.
            prefix: from `record_prefix`; what it has of the training is not done again.
            store: cleared, receives the deltas, and holds those of the selected epoch at the end.
            validate: validation MRR of a table [num_rows, width], asked after each epoch; the
                best epoch is selected. Without it, the last.
            checkpoints: where to continue from and to leave work done.
            on_resume: told how many blocks a checkpoint has done already.
            on_block: called after each block.
            on_epoch: told each epoch's metrics.

        Raises:
            ValueError: if `prefix` comes with what it cannot provide: a store or checkpoints.
            InputError: if an example id or `epochs` is out of range, or a checkpoint is damaged.
            TrainingError: if a loss is not finite, naming step and example.
        """
        epochs = self.config.epochs if epochs is None else epochs
        if not 1 <= epochs <= self.config.epochs:
            raise InputError(f"epochs must be from 1 to the configuration's {self.config.epochs}; got {epochs}.")
        removed = np.asarray(removed, np.int64)
        kept = self._kept(removed)
        learning_rate = self.config.initial_learning_rate(removed)
        if prefix is not None and (store is not None or checkpoints is not None):
            raise ValueError("a training with a store or checkpoints starts at its first step, not from a prefix.")
        progress = self._start(learning_rate, checkpoints, store)
        if prefix is not None and len(removed):
            self._skip_to(progress, prefix, int(removed.min()) // BLOCK_SIZE, learning_rate)
        if on_resume is not None:
            on_resume(progress.epoch * len(self._firsts) + progress.block)
        while progress.epoch < epochs:
            while progress.block < len(self._firsts):
                first = self._firsts[progress.block]
                order, count = self._order(kept, first)
                progress.state, trace = self.steps.run(progress.state, self.block_plan(first), order, count)
                self._record(progress, trace, first, store)
                progress.block += 1
                if on_block is not None:
                    on_block()
                if checkpoints is not None and progress.block < len(self._firsts) and checkpoints.due():
                    self._save(progress, checkpoints, store)
            self._end_epoch(progress, int(kept.sum()), store, validate, last=progress.epoch + 1 == epochs)
            if on_epoch is not None:
                on_epoch(progress.history[-1])
            if checkpoints is not None and progress.epoch < epochs and checkpoints.due():
                self._save(progress, checkpoints, store)
        if progress.best_table is None:
            assert progress.last_table is not None
            return TrainingResult(progress.last_table, epochs, tuple(progress.history))
        if store is not None and progress.best_deltas is not None:
            store.assign(progress.best_deltas)
        return TrainingResult(progress.best_table, progress.best_epoch, tuple(progress.history))

    def record_prefix(self, every: int) -> Prefix:
        """Trains the first epoch on all examples and records every `every`-th block's start but the first's."""
        states = {}
        progress = self._start(self.config.initial_learning_rate(np.array([], np.int64)), None, None)
        kept = np.ones(self.triples.num_examples, bool)
        while progress.block < len(self._firsts):
            if progress.block and progress.block % every == 0:
                arrays = {name: array.copy() for name, array in self.steps.to_arrays(progress.state).items()}
                states[progress.block] = arrays, progress.loss_sum, progress.lipschitz
            first = self._firsts[progress.block]
            order, count = self._order(kept, first)
            progress.state, trace = self.steps.run(progress.state, self.block_plan(first), order, count)
            self._record(progress, trace, first, None)
            progress.block += 1
        return Prefix(states)

    def _skip_to(self, progress: _Progress, prefix: Prefix, block: int, learning_rate: float) -> None:
        """Continues from the last recorded block that is not behind `block`, if there is one."""
        recorded = prefix.before(block)
        if recorded is not None:
            arrays, progress.loss_sum, progress.lipschitz = prefix.states[recorded]
            progress.state = self.steps.restore(arrays, learning_rate)
            progress.block = recorded

    def _kept(self, removed: np.ndarray) -> np.ndarray:
        """Bool [num_examples]: whether an example is trained on."""
        outside = removed[(removed < 0) | (removed >= self.triples.num_examples)]
        if len(outside):
            raise InputError(f"example ids are 0 to {self.triples.num_examples - 1}; got {outside[0]}.")
        kept = np.ones(self.triples.num_examples, bool)
        kept[removed] = False
        return kept

    def block_plan(self, first: int) -> Any:
        """Device inputs (see block.Steps.plan) of the block from step `first` on."""
        if first in self._kept_plans:
            return self._kept_plans[first]
        config = self.config
        candidates = draw_candidates(
            self.triples.train, first, len(self.triples.entities), config.num_negatives, config.negatives_seed
        )
        rows = np.concatenate([self._train_rows[first : first + BLOCK_SIZE, :2], candidates], axis=1)
        # The last block is padded with its last step, which is not done again.
        rows = np.pad(rows, ((0, self._block_size - len(rows)), (0, 0)), mode="edge")
        plan = self.steps.plan(rows)
        if self._keep_plans:
            self._kept_plans[first] = plan
        return plan

    def _order(self, kept: np.ndarray, first: int) -> tuple[Any, Any]:
        """The steps of a block to do, padded to the block's size, and how many they are."""
        steps = np.flatnonzero(kept[first : first + BLOCK_SIZE])
        order = np.zeros(self._block_size, np.int32)
        order[: len(steps)] = steps
        return tf.constant(order), tf.constant(len(steps))

    def _start(
        self, learning_rate: float, checkpoints: CheckpointFolder | None, store: DeltaObserver | None
    ) -> _Progress:
        """From the newest checkpoint, or from the initial values."""
        newest = checkpoints.newest() if checkpoints is not None else None
        if newest is None:
            if store is not None:
                store.clear()
            return _Progress(self.steps.start(self.initial_table, learning_rate))
        arrays, meta = newest
        if store is not None:
            store.assign(arrays["deltas"])
        state = self.steps.restore(arrays, learning_rate)
        history = [EpochMetrics(**metrics) for metrics in meta.pop("history")]
        return _Progress(
            state, history=history, best_table=arrays.get("best_table"), best_deltas=arrays.get("best_deltas"), **meta
        )

    def _save(self, progress: _Progress, checkpoints: CheckpointFolder, store: DeltaObserver | None) -> None:
        arrays = self.steps.to_arrays(progress.state)
        if store is not None:
            arrays["deltas"] = store.to_numpy()
        for name in ("best_table", "best_deltas"):
            value = getattr(progress, name)
            if value is not None:
                arrays[name] = value
        names = ("epoch", "block", "loss_sum", "lipschitz", "best_epoch")
        meta: dict[str, Any] = {name: getattr(progress, name) for name in names}
        meta["history"] = [dataclasses.asdict(metrics) for metrics in progress.history]
        checkpoints.save(arrays, meta)

    def _record(self, progress: _Progress, trace: Any, first: int, store: DeltaObserver | None) -> None:
        """Books a block's losses and deltas."""
        losses = trace.losses.numpy()
        # A skipped step's loss is zero; so finite losses mean that all steps went well.
        if not np.isfinite(losses).all():
            place = int(np.flatnonzero(~np.isfinite(losses))[0])
            names = "\t".join(self.triples.train_frame.iloc[first + place])
            raise TrainingError(
                f"the loss is {losses[place]} at step {first + place} of epoch {progress.epoch + 1}, "
                f"training triple {first + place} ({names}); a lower learning rate may help."
            )
        progress.loss_sum += float(losses.sum(dtype=np.float64))
        progress.lipschitz = max(progress.lipschitz, float(trace.lipschitz.numpy().max()))
        if store is not None:
            size = min(self._block_size, self.triples.num_examples - first)
            store.add(tf.IndexedSlices(trace.deltas[:size], tf.range(first, first + size)))

    def _end_epoch(
        self,
        progress: _Progress,
        num_steps: int,
        store: DeltaObserver | None,
        validate: Callable[[np.ndarray], float] | None,
        last: bool,
    ) -> None:
        progress.epoch += 1
        progress.block = 0
        table = progress.last_table = self.steps.table(progress.state)
        if not np.isfinite(table).all():
            raise TrainingError(
                f"parameters are not finite after epoch {progress.epoch}; a lower learning rate may help."
            )
        mrr = None
        if validate is not None:
            mrr = validate(table)
            if mrr > max((m.validation_mrr for m in progress.history if m.validation_mrr is not None), default=-1.0):
                progress.best_epoch, progress.best_table = progress.epoch, table
                # The last epoch's deltas are in the store already.
                progress.best_deltas = None if last or store is None else store.to_numpy()
        progress.history.append(
            EpochMetrics(
                progress.epoch, progress.loss_sum / num_steps if num_steps else float("nan"), progress.lipschitz, mrr
            )
        )
        progress.loss_sum = 0.0


def make_steps(model: FactorModel, config: TrainConfig, num_examples: int) -> Steps:
    """The way of doing steps that a configuration asks for, or that is faster for its size."""
    optimizer = config.make_optimizer()
    if isinstance(optimizer, Adam) and config.steps != "dense" and config.constraint == "none":
        touched = config.num_negatives + 3
        # Measured: a native loop costs some 30 us a step before its rows; a dense table of this size as much.
        large = model.num_rows * model.width > _DENSE_NUMBERS and model.num_rows > 2 * touched
        if config.steps == "rows" or large:
            row_adam = RowAdam(optimizer, config.dtype)
            return RowSteps(model, config.loss, row_adam, config.epochs * num_examples)
    return DenseSteps(model, config.loss, optimizer, config.dtype, config.constraint)
