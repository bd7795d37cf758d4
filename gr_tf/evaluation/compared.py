"""Which methods are compared with the truth: those of the registry, and variants that nothing else uses."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gr_tf.attribution import methods
from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.errors import InputError
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory


class Found(NamedTuple):
    """What a method says of all queries, and why that is to be doubted."""

    influences: list[Influences]
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class OneTraining:
    """A training that is explained, and what several methods need of it.

    Attributes:
        trained: with the kept epochs of its task.
        queries: what is explained.
        every_epoch: the same training with all its epochs kept, if they were.
    """

    trained: Trained
    queries: Sequence[Any]
    every_epoch: Trained | None = None

    @classmethod
    def of(cls, task: Task[Any], queries: Sequence[Any]) -> "OneTraining":
        """Trains, and keeps every epoch."""
        epochs = {block.ends for block in task.steps.blocks(task.length) if block.ends is not None}
        whole = train_in_memory(task, kept_epochs=epochs)
        kept = {epoch: whole.kept[epoch] for epoch in task.kept_epochs if epoch in whole.kept}
        return cls(dataclasses.replace(whole, kept=kept), queries, whole)

    def explainer(self, method: str, *, every_epoch: bool = False, **settings: Any) -> Explainer[Any]:
        """A method of the registry, also for tasks that its entry's check refuses elsewhere.

        Args:
            method: its name.
            every_epoch: show it the parameters after every epoch, not only those that the task keeps.
            settings: of the method.

        Raises:
            InputError: if the method does not serve the training, or is too large for it.
        """
        trained = self.every_epoch if every_epoch else self.trained
        if trained is None:
            raise InputError(f"{method} of every epoch needs a training that kept its epochs.")
        entry = methods.method_of(trained.task.kind, method)
        methods.check_size(entry, trained.task)
        return entry.make(trained, **settings)

    def ask(self, method: str, **asked: Any) -> Found:
        """What a method says; the arguments and errors are those of `explainer`."""
        explainer = self.explainer(method, **asked)
        return Found(explainer.influences(self.queries), explainer.warnings)

    @functools.cached_property
    def replayed(self) -> np.ndarray:
        """Replay's influences by epoch, [epochs, num_queries, num_examples]; computed once for several methods."""
        replay: Any = self.explainer("replay", first_epoch=1)
        return np.asarray(replay.by_epoch(self.queries))


Ask = Callable[[OneTraining], Found]


def _asked(method: str, **settings: Any) -> Ask:
    return lambda one: one.ask(method, **settings)


def _every_epoch(one: OneTraining) -> Found:
    """TracInCP with a checkpoint after every epoch; on the probability, not on its logarithm, where it is one."""
    found = one.ask("tracin", every_epoch=True, dtype="float64")
    if one.trained.task.unit != "probability":
        return found
    return Found([dataclasses.replace(told, values=told.values * told.prediction) for told in found.influences])


def _replayed(first: int) -> Ask:
    """Replay of the steps from an epoch on: counted from 0, or from the end; the last if there are fewer."""

    def ask(one: OneTraining) -> Found:
        parts = one.replayed
        values = parts[min(first, len(parts) - 1) :].sum(axis=0)
        return Found([Influences(np.arange(len(row)), row, np.nan) for row in values])

    return ask


# By kind, what the registry's names stand for here where that needs settings, and names that only comparisons have.
_VARIANTS: Mapping[str, Mapping[str, Ask]] = {
    "triples": {
        "criage": _asked("criage", any_loss=True),
        "influence, query's rows": _asked("influence", block="query"),
        "replay": _replayed(1),
        "replay with epoch 1": _replayed(0),
        "replay with epoch 1, median": _replayed(0),
        "replay, last epoch": _replayed(-1),
        "tracin": _asked("tracin", dtype="float64"),
        "tracin, every epoch": _every_epoch,
    },
    "ratings": {
        "fia, published decay": _asked("fia", settings=FiaSettings(decay="published")),
        "ia": _asked("ia", dtype="float64"),
        "tracin": _asked("tracin", dtype="float64"),
        "tracin, every epoch": _every_epoch,
    },
    "sequences": {"tracin": _asked("tracin", dtype="float64"), "tracin, every epoch": _every_epoch},
}
# Averaged over trainings by the median, not the mean.
BY_MEDIAN = ("replay with epoch 1, median",)
# Methods that are summed, each query's scores in standard deviations.
COMBINED: Mapping[str, tuple[str, ...]] = {"influence + cosine + replay": ("influence", "cosine", "replay")}
# Methods whose proposals are retrained, and, but for the first, those whose scores are blended with what was measured.
SCREENS = ("nh", "gr", "cosine", "replay")


def compared(kind: str) -> dict[str, Ask]:
    """The methods that are compared on a kind of data, by name; the random baseline first, variants by their method."""
    registered = sorted(methods.methods_of(kind), key=lambda name: name != "nh")
    order = {name: place for place, name in enumerate(registered)}
    asks = {name: _asked(name) for name in registered} | dict(_VARIANTS.get(kind, {}))
    names = sorted(asks, key=lambda name: order[name.partition(",")[0].partition(" ")[0]])
    return {name: asks[name] for name in names}
