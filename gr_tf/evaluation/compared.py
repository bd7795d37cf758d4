"""Lists the methods that are compared with the truth, and keeps on disk what they say of many trainings.

The methods are those of the registry, and variants that only the comparisons use.
"""

import collections
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gr_tf.attribution import methods
from gr_tf.attribution.base import Explainer, Influences, counted
from gr_tf.attribution.credible import SHORTENED, credible_sums
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.errors import DamagedError, InputError, argument
from gr_tf.evaluation.leave_one_out import Seeded
from gr_tf.runs import files
from gr_tf.runs.progress import progress
from gr_tf.tasks.kinds import served_as
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.types import Ids

# At most this many ensembles of one size are made, each from other seeds.
_GROUPS = 10

# From a method's name and a training's seed to the scores [num_queries, num_examples].
Scores = Callable[[str, int], np.ndarray]


class Found(NamedTuple):
    """A method's influences on all queries, and reasons to doubt them."""

    influences: list[Influences]
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class OneTraining:
    """A training that is explained, and what several methods need from it.

    Attributes:
        trained: the training, with the kept epochs of its task.
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

    def explainer(self, method: str, **settings: Any) -> Explainer[Any]:
        """A method of the registry, also for tasks that its entry's check refuses elsewhere.

        Raises:
            InputError: if the method does not serve the training, or is too large for it.
        """
        entry = methods.method_of(self.trained.task.kind, method)
        methods.check_size(entry, self.trained.task)
        return entry.make(self.trained, **settings)

    def ask(self, method: str, **settings: Any) -> Found:
        """Returns a method's influences; see `explainer`."""
        explainer = self.explainer(method, **settings)
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
    """TracInCP with a checkpoint after every epoch; where the value is a probability, on it, not on its logarithm."""
    if one.every_epoch is None:
        raise InputError("tracin of every epoch needs a training that kept its epochs.")
    found = OneTraining(one.every_epoch, one.queries).ask("tracin", dtype="float64")
    if one.trained.task.unit != "probability":
        return found
    return Found([dataclasses.replace(told, values=told.values * told.prediction) for told in found.influences])


def _replayed(first: int) -> Ask:
    """Replay of the steps from an epoch on, counted from 0 or from the end; the last epoch if there are fewer."""

    def ask(one: OneTraining) -> Found:
        parts = one.replayed
        values = parts[min(first, len(parts) - 1) :].sum(axis=0)
        return Found([Influences(np.arange(len(row)), row, np.nan) for row in values])

    return ask


def _as_far_as_credible(one: OneTraining) -> Found:
    """Replay as the registry has it: of single steps after the first epoch, of batches as far back as is credible."""
    task, parts = one.trained.task, one.replayed
    if task.steps.backward() is None:
        return _replayed(1)(one)
    scales = task.large_change(task.value(one.trained.parameters, one.queries))
    later = parts[min(1, len(parts) - 1) :]
    values, depths = credible_sums(later[::-1], scales)
    return Found(
        [
            Influences(np.arange(len(row)), row, np.nan, warnings=(SHORTENED,) if depth < len(later) else ())
            for row, depth in zip(values, depths, strict=True)
        ]
    )


def _from_epoch_2(one: OneTraining) -> Found:
    """Replay of batches after the first epoch, credible or not."""
    found = _replayed(1)(one)  # which says so where nothing can be replayed
    if one.trained.task.steps.backward() is None:
        raise InputError("of single steps, that is replay.")
    return found


# By kind: methods of the registry that have other settings here, and variants that only the comparisons have.
_VARIANTS: Mapping[str, Mapping[str, Ask]] = {
    "triples": {
        "criage": _asked("criage", any_loss=True),
        "influence, query's rows": _asked("influence", block="query"),
        "replay": _as_far_as_credible,
        "replay from epoch 2": _from_epoch_2,
        "replay with epoch 1": _replayed(0),
        "replay with epoch 1, median": _replayed(0),
        "replay, last epoch": _replayed(-1),
        "tracin": _asked("tracin", dtype="float64"),
        "tracin, every epoch": _every_epoch,
    },
    "ratings": {
        "fia, published decay": _asked("fia", settings=FiaSettings(decay="published")),
        "ia": _asked("ia", dtype="float64"),
        "replay": _as_far_as_credible,
        "replay from epoch 2": _from_epoch_2,
        "replay with epoch 1": _replayed(0),
        "replay, last epoch": _replayed(-1),
        "tracin": _asked("tracin", dtype="float64"),
        "tracin, every epoch": _every_epoch,
    },
    "sequences": {
        "replay": _as_far_as_credible,
        "replay from epoch 2": _from_epoch_2,
        "replay, last epoch": _replayed(-1),
        "tracin": _asked("tracin", dtype="float64"),
        "tracin, every epoch": _every_epoch,
    },
}
# The ensembles of these methods take the median over trainings, not the mean.
BY_MEDIAN = ("replay with epoch 1, median",)
# Where Scored keeps methods that once meant something else of trainings in batches, whose older scores may be there.
_KEPT_AS = {"replay": "replay as far as credible"}
# Sums of methods; each query's scores are divided by their standard deviation first.
COMBINED: Mapping[str, tuple[str, ...]] = {"influence + cosine + replay": ("influence", "cosine", "replay")}
# The proposals of these methods are retrained; the scores of all but the first are also blended with measured effects.
SCREENS = ("nh", "gr", "cosine", "replay")


def compared(kind: str) -> dict[str, Ask]:
    """The methods compared on a kind of data, by name: the random baseline first, variants after their method.

    Those that average over trainings of their own are compared by their price, see evaluation.prices.
    """
    one_training = [name for name, method in methods.methods_of(kind).items() if not method.averages]
    registered = sorted(one_training, key=lambda name: name != "nh")
    order = {name: place for place, name in enumerate(registered)}
    asks = {name: _asked(name) for name in registered} | dict(_VARIANTS.get(served_as(kind), {}))
    method_of = {name: name.partition(",")[0].partition(" ")[0] for name in asks}
    names = sorted((name for name in asks if method_of[name] in order), key=lambda name: order[method_of[name]])
    return {name: asks[name] for name in names}


def asked_for(kind: str, names: Sequence[str] | None, always: Sequence[str] = ()) -> dict[str, Ask]:
    """Some of the methods compared on a kind of data, in the order of `compared`.

    Args:
        kind: of the data.
        names: which; None: all.
        always: what is compared besides, if it serves the kind.

    Raises:
        InputError: if a name is unknown.
    """
    known = compared(kind)
    if unknown := [name for name in names or () if name not in known]:
        raise InputError(f"{argument('methods')} must be of {'; '.join(known)}; got {unknown[0]}.")
    return {name: ask for name, ask in known.items() if names is None or name in (*names, *always)}


def settings_of(task: Task[Any]) -> dict[str, Any]:
    """What a comparison's trainings are known by: data and settings."""
    return {
        "dataset": task.dataset.name,
        "checksum": task.dataset.checksum,
        "split": task.dataset.split and task.dataset.split.to_dict(),
        "config": task.config.to_dict(),
    }


@dataclasses.dataclass(eq=False)
class Scored:
    """The methods' influences by training; they are kept on disk as soon as they are known.

    Attributes:
        folder: where they are kept.
        seeded: gives the training of a seed.
        queries: what is explained.
        methods: by name; see `compared`.
        chosen: [num_queries, n], the example ids of each query whose influences are kept; None: all examples'.
        dtype: the precision in which they are kept.
        refused: by method, why it cannot be computed; for all seeds that `compute` was given.
    """

    folder: pathlib.Path
    seeded: Seeded
    queries: Sequence[Any]
    methods: Mapping[str, Ask]
    chosen: Ids | None = None
    dtype: str = "float32"
    refused: dict[str, str] = dataclasses.field(default_factory=dict)

    def compute(self, seeds: Sequence[int]) -> "Scored":
        """Computes all methods for the trainings of some seeds, and returns itself."""
        todo = {seed: [name for name in self.methods if not self.place(name, seed).exists()] for seed in seeds}
        total = len(seeds) * len(self.methods)
        with progress(f"influences, {self.folder.name}", total, total - sum(map(len, todo.values()))) as bar:
            for seed, names in todo.items():
                if not names:
                    continue
                one = OneTraining.of(self.seeded(seed), self.queries)
                quality = one.trained.task.quality(one.trained.parameters)
                for name in names:
                    scores, meta = told(self.methods[name], one, self.chosen)
                    arrays = {} if scores is None else {"scores": scores.astype(self.dtype)}
                    files.write_arrays(self.place(name, seed), arrays, {"quality": quality, **meta})
                    bar.advance()
        for seed in reversed(seeds):
            for name in self.methods:
                if refused := self.meta(name, seed)["refused"]:
                    self.refused[name] = f"{refused} (seed {seed})"
        return self

    @functools.cached_property
    def _in_batches(self) -> bool:
        """Whether replay of the trainings is that of batches."""
        return self.seeded(0).steps.backward() is not None

    def meta(self, name: str, seed: int) -> dict[str, Any]:
        """Facts about a method and a training: the model's "quality", and those of `told`."""
        meta: dict[str, Any] = files.read_json(self.place(name, seed) / files.MANIFEST)["meta"]
        return meta

    def qualities(self, name: str, seeds: Sequence[int]) -> dict[str, dict[str, list[float]]]:
        """How good the trainings are that a method explained: by split and metric, a value for each seed."""
        found = [self.meta(name, seed)["quality"] for seed in seeds]
        return {
            part: {metric: [one[part][metric] for one in found] for metric in metrics}
            for part, metrics in found[0].items()
            if metrics
        }

    def __call__(self, name: str, seed: int) -> np.ndarray:
        """Returns the influences [num_queries, num_examples], or those of the chosen examples.

        Raises:
            InputError: if the method was refused.
        """
        arrays, meta = files.read_arrays(self.place(name, seed))
        if meta["refused"]:
            raise InputError(f"{name}: {meta['refused']}")
        return arrays["scores"].astype(np.float64)

    def warnings(self, names: Sequence[str], seeds: Sequence[int]) -> dict[str, dict[str, int]]:
        """By method and warning, for how many of some trainings the method gave that warning."""
        found = {
            name: dict(collections.Counter(warning for seed in seeds for warning in self.meta(name, seed)["warnings"]))
            for name in names
        }
        return {name: counts for name, counts in found.items() if counts}

    def place(self, name: str, seed: int) -> pathlib.Path:
        """The folder of a method's scores of a training."""
        if name in _KEPT_AS and self._in_batches:
            name = _KEPT_AS[name]
        return self.folder / name.replace(", ", "-").replace(" ", "-").replace("'", "") / f"seed{seed}"


def told(ask: Ask, one: OneTraining, chosen: Ids | None = None) -> tuple[np.ndarray | None, dict[str, Any]]:
    """A method's scores of a training, None if it refuses; and how far they can be trusted.

    Returns:
        See Scored for the scores. refused: why, or None; warnings: all of the method's; negative_curvature, unsolved:
        how many of its linear systems have this defect.
    """
    try:
        found, refused = ask(one), None
    except DamagedError:
        raise
    except InputError as error:
        found, refused = Found([]), error.on_command_line
    systems = [system for of_query in found.influences for system in of_query.systems]
    own = (warning for of_query in found.influences for warning in of_query.warnings)
    meta = {
        "refused": refused,
        "warnings": [*found.warnings, *counted(own, len(found.influences), "predictions")],
        "negative_curvature": sum(system.negative_curvature for system in systems),
        "unsolved": sum(not system.converged for system in systems),
    }
    if refused is not None:
        return None, meta
    scores = np.zeros((len(found.influences), one.trained.task.num_examples))
    for row, of_query in zip(scores, found.influences, strict=True):
        row[of_query.example_ids] = of_query.values
    return (scores if chosen is None else np.take_along_axis(scores, chosen, axis=1)), meta


def ensembles(scores: Scores, name: str, seeds: Sequence[int], size: int) -> list[np.ndarray]:
    """The scores of at most _GROUPS ensembles of `size` trainings, each from other seeds."""
    if name in COMBINED:
        parts = [ensembles(scores, part, seeds, size) for part in COMBINED[name]]
        centred = [[part - part.mean(axis=1, keepdims=True) for part in group] for group in zip(*parts, strict=True)]
        return [sum((part / part.std(axis=1, keepdims=True) for part in group), np.zeros(1)) for group in centred]
    average = np.median if name in BY_MEDIAN else np.mean
    groups = [seeds[first : first + size] for first in range(0, len(seeds) - size + 1, size)][:_GROUPS]
    return [np.asarray(average([scores(name, seed) for seed in group], axis=0)) for group in groups]
