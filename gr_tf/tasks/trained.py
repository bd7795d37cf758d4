"""A finished training, ready to be asked, explained and repeated."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.tasks.task import Task
from gr_tf.training.rollback_store import RollbackStore


@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """Parameters at one time of a training.

    Attributes:
        parameters: at that time.
        learning_rate: at that time.
    """

    parameters: Parameters
    learning_rate: float

    def __repr__(self) -> str:
        return f"Checkpoint({self.parameters!r}, learning_rate={self.learning_rate:g})"


@dataclasses.dataclass(frozen=True, eq=False)
class Given:
    """Where a model comes from that gr_tf did not train.

    Attributes:
        facts: files, checksums and conventions, by name, for people.
        notes: what was assumed, matched or left out, a line each.
    """

    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The facts, and the notes by number."""
        return {**self.facts, **{f"note on the model {i}": note for i, note in enumerate(self.notes, start=1)}}


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A finished training of a task.

    Attributes:
        task: what was trained.
        parameters: of the selected epoch.
        epoch: the selected epoch.
        deltas: [num_examples, rows, width], what each example changed, in memory or left on disk; None if the steps
            do not tell.
        kept: parameters by epoch, of those that the task keeps; empty: it keeps none.
        state: arrays to go on training from; None: a check trains anew.
        fingerprint: SHA-256 of all of it; made from the parameters if there is no other.
        path: of the run's stage on disk; None: in memory.
        given: where the model comes from if gr_tf did not train it; None: gr_tf did. Nothing is known of the training
            of a given model; its parameters are the task's initial ones, and checks go on from them.
    """

    task: Task[Any]
    parameters: Parameters
    epoch: int
    deltas: np.ndarray | None = None
    kept: Mapping[int, Parameters] = dataclasses.field(default_factory=dict)
    state: dict[str, np.ndarray] | None = None
    fingerprint: str = ""
    path: pathlib.Path | None = None
    given: Given | None = None

    def __repr__(self) -> str:
        how = "given" if self.given else f"epoch {self.epoch}"
        return f"Trained({self.task!r}, {how})"

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", self.parameters.checksum)

    @property
    def length(self) -> int:
        """Of a training like it, in the unit of the configuration; of a given model, of one that goes on from it."""
        return self.task.length if self.given else self.task.length_of(self.epoch)

    @property
    def goes_on(self) -> bool:
        """Whether a check goes on from the trained model instead of training anew."""
        return self.given is not None or self.task.continues

    def checkpoints(self) -> Sequence[Checkpoint]:
        """What TracIn looks at: the kept epochs; where none is kept, the trained parameters."""
        parameters = list(self.kept.values()) or [self.parameters]
        return [Checkpoint(one, self.task.config.learning_rate) for one in parameters]

    def with_task(self, task: Task[Any]) -> "Trained":
        """The same of a task with other settings of what is asked; not of the training."""
        return dataclasses.replace(self, task=task)


def train_in_memory(
    task: Task[Any],
    *,
    length: int | None = None,
    validating: bool = False,
    tracking: bool = True,
    kept_epochs: Collection[int] | None = None,
) -> Trained:
    """Trains a task without writing anything.

    Args:
        task: what to train.
        length: default: the configuration's.
        validating: select the best epoch by validation.
        tracking: keep what each example changed, if the steps tell.
        kept_epochs: whose parameters are kept; default: those that the task names.
    """
    rows = task.steps.rows_per_example if tracking else 0
    store = RollbackStore(task.num_examples, task.model.width, task.config.dtype, rows) if rows else None
    kept_epochs = task.kept_epochs if kept_epochs is None else kept_epochs
    training = task.train(length=length, store=store, validating=validating, kept_epochs=kept_epochs)
    return Trained(
        task,
        training.parameters,
        training.epoch,
        deltas=None if store is None else store.to_numpy(),
        kept=training.kept,
        state=training.state() if task.continues else None,
    )
