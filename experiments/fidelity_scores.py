"""The influences that fidelity compares: of every method, of many trainings, kept on disk."""

import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from experiments.fidelity_methods import BY_MEDIAN, METHODS, OneTraining
from experiments.loo_atlas import VARIED
from gr_tf import files
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.report.progress import progress
from gr_tf.training.config import TrainConfig

# Ensembles of a size are made anew from other seeds, at most so often.
_GROUPS = 10
# Methods that are summed, each query's scores in standard deviations.
COMBINED = {"influence + cosine + replay": ("influence (all)", "gradient cosine", "replay from epoch 2")}

Scores = Callable[[str, int], np.ndarray]


class Scored:
    """The methods' influences by training, on disk as soon as they are known.

    Attributes:
        refused: why a method cannot be computed, by method; of all seeds that `compute` was asked for.
    """

    def __init__(self, folder: pathlib.Path, triples: TripleSet, config: TrainConfig, queries: Sequence[Query]) -> None:
        self._folder, self._triples, self._config, self._queries = folder, triples, config, queries
        self.refused: dict[str, str] = {}

    def compute(self, seeds: Sequence[int]) -> None:
        """All methods for the trainings of some seeds."""
        todo = [(seed, name) for seed in seeds for name in METHODS if not self._place(name, seed).exists()]
        total = len(seeds) * len(METHODS)
        with progress(f"influences, {self._folder.name}", total, total - len(todo)) as bar:
            for seed in dict.fromkeys(seed for seed, _ in todo):
                one = OneTraining(self._triples, VARIED["both"](self._config, seed), self._queries)
                for name in (name for of, name in todo if of == seed):
                    self._add(name, seed, one)
                    bar.advance()
        for seed in reversed(seeds):
            for name in METHODS:
                refused = files.read_json(self._place(name, seed) / files.MANIFEST)["meta"]["refused"]
                if refused:
                    self.refused[name] = f"{refused} (seed {seed})"

    def _add(self, name: str, seed: int, one: OneTraining) -> None:
        try:
            arrays, refused = {"scores": METHODS[name](one).astype(np.float32)}, None
        except InputError as error:
            arrays, refused = {}, str(error)
        files.write_arrays(self._place(name, seed), arrays, {"refused": refused})

    def __call__(self, name: str, seed: int) -> np.ndarray:
        """[num_queries, num_examples].

        Raises:
            InputError: if the method was refused.
        """
        arrays, meta = files.read_arrays(self._place(name, seed))
        if meta["refused"]:
            raise InputError(f"{name}: {meta['refused']}")
        return arrays["scores"].astype(np.float64)

    def _place(self, name: str, seed: int) -> pathlib.Path:
        return self._folder / name.replace(", ", "-").replace(" ", "-").replace("'", "") / f"seed{seed}"


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
