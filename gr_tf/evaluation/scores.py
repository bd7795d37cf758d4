"""The influences that methods give, of many trainings, kept on disk."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.errors import InputError
from gr_tf.evaluation.compared import BY_MEDIAN, COMBINED, Ask, Found, OneTraining
from gr_tf.evaluation.leave_one_out import Seeded
from gr_tf.runs import files
from gr_tf.runs.progress import progress
from gr_tf.types import Ids

# Ensembles of a size are made anew from other seeds, at most so often.
_GROUPS = 10

# A method's scores [num_queries, num_examples] of the training of a seed.
Scores = Callable[[str, int], np.ndarray]


@dataclasses.dataclass(eq=False)
class Scored:
    """The methods' influences by training, on disk as soon as they are known.

    Attributes:
        folder: where they are kept.
        seeded: the training of a seed.
        queries: what is explained.
        methods: by name; see `compared`.
        chosen: [num_queries, n], the example ids of each query whose influences are kept; None: all examples'.
        dtype: in which they are kept.
        refused: why a method cannot be computed, by method; of all seeds that `compute` was asked for.
    """

    folder: pathlib.Path
    seeded: Seeded
    queries: Sequence[Any]
    methods: Mapping[str, Ask]
    chosen: Ids | None = None
    dtype: str = "float32"
    refused: dict[str, str] = dataclasses.field(default_factory=dict)

    def compute(self, seeds: Sequence[int]) -> None:
        """All methods for the trainings of some seeds."""
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

    def meta(self, name: str, seed: int) -> dict[str, Any]:
        """What is told of a method and a training: quality, of the model; see also `told`."""
        meta: dict[str, Any] = files.read_json(self.place(name, seed) / files.MANIFEST)["meta"]
        return meta

    def __call__(self, name: str, seed: int) -> np.ndarray:
        """[num_queries, num_examples], or of the chosen examples.

        Raises:
            InputError: if the method was refused.
        """
        arrays, meta = files.read_arrays(self.place(name, seed))
        if meta["refused"]:
            raise InputError(f"{name}: {meta['refused']}")
        return arrays["scores"].astype(np.float64)

    def warnings(self, names: Sequence[str], seeds: Sequence[int]) -> dict[str, dict[str, int]]:
        """By method and warning, of how many of some trainings a method is to be doubted."""
        found = {
            name: dict(collections.Counter(warning for seed in seeds for warning in self.meta(name, seed)["warnings"]))
            for name in names
        }
        return {name: counts for name, counts in found.items() if counts}

    def place(self, name: str, seed: int) -> pathlib.Path:
        """The folder of a method's scores of a training."""
        return self.folder / name.replace(", ", "-").replace(" ", "-").replace("'", "") / f"seed{seed}"


def told(ask: Ask, one: OneTraining, chosen: Ids | None = None) -> tuple[np.ndarray | None, dict[str, Any]]:
    """A method's scores of a training, None if it refuses; and how far to believe them.

    Returns:
        See Scored for the scores. refused: why, or None; warnings: of all of them; negative_curvature, unsolved: how
        many of its systems are to be doubted.
    """
    refused, found = None, Found([])
    try:
        found = ask(one)
    except InputError as error:
        refused = str(error)
    systems = [system for of_query in found.influences for system in of_query.systems]
    meta = {
        "refused": refused,
        "warnings": list(found.warnings),
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
    """What ensembles of so many trainings say, each of other seeds, at most _GROUPS of them."""
    if name in COMBINED:
        parts = [ensembles(scores, part, seeds, size) for part in COMBINED[name]]
        return [sum((standardized(part) for part in group), np.zeros(1)) for group in zip(*parts, strict=True)]
    average = np.median if name in BY_MEDIAN else np.mean
    groups = [seeds[first : first + size] for first in range(0, len(seeds) - size + 1, size)][:_GROUPS]
    return [np.asarray(average([scores(name, seed) for seed in group], axis=0)) for group in groups]


def standardized(scores: np.ndarray) -> np.ndarray:
    """Each query's scores less their mean, in standard deviations."""
    centred: np.ndarray = scores - scores.mean(axis=1, keepdims=True)
    return centred / centred.std(axis=1, keepdims=True)
