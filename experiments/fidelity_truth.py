"""The truth that fidelity measures against: an atlas with the effects of every seed."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import numpy as np

from experiments.loo_atlas import effects_of
from gr_tf import files
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.atlas import Atlas
from gr_tf.report.run_dir import RunDir
from gr_tf.training.config import TrainConfig

# An atlas is split into halves of at least two seeds.
_LEAST_ATLAS_SEEDS = 4


@dataclasses.dataclass(frozen=True)
class Truth:
    """An atlas with the effects of every seed.

    Attributes:
        queries: what was asked.
        effects: [num_seeds, num_queries, num_examples].
        shared: [num_queries, num_examples].
    """

    queries: Sequence[Query]
    effects: np.ndarray
    shared: np.ndarray

    @functools.cached_property
    def expected(self) -> np.ndarray:
        """The mean over seeds."""
        mean: np.ndarray = self.effects.mean(axis=0)
        return mean


def read_truth(folder: pathlib.Path, triples: TripleSet, config: TrainConfig) -> tuple[Truth, list[int], str]:
    """The largest atlas of a model: its truth, its seeds, and the file's SHA-256.

    Raises:
        InputError: if there is none, or it is of another dataset or configuration, or of too few seeds, or its
            trainings are not there any more.
    """
    made = sorted(folder.glob("both*/result.json"), key=lambda path: int(path.parent.name.removeprefix("both")))
    if not made:
        raise InputError(f"{folder}: has no finished atlas: run loo_atlas first, or name its folder with --atlas_dir.")
    stage = RunDir.finished(made[-1].parent, "loo_atlas")
    if stage.settings["checksum"] != triples.checksum or stage.settings["config"] != config.to_dict():
        raise InputError(f"{stage.path}: is of another dataset or configuration: name yours with --atlas_dir.")
    atlas = Atlas.load(stage.path / "atlas.npz")
    seeds = atlas.seeds.tolist()
    if len(seeds) < _LEAST_ATLAS_SEEDS:
        raise InputError(f"{stage.path}: want an atlas of at least {_LEAST_ATLAS_SEEDS} seeds; got {len(seeds)}.")
    effects = effects_of(folder / "trainings" / "both", seeds)
    if not np.allclose(effects.mean(axis=0), atlas.expected, rtol=1e-4, atol=1e-6):
        raise InputError(f"{stage.path}: its trainings were replaced: remove it, and run loo_atlas again.")
    return Truth(atlas.asked(), effects, atlas.shared(triples)), seeds, files.sha256(stage.path / "atlas.npz")
