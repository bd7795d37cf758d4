"""The one training loop: epochs, resuming, removal, finite checks, selection of an epoch, observers."""

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import numpy as np

from gr_tf.errors import TrainingError
from gr_tf.models.parameters import Parameters
from gr_tf.runs import devices
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.training.rollback_store import RollbackStore
from gr_tf.training.steps import Block, Steps
from gr_tf.types import Ids, State

P = ParamSpec("P")
R = TypeVar("R")
# Of the validation metrics by name, higher or lower is better, as the task says.
Validate = Callable[[Parameters], Mapping[str, float]]
# How the training on all examples stood at the start of some blocks of its first epoch, in their order: the arrays of
# Steps.to_arrays; and the block's number, the sum of losses, their number, and the Lipschitz constant. A training that
# removes only later examples passes through the same states, bit for bit.
Prefix: TypeAlias = Sequence[tuple[dict[str, np.ndarray], tuple[int, float, int, float]]]


@dataclasses.dataclass(frozen=True)
class Epoch:
    """The result of one epoch.

    Attributes:
        epoch: counted from 1.
        loss: mean over the losses of its steps, each before the step; NaN if none was done.
        lipschitz: the empirical Lipschitz constant since the first epoch; 0 where the steps do not give one.
        validation: metrics of the parameters after it; empty without `validate`.
    """

    epoch: int
    loss: float
    lipschitz: float
    validation: Mapping[str, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """A finished training.

    Attributes:
        parameters: after the selected epoch.
        epoch: the selected one: the best by validation (the earlier of equals), or the last.
        history: one entry per epoch done.
        kept: parameters by epoch, of those asked for, up to the selected one.
        state: after the last step, as arrays, made when it is asked for.
    """

    parameters: Parameters
    epoch: int
    history: tuple[Epoch, ...]
    kept: Mapping[int, Parameters]
    state: Callable[[], dict[str, np.ndarray]] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """Which epoch's parameters are the result.

    Attributes:
        metric: of the validation; None: the last epoch's.
        patience: end after so many epochs without a better one; None: do all of them.
        lower: whether a lower value is the better one.
    """

    metric: str | None = None
    patience: int | None = None
    lower: bool = False

    def is_better(self, value: float, others: Iterable[float]) -> bool:
        """Whether a value is better than all others."""
        return all(value < other if self.lower else value > other for other in others)


@dataclasses.dataclass
class _Progress:
    """Everything that the next step depends on, and the result so far."""

    state: State
    block: int = 0
    loss_sum: float = 0.0
    num_losses: int = 0
    lipschitz: float = 0.0
    history: list[Epoch] = dataclasses.field(default_factory=list)
    best_epoch: int = 0
    best: Parameters | None = None
    kept: dict[int, Parameters] = dataclasses.field(default_factory=dict)

    def to_arrays(self, steps: Steps, store: RollbackStore | None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The progress for a checkpoint: arrays, and a JSON value."""
        arrays = steps.to_arrays(self.state)
        if store is not None:
            arrays |= store.to_arrays()
        if self.best is not None:
            arrays |= self.best.to_arrays("best.")
        for epoch, parameters in self.kept.items():
            arrays |= parameters.to_arrays(f"kept-{epoch}.")
        names = ("block", "loss_sum", "num_losses", "lipschitz", "best_epoch")
        meta = {name: getattr(self, name) for name in names}
        history = [dataclasses.asdict(epoch) for epoch in self.history]
        return arrays, {**meta, "history": history, "has_best": self.best is not None, "kept": list(self.kept)}

    @classmethod
    def of_arrays(cls, state: State, arrays: Mapping[str, np.ndarray], meta: dict[str, Any]) -> "_Progress":
        """From `to_arrays`."""
        history = [Epoch(**told) for told in meta.pop("history")]
        best = Parameters.of_arrays(arrays, "best.") if meta.pop("has_best") else None
        kept = {epoch: Parameters.of_arrays(arrays, f"kept-{epoch}.") for epoch in meta.pop("kept")}
        return cls(state, history=history, best=best, kept=kept, **meta)

    def is_over(self, blocks: Sequence[Block], patience: int | None) -> bool:
        """Whether all blocks are done, or no epoch was better for too long."""
        waited = len(self.history) - self.best_epoch
        return self.block == len(blocks) or (patience is not None and waited >= patience)

    def do(self, steps: Steps, block: Block, kept: np.ndarray, store: RollbackStore | None) -> float:
        """Does a block, adds its losses and changes, and returns its mean loss."""
        run = steps.run_untracked if store is None else steps.run
        self.state, trace = run(self.state, block, kept)
        losses = trace.losses
        # A skipped step's loss is zero; so finite losses mean that all steps went well.
        if not np.isfinite(losses).all():
            place = int(np.flatnonzero(~np.isfinite(losses))[0])
            where = steps.name_of(self.state, block, place)
            raise TrainingError(f"the loss is {losses[place]} at {where}; a lower learning rate may help.")
        total = float(losses.sum(dtype=np.float64))
        self.loss_sum += total
        self.num_losses += trace.num_losses
        self.lipschitz = max(self.lipschitz, trace.lipschitz)
        if store is not None and trace.deltas is not None:
            store.add(trace.deltas)
        self.block += 1
        return _mean(total, trace.num_losses)

    def end_epoch(self, number: int, validation: Mapping[str, float], selection: Selection) -> bool:
        """Adds an epoch to the history; returns whether it is the best so far."""
        is_best, metric = False, selection.metric
        if metric is not None and metric in validation:
            is_best = selection.is_better(validation[metric], (told.validation[metric] for told in self.history))
        self.history.append(Epoch(number, _mean(self.loss_sum, self.num_losses), self.lipschitz, validation))
        self.loss_sum, self.num_losses = 0.0, 0
        return is_best

    def keep(self, epoch: int, parameters: Parameters, store: RollbackStore | None, *, is_last: bool) -> None:
        """Remembers an epoch as the best so far."""
        self.best_epoch, self.best = epoch, parameters
        if store is not None:
            # The last epoch's changes are in the store already.
            store.forget() if is_last else store.keep()

    def result(self, steps: Steps) -> Training:
        """The result of a training that is over."""
        state = self.state
        epoch, parameters = self.best_epoch, self.best
        if parameters is None:
            epoch, parameters = self.history[-1].epoch, steps.parameters(state)
        kept = {one: of_epoch for one, of_epoch in self.kept.items() if one <= epoch}
        return Training(parameters, epoch, tuple(self.history), kept, lambda: steps.to_arrays(state))


def _mean(total: float, count: int) -> float:
    return total / count if count else float("nan")


def _placed(function: Callable[Concatenate[Steps, P], R]) -> Callable[Concatenate[Steps, P], R]:
    """Has a function of steps compute where these are placed."""

    @functools.wraps(function)
    def placed(steps: Steps, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with devices.of_steps(on_one_example=steps.on_one_example):
            return function(steps, *args, **kwargs)

    return placed


@_placed
def train(
    steps: Steps,
    parameters: Parameters,
    kept: np.ndarray,
    length: int,
    *,
    seed: int = 0,
    start: dict[str, np.ndarray] | None = None,
    prefix: Prefix | None = None,
    store: RollbackStore | None = None,
    validate: Validate | None = None,
    selection: Selection | None = None,
    kept_epochs: Collection[int] = (),
    checkpoints: CheckpointFolder | None = None,
    on_resume: Callable[[int], object] = lambda blocks: None,
    on_block: Callable[[Block, float, Callable[[], Parameters]], object] = lambda *_: None,
    on_epoch: Callable[[Epoch], object] = lambda epoch: None,
) -> Training:
    """Trains, once; the result depends on the arguments only, bit for bit.

    May be called from several threads at a time with the same steps. (TensorFlow computes outside Python's lock.)

    Args:
        steps: of the task.
        parameters: the initial values.
        kept: bool [num_examples], whether an example is trained on; everything else stays as it was. Without any
            example left, nothing but a weight decay moves the parameters.
        length: in the unit of the configuration: epochs, or steps.
        seed: of the order of the examples, if it has one.
        start: the state of another training, to go on from instead of the initial values.
        prefix: from `record_prefix`; steps that it has recorded are not done again.
        store: is cleared, receives the changes of the examples' rows, and ends with those of the selected epoch.
        validate: called after each epoch; gives metrics by name.
        selection: which epoch's parameters are the result; default: the last's.
        kept_epochs: epochs whose parameters are kept too.
        checkpoints: where unfinished work is found and left.
        on_resume: called with the number of blocks that were done before.
        on_block: called after each block with the block, its mean loss, and a function that gives the parameters.
        on_epoch: called after each epoch.

    Raises:
        ValueError: if `prefix` comes with what it cannot provide: a store or checkpoints; or the steps cannot go on
            from `start`.
        InputError: if a checkpoint is damaged.
        TrainingError: if a loss or a parameter is not finite, naming step and example.
    """
    if prefix is not None and (store is not None or checkpoints is not None):
        raise ValueError("a training with a store or checkpoints starts at its first step, not from a prefix.")
    if start is not None and not steps.can_go_on:
        raise ValueError("these steps are counted from the initial values; they cannot go on from another training.")
    selection = selection or Selection()
    removed = np.flatnonzero(~kept)
    blocks = steps.blocks(length)
    newest = None if checkpoints is None else checkpoints.newest()
    if newest is None:
        progress = _started(steps, parameters, removed, seed, start, prefix)
    else:
        progress = _Progress.of_arrays(steps.restore(newest[0], removed, seed), *newest)
    if store is not None:
        store.clear() if newest is None else store.restore(newest[0])
    del newest  # which may be large
    on_resume(progress.block)
    while not progress.is_over(blocks, selection.patience):
        block = blocks[progress.block]
        mean = progress.do(steps, block, kept, store)
        on_block(block, mean, lambda: steps.parameters(progress.state))
        if block.ends is not None:
            after = steps.parameters(progress.state)
            if not after.are_finite:
                told = f"parameters are not finite after epoch {block.ends}"
                raise TrainingError(f"{told}; a lower learning rate may help.")
            validation = {} if validate is None else dict(validate(after))
            if progress.end_epoch(block.ends, validation, selection):
                progress.keep(block.ends, after, store, is_last=progress.block == len(blocks))
            if block.ends in kept_epochs:
                progress.kept[block.ends] = after
            on_epoch(progress.history[-1])
        if checkpoints is not None and checkpoints.due() and not progress.is_over(blocks, selection.patience):
            checkpoints.save(*progress.to_arrays(steps, store))
    if store is not None:
        store.take_kept()
    return progress.result(steps)


@_placed
def record_prefix(steps: Steps, parameters: Parameters, kept: np.ndarray, length: int, every: int) -> Prefix:
    """Trains the first epoch on all examples and records every `every`-th block's start but the first's."""
    states = []
    progress = _Progress(steps.start(parameters, np.zeros(0, np.int64), 0))
    for block in steps.blocks(length):
        if block.number and block.number % every == 0:
            arrays = {name: array.copy() for name, array in steps.to_arrays(progress.state).items()}
            states.append((arrays, (block.number, progress.loss_sum, progress.num_losses, progress.lipschitz)))
        progress.do(steps, block, kept, None)
        if block.ends is not None:
            break
    return states


def _started(
    steps: Steps,
    parameters: Parameters,
    removed: Ids,
    seed: int,
    start: dict[str, np.ndarray] | None,
    prefix: Prefix | None,
) -> _Progress:
    """A training before its first step, or at the last recorded block before which nothing is removed."""
    if prefix is not None and len(removed):
        first = steps.first_block_with(removed)
        for arrays, so_far in reversed(prefix):
            if so_far[0] <= first:
                return _Progress(steps.restore(arrays, removed, seed), *so_far)
    return _Progress(steps.start(parameters, removed, seed) if start is None else steps.restore(start, removed, seed))
