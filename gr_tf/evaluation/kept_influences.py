"""What methods say of some predictions in one training or in several, on disk as soon as it is known."""

import dataclasses
import hashlib
import pathlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution import methods as registry
from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.errors import InputError, short
from gr_tf.runs import files
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory

# The seeds of an ensemble's trainings, beside the explained one; no training that checks has such a seed.
FIRST_MEMBER = 10_000
_NAME = re.compile(r"([\w-]+)(?:\*(\d+))?")
# Methods that consider examples other than the related ones by their definition, and are left at that.
_OWN_EXAMPLES = ("criage",)
# Methods of the registry that have other settings here.
_SETTINGS = {"criage": {"any_loss": True, "damping": 0.01}}

_NONE = Influences(np.zeros(0, np.int64), np.zeros(0), 0.0)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A method to explain with: its name in the registry, and over how many trainings its influences are averaged."""

    method: str
    trainings: int = 1

    @classmethod
    def parsed(cls, text: str, kind: str) -> "Asked":
        """From "gr", or "gr*5" for the mean over five trainings.

        Raises:
            InputError: if it is neither, or the kind of data has no such method.
        """
        match = _NAME.fullmatch(text.strip())
        if match is None or (match[2] is not None and int(match[2]) < 2):
            raise InputError(f"a method is a name, or such as gr*5 for the mean over 5 trainings; got {short(text)}.")
        return cls(registry.method_of(kind, match[1]).name, int(match[2] or 1))

    def check(self, task: Task[Any]) -> None:
        """Refuses a method that does not serve a task or is too large for it, before any work.

        Raises:
            InputError: see attribution.methods.check_task.
        """
        entry = registry.method_of(task.kind, self.method)
        if self.method not in _SETTINGS:
            registry.check_task(entry, task)

    def __str__(self) -> str:
        return self.method if self.trainings == 1 else f"{self.method}*{self.trainings}"


@dataclasses.dataclass(frozen=True)
class _Kept(Explainer[Any]):
    """Influences that were computed before, of these queries only."""

    task: Task[Any]
    found: tuple[Influences, ...]

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        return list(self.found)


@dataclasses.dataclass(frozen=True, eq=False)
class KeptInfluences:
    """The influences of the related examples on some queries, by method and training.

    Attributes:
        folder: where they are kept; what is there is not computed again.
        task: of the explained training, which has no number; member i has FIRST_MEMBER + i as its seeds.
        queries: what is explained.
    """

    folder: pathlib.Path
    task: Task[Any]
    queries: Sequence[Any]

    def compute(self, asked: Sequence[Asked], explained: Callable[[bool], Trained]) -> "KeptInfluences":
        """Computes what is not there yet, and returns itself.

        Args:
            asked: the methods.
            explained: gives the explained training; its argument says whether what each example changed is needed.
        """
        names = list(dict.fromkeys(one.method for one in asked))
        most = {name: max(one.trainings for one in asked if one.method == name) for name in names}
        members = range(max(most.values(), default=0))
        todo = {
            number: [name for name in names if number < most[name] and not self._place(name, number).exists()]
            for number in members
        }
        total = sum(most.values())
        with progress("explanations", total, total - sum(map(len, todo.values()))) as bar:
            for number, missing in todo.items():
                if not missing:
                    continue
                tracking = any(registry.method_of(self.task.kind, name).needs == "deltas" for name in missing)
                trained = explained(tracking) if number == 0 else self._member(number, tracking)
                for name in missing:
                    self._keep(name, number, trained)
                    bar.advance()
        return self

    def explainer(self, asked: Asked) -> Explainer[Any]:
        """Ranks as the method does; for the queries only."""
        return Ensemble([_Kept(self.task, self._read(asked.method, number)) for number in range(asked.trainings)])

    def seconds(self, asked: Asked) -> float:
        """Seconds for one explanation, on average over the queries, without the trainings."""
        told = [self._meta(asked.method, number)["seconds"] for number in range(asked.trainings)]
        return float(sum(told) / len(self.queries))

    def refused(self, asked: Asked) -> dict[int, str]:
        """By the query's place: why the method does not explain it in the explained training."""
        return {int(place): why for place, why in self._meta(asked.method, 0)["refused"].items()}

    def _member(self, number: int, tracking: bool) -> Trained:
        return train_in_memory(self.task.seeded(FIRST_MEMBER + number), tracking=tracking)

    def _place(self, method: str, number: int) -> pathlib.Path:
        told = repr((self.task.reference, tuple(self.queries), method, number))
        return self.folder / f"{method}-{number}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    def _meta(self, method: str, number: int) -> dict[str, Any]:
        meta: dict[str, Any] = files.read_arrays(self._place(method, number))[1]
        return meta

    def _keep(self, method: str, number: int, trained: Trained) -> None:
        entry = registry.method_of(self.task.kind, method)
        start, refused = time.monotonic(), dict[int, str]()
        explainer = entry.make(trained, **_SETTINGS.get(method, {}))
        found = []
        for place, told in enumerate(_each(explainer, self.queries)):
            if isinstance(told, InputError):
                refused[place] = str(told)
            found.append(_NONE if isinstance(told, InputError) else told)
        seconds = time.monotonic() - start
        if method not in _OWN_EXAMPLES:
            found = [_only(one, self.task.related(q)) for one, q in zip(found, self.queries, strict=True)]
        arrays = {
            "example_ids": np.concatenate([one.example_ids for one in found]).astype(np.int64),
            "values": np.concatenate([one.values for one in found]).astype(np.float64),
            "counts": np.array([len(one.values) for one in found]),
            "predictions": np.array([one.prediction for one in found], np.float64),
        }
        files.write_arrays(self._place(method, number), arrays, {"seconds": seconds, "refused": refused})

    def _read(self, method: str, number: int) -> tuple[Influences, ...]:
        arrays, _ = files.read_arrays(self._place(method, number))
        ends = np.cumsum(arrays["counts"])[:-1]
        parts = zip(np.split(arrays["example_ids"], ends), np.split(arrays["values"], ends), strict=True)
        told = zip(parts, arrays["predictions"].tolist(), strict=True)
        return tuple(Influences(ids, values, prediction) for (ids, values), prediction in told)


def _each(explainer: Explainer[Any], queries: Sequence[Any]) -> Iterator[Influences | InputError]:
    """The influences of each query, or why it cannot be explained; in halves where some cannot, else all at once."""
    try:
        yield from explainer.influences(queries)
    except InputError as error:
        if len(queries) == 1:
            yield error
        else:
            middle = len(queries) // 2
            yield from _each(explainer, queries[:middle])
            yield from _each(explainer, queries[middle:])


def _only(found: Influences, example_ids: np.ndarray) -> Influences:
    """The influences of some examples."""
    chosen = np.isin(found.example_ids, example_ids)
    return Influences(found.example_ids[chosen], found.values[chosen], found.prediction)
