"""The ground truth: what every training triple really does to every prediction, by exhaustive retraining.

python -m experiments.loo_atlas --num_seeds=20
python -m experiments.loo_atlas --num_seeds=10 --varied=initial

Trains without each training triple in turn, for every seed: Nations 1,592 times a seed, a minute on two cores. Both
models, unless --model names one. Finished seeds are found again.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, jobs_flag, model_flags, run_flags, seed_flags, train_flags
from gr_tf import files
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import Atlas, consensus_queries
from gr_tf.evaluation.leave_one_out import leave_one_out
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.training.config import MODELS, TrainConfig
from gr_tf.training.trainer import Trainer

for module in (jobs_flag, model_flags, run_flags, seed_flags, train_flags):
    flags.adopt_module_key_flags(module)

# What a seed of the atlas decides.
VARIED: dict[str, Callable[[TrainConfig, int], TrainConfig]] = {
    "both": lambda config, seed: dataclasses.replace(config, seed=seed, negatives_seed=seed),
    "initial": lambda config, seed: dataclasses.replace(config, seed=seed),
    "negatives": lambda config, seed: dataclasses.replace(config, negatives_seed=seed),
}
# The seeds of the trainings whose consensus is asked about, far from any atlas's own.
CONSENSUS_SEEDS = range(1_000_000, 1_000_020)
ATLAS = "atlas.npz"
DEFAULTS = {"num_seeds": 20}

_VARIED = flags.DEFINE_enum(
    "varied", "both", list(VARIED), "What the seeds decide: the initial values, the negatives, or both."
)


def asked_queries(triples: TripleSet, config: TrainConfig) -> list[Query]:
    """What an atlas of this configuration is about: the consensus of trainings that are not in it."""
    tables = []
    with progress("trainings for the queries", len(CONSENSUS_SEEDS)) as bar:
        for seed in CONSENSUS_SEEDS:
            trainer = Trainer(triples, VARIED["both"](config, seed))
            tables.append(trainer.run().table)
            bar.advance()
    return consensus_queries(trainer.model, tables, triples)


def run(
    triples: TripleSet,
    config: TrainConfig,
    run_dir: pathlib.Path,
    num_seeds: int,
    *,
    varied: str = "both",
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Retrains what is missing and writes {varied}{num_seeds}/result.json and atlas.npz.

    Args:
        triples: the dataset.
        config: of the trainings; its seeds are the first.
        run_dir: the folder of the model's atlases; those of more and of fewer seeds share their trainings.
        num_seeds: at least 2, counted up from config.seed.
        varied: a key of VARIED.
        jobs: retrainings at a time.
        overwrite: drop what was written.

    Returns:
        What result.json holds.

    Raises:
        InputError: if num_seeds is too small.
    """
    if num_seeds < 2:
        raise InputError(f"num_seeds must be at least 2 to tell effects from chance; got {num_seeds}.")
    seeds = range(config.seed, config.seed + num_seeds)
    settings = {
        "dataset": triples.name,
        "checksum": triples.checksum,
        "config": config.to_dict(),
        "consensus_seeds": [CONSENSUS_SEEDS.start, CONSENSUS_SEEDS.stop],
    }
    with RunDir.begin(run_dir / "trainings", settings, overwrite=overwrite, reuse=True) as trainings:
        queries = _queries(trainings.path / "queries", triples, config)
        effects = _effects(trainings.path / varied, triples, config, queries, seeds, varied, jobs)
    asked = {**settings, "varied": varied, "num_seeds": num_seeds}
    with RunDir.begin(run_dir / f"{varied}{num_seeds}", asked, overwrite=overwrite, reuse=True) as stage:
        if not stage.is_finished:
            atlas = Atlas.of(queries, effects, seeds)
            atlas.save(stage.path / ATLAS)
            rows = reliability_rows(effects, atlas.shared(triples))
            stage.finish({"rows": rows, "num_queries": len(queries), "num_examples": triples.num_examples})
        return dict(stage.result())


def _queries(folder: pathlib.Path, triples: TripleSet, config: TrainConfig) -> list[Query]:
    if not folder.exists():
        queries = asked_queries(triples, config)
        files.write_arrays(folder, {"queries": np.array([dataclasses.astuple(query) for query in queries], np.int32)})
    arrays, _ = files.read_arrays(folder)
    return [Query(*map(int, row)) for row in arrays["queries"]]


def _effects(
    folder: pathlib.Path,
    triples: TripleSet,
    config: TrainConfig,
    queries: Sequence[Query],
    seeds: Sequence[int],
    varied: str,
    jobs: int,
) -> np.ndarray:
    """[num_seeds, num_queries, num_examples]; a seed's are on disk as soon as they are known."""
    places = {seed: folder / f"seed{seed}" for seed in seeds}
    each = triples.num_examples + 1
    done = sum(place.exists() for place in places.values())
    with progress("retrainings", len(seeds) * each, done * each) as bar:
        for seed, place in places.items():
            if place.exists():
                continue
            trainer = Trainer(triples, VARIED[varied](config, seed))
            found = leave_one_out(trainer, queries, jobs, bar.advance)
            files.write_arrays(place, {"whole": found.whole, "without": found.without})
    return effects_of(folder, seeds)


def effects_of(folder: pathlib.Path, seeds: Sequence[int]) -> np.ndarray:
    """The effects [num_seeds, num_queries, num_examples] that `run` left in RUN/MODEL/trainings/VARIED."""
    parts = []
    for seed in seeds:
        arrays, _ = files.read_arrays(folder / f"seed{seed}")
        parts.append(arrays["whole"][:, None] - arrays["without"])
    return np.stack(parts)


def reliability_rows(effects: np.ndarray, shared: np.ndarray) -> list[dict[str, Any]]:
    """How large and how certain the effects are, a row per stratum; see agreement.Reliability.

    A stratum in which no query has three examples has no row.

    Args:
        effects: [num_seeds, num_queries, num_examples].
        shared: [num_queries, num_examples], see data.adjacency.shared_elements.
    """
    rows = []
    for stratum, masks in agreement.strata(shared).items():
        if masks.sum(axis=1).max() < 3:
            continue
        row: dict[str, Any] = {"stratum": stratum, "num_examples": int(masks.sum())}
        row["mean_effect"] = float(np.abs(effects[:, masks]).mean())
        row["mean_expected_effect"] = float(np.abs(effects.mean(axis=0)[masks]).mean())
        for name, coefficient in agreement.COEFFICIENTS.items():
            told = agreement.Reliability.of(effects, masks, coefficient)
            row[name] = {
                "half": told.half[0],
                "half_interval": told.half[1:],
                "one_seed": told.one,
                "reliability": told.whole,
                "ceiling": told.ceiling,
                "queries": told.queries,
            }
        rows.append(row)
    return rows


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """The reliability for reading, from result.json."""
    settings, rows = result["settings"], result["rows"]
    spearman = [row["spearman"] for row in rows]
    return pd.DataFrame(
        {
            "dataset": settings["dataset"],
            "model": settings["config"]["model"],
            "varied": settings["varied"],
            "seeds": settings["num_seeds"],
            "examples": [row["stratum"] for row in rows],
            "mean size of an effect, one seed": [f"{row['mean_effect']:.4f}" for row in rows],
            "of its mean over seeds": [f"{row['mean_expected_effect']:.4f}" for row in rows],
            "Spearman of two seeds": [f"{cell['one_seed']:.2f}" for cell in spearman],
            "reliability of the mean": [f"{cell['reliability']:.2f}" for cell in spearman],
            "ceiling": ["none" if cell["ceiling"] is None else f"{cell['ceiling']:.2f}" for cell in spearman],
        }
    )


def main() -> None:
    triples = train_flags.load_dataset()
    models = [model_flags.MODEL.value] if model_flags.MODEL.value else list(MODELS)
    frames = []
    for model in models:
        config = train_flags.config_of_flags(triples.name, model=model)
        folder = run_flags.run_dir(f"{triples.name}-atlas") / model
        result = run(
            triples,
            config,
            folder,
            seed_flags.NUM_SEEDS.value,
            varied=_VARIED.value,
            jobs=jobs_flag.JOBS.value,
            overwrite=run_flags.OVERWRITE.value,
        )
        frames.append(frame(result))
        print(f"Written to {folder / f'{_VARIED.value}{seed_flags.NUM_SEEDS.value}'}.")
    print(as_text(pd.concat(frames)))


if __name__ == "__main__":
    common.start(main, DEFAULTS)
