"""The atlas: what every training example really does to every query's prediction, as a mean over seeds."""

import dataclasses
import functools
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.data.dataset import Dataset, numbers_of, query_of_numbers
from gr_tf.errors import InputError, argument
from gr_tf.evaluation import agreement
from gr_tf.evaluation.leave_one_out import effects_by_seed, read_effects
from gr_tf.runs import files
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.kinds import KINDS
from gr_tf.tasks.task import Task

# Fills up the rows of queries that have fewer ids than others.
_NO_ID = -1
# The trainings of these seeds together predict the answers that are asked about; no atlas uses them. Of atlases whose
# first seed is half of theirs or more, other seeds do.
CONSENSUS_SEEDS, _LATE_CONSENSUS_SEEDS = range(1_000_000, 1_000_020), range(20)
# An atlas that methods are compared with is split into halves of at least two seeds.
_LEAST_SEEDS = 4
_ATLAS, _TRAININGS = "atlas.npz", "trainings"
# The name of an atlas whose seeds decide everything that is random.
ALL_SEEDS = "both"


@dataclasses.dataclass(frozen=True, eq=False)
class Atlas:
    """The expected effects of leaving one example out, and how certain they are.

    A positive effect means that the prediction is higher with the example.

    Attributes:
        queries: [num_queries, n] ids in the order of a query's fields, such as head, relation, tail; rows of fewer
            ids begin with -1.
        halves: [2, num_queries, num_examples], means of the effects over the first, third, ... seed, and over the
            second, fourth, ... seed.
        standard_errors: [num_queries, num_examples], the standard errors of the mean over all seeds.
        seeds: the seeds of the trainings.
        kind: the kind of the data.
    """

    queries: np.ndarray
    halves: np.ndarray
    standard_errors: np.ndarray
    seeds: np.ndarray
    kind: str = "triples"

    def __repr__(self) -> str:
        count, examples = self.standard_errors.shape
        return f"Atlas({count:,} queries of {self.kind}, {examples:,} examples, {len(self.seeds)} seeds)"

    @classmethod
    def of(cls, queries: Sequence[Any], effects: np.ndarray, seeds: Sequence[int], kind: str = "triples") -> "Atlas":
        """Makes an atlas from the effects [num_seeds, num_queries, num_examples] of each seed's leave-one-out.

        Raises:
            InputError: if there are fewer than two seeds.
        """
        if len(effects) < 2:
            raise InputError(f"an atlas needs at least two seeds; got {len(effects)}.")
        halves = np.stack([effects[0::2].mean(axis=0), effects[1::2].mean(axis=0)])
        errors = effects.std(axis=0, ddof=1) / np.sqrt(len(effects))
        halves, errors = halves.astype(np.float32), errors.astype(np.float32)
        return cls(packed(queries), halves, errors, np.array(seeds, np.int64), kind)

    @property
    def expected(self) -> np.ndarray:
        """[num_queries, num_examples]: the mean effect over all seeds."""
        weights = [len(self.seeds[0::2]), len(self.seeds[1::2])]
        return np.average(self.halves.astype(np.float64), axis=0, weights=weights)

    def asked(self) -> list[Any]:
        """The queries."""
        return unpacked(self.queries, KINDS[self.kind].query_class)

    def shared(self, dataset: Dataset) -> np.ndarray:
        """[num_queries, num_examples]: see Dataset.shared_elements."""
        return np.stack([dataset.shared_elements(query) for query in self.asked()])

    def save(self, path: pathlib.Path) -> None:
        """Writes one .npz file."""
        with files.new_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **dataclasses.asdict(self))

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "Atlas":
        """Reads what `save` wrote.

        Raises:
            InputError: if the file is absent or is not an atlas.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                # Atlases of earlier versions do not name their kind; it is triples.
                kind = str(arrays["kind"]) if "kind" in arrays else cls.kind
                return cls(**{name: arrays[name] for name in arrays if name != "kind"}, kind=kind)
        except FileNotFoundError:
            raise InputError(f"{path}: no such file.") from None
        except (TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: not an atlas: {error}.") from None


def packed(queries: Sequence[Any]) -> np.ndarray:
    """Queries as numbers [num_queries, n]: rows of fewer begin with -1."""
    rows = [numbers_of(query) for query in queries]
    width = max(map(len, rows))
    return np.array([[_NO_ID] * (width - len(row)) + row for row in rows], np.int32)


def unpacked(numbers: np.ndarray, query_class: type) -> list[Any]:
    """The queries that `packed` was given."""
    return [query_of_numbers(query_class, row[row != _NO_ID].tolist()) for row in numbers]


def make_atlas(
    task: Task[Any],
    run_dir: pathlib.Path,
    num_seeds: int,
    *,
    varied: str = ALL_SEEDS,
    seed_names: Sequence[str] | None = None,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Retrains what is missing, writes {varied}{num_seeds}/atlas.npz and result.json, and returns what that holds.

    Args:
        task: the trainings' task; its seed is the first.
        run_dir: the folder of the task's atlases; atlases of more and of fewer seeds share their trainings.
        num_seeds: at least 2, counted up from the task's seed.
        varied: a name for what the seeds decide.
        seed_names: the settings that the seeds decide; None: all seeds of the task.
        jobs: retrainings at a time.
        overwrite: drop what was written.

    Raises:
        InputError: if num_seeds is too small.
    """
    if num_seeds < 2:
        raise InputError(f"{argument('num_seeds')} must be at least 2 to tell effects from chance; got {num_seeds}.")
    dataset, seeds = task.dataset, range(task.config.seed, task.config.seed + num_seeds)
    others = consensus_seeds(seeds.start)
    if seeds[-1] >= others.start >= seeds.start:
        raise InputError(
            f"seeds {others.start} to {others[-1]} are for the questions: want fewer than {num_seeds} seeds."
        )
    # The last seed is refused before the first training, not after all others.
    task.seeded(seeds[-1], seed_names)
    settings = {
        "dataset": dataset.name,
        "checksum": dataset.checksum,
        "config": task.config.to_dict(),
        "consensus_seeds": [others.start, others.stop],
    }
    with RunDir.begin(run_dir / _TRAININGS, settings, overwrite=overwrite, reuse=True) as trainings:
        queries = _asked_queries(trainings.place("queries"), task)
        effects = effects_by_seed(
            trainings.place(varied), lambda seed: task.seeded(seed, seed_names), seeds, queries, jobs
        )
    asked = {**settings, "varied": varied, "num_seeds": num_seeds}
    with RunDir.begin(run_dir / f"{varied}{num_seeds}", asked, overwrite=overwrite, reuse=True) as stage:
        if not stage.is_finished:
            atlas = Atlas.of(queries, effects, seeds, task.kind)
            atlas.save(stage.place(_ATLAS))
            rows = reliability_rows(effects, atlas.shared(dataset))
            stage.finish({"rows": rows, "num_queries": len(queries), "num_examples": task.num_examples})
        return dict(stage.result())


def consensus_seeds(first: int) -> range:
    """The seeds of the trainings that predict what is asked about, for an atlas with this first seed."""
    return CONSENSUS_SEEDS if first < CONSENSUS_SEEDS.start // 2 else _LATE_CONSENSUS_SEEDS


def _asked_queries(folder: pathlib.Path, task: Task[Any]) -> list[Any]:
    """The queries of an atlas of this task: the consensus of trainings that are not in it."""
    if not folder.exists():
        parameters = []
        seeds = consensus_seeds(task.config.seed)
        with progress("trainings for the queries", len(seeds)) as bar:
            for seed in seeds:
                parameters.append(task.seeded(seed).train().parameters)
                bar.advance()
        files.write_arrays(folder, {"queries": packed(task.consensus(parameters))})
    return unpacked(files.read_arrays(folder)[0]["queries"], task.query_class)


def reliability_rows(effects: np.ndarray, shared: np.ndarray) -> list[dict[str, Any]]:
    """Says how large and how certain the effects are, in a row per stratum; see agreement.reliability.

    A stratum in which no query has three examples has no row.

    Args:
        effects: [num_seeds, num_queries, num_examples].
        shared: [num_queries, num_examples], see Dataset.shared_elements.
    """
    rows = []
    for stratum, masks in agreement.strata(shared).items():
        row: dict[str, Any] = {"stratum": stratum, "num_examples": int(masks.sum())}
        row["mean_effect"] = float(np.abs(effects[:, masks]).mean())
        row["mean_expected_effect"] = float(np.abs(effects.mean(axis=0)[masks]).mean())
        rows.append(row | agreement.reliabilities(effects, masks))
    return rows


@dataclasses.dataclass(frozen=True)
class Truth:
    """An atlas with the effects of every seed.

    Attributes:
        queries: what was asked.
        effects: [num_seeds, num_queries, num_examples].
        shared: [num_queries, num_examples].
        seeds: the seeds of the trainings.
        fingerprint: SHA-256 of the atlas's file.
    """

    queries: Sequence[Any]
    effects: np.ndarray
    shared: np.ndarray
    seeds: Sequence[int]
    fingerprint: str

    @functools.cached_property
    def expected(self) -> np.ndarray:
        """The mean over seeds."""
        return np.asarray(self.effects.mean(axis=0))


def read_truth(folder: pathlib.Path, task: Task[Any]) -> Truth:
    """The largest atlas of a task that `make_atlas` left in a folder.

    Raises:
        InputError: if there is none, or it has another dataset or configuration or too few seeds, or its trainings
            are no longer there.
    """
    made = sorted(
        [
            path
            for path in folder.glob(f"{ALL_SEEDS}*/result.json")
            if path.parent.name.removeprefix(ALL_SEEDS).isdecimal()
        ],
        key=lambda path: int(path.parent.name.removeprefix(ALL_SEEDS)),
    )
    if not made:
        raise InputError(
            f"{folder}: has no finished atlas: run loo_atlas first, or name its folder with {argument('atlas_dir')}."
        )
    stage = RunDir.finished(made[-1].parent, "loo_atlas")
    stage.result()  # refuses what was edited
    if stage.settings["checksum"] != task.dataset.checksum or stage.settings["config"] != task.config.to_dict():
        raise InputError(
            f"{stage.path}: is of another dataset or configuration: name yours with {argument('atlas_dir')}."
        )
    atlas = Atlas.load(stage.path / _ATLAS)
    seeds = atlas.seeds.tolist()
    if len(seeds) < _LEAST_SEEDS:
        raise InputError(f"{stage.path}: want an atlas of at least {_LEAST_SEEDS} seeds; got {len(seeds)}.")
    effects = read_effects(folder / _TRAININGS / ALL_SEEDS, seeds)
    if not np.allclose(effects.mean(axis=0), atlas.expected, rtol=1e-4, atol=1e-6):
        raise InputError(f"{stage.path}: its trainings were replaced: remove it, and run loo_atlas again.")
    shared = atlas.shared(task.dataset)
    return Truth(atlas.asked(), effects, shared, seeds, files.sha256(stage.path / _ATLAS))
