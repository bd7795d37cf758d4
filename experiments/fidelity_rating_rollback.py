"""How faithful is Gradient Rollback for ratings? It and the other methods, on trainings at batch size 1.

python -m experiments.fidelity_rating_rollback --dataset=movielens-100k

The truth, as loo_atlas: the model trained again from its initial values without each of some ratings in turn, for
every seed (of the initial values and of the order). The methods explain trainings of other seeds; and, beside it,
those of the truth. Finished seeds are found again; of MovieLens-100k a seed takes five minutes on two cores, which is
what a kill may lose.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, jobs_flag, model_flags, rating_flags, rating_points, run_flags, seed_flags
from experiments.rating_methods import RatingExplainer, explainers
from experiments.rating_points import Points
from gr_tf import files
from gr_tf.attribution.rating_rollback import RatingRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.errors import InputError
from gr_tf.evaluation import agreement
from gr_tf.evaluation.correlation import slope
from gr_tf.evaluation.leave_one_out import leave_one_rating_out
from gr_tf.evaluation.rating_accuracy import rating_accuracy
from gr_tf.models.rating_model import RatingParameters
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text, corrected_correlation, correlation_interval, mean_and_sd
from gr_tf.training.rating_config import RatingTrainConfig
from gr_tf.training.single_rating_trainer import SingleRatingTrainer

for module in (jobs_flag, model_flags, rating_flags, rating_points, run_flags, seed_flags):
    flags.adopt_module_key_flags(module)

NAME = "fidelity"
# For MF: learning rate, weight decay and epochs were chosen by the validation RMSE (BUILD_NOTES 91).
DEFAULTS = {
    "batch_size": 1,
    "epochs": 10,
    "learning_rate": 0.0003,
    "num_seeds": 8,
    "points": 16,
    "weight_decay": 1e-4,
}
# The seeds of the explained trainings, as many as the truth's.
FIRST_SEED = 10_000
METHODS = ("NH", "GR", "FIA, published decay", "FIA, decay as trained", "IA", "TracIn", "TracInCP")


def methods(ratings: RatingSet, config: RatingTrainConfig) -> tuple[RatingParameters, dict[str, RatingExplainer]]:
    """Trains with a rollback store and a checkpoint after every epoch: the parameters, and explainers by METHODS."""
    trainer = SingleRatingTrainer(ratings, config)
    store = RollbackStore(ratings.num_examples, trainer.model.width, config.dtype, rows=2)
    epochs: list[RatingParameters] = []
    parameters = trainer.run(store=store, on_epoch=lambda epoch: epochs.append(epoch.parameters))
    exact = config.make_model(ratings, "float64")
    rollback = RatingRollback(exact, parameters, store.to_numpy(), ratings)
    return parameters, {**explainers(ratings, config, parameters, epochs), "GR": rollback}


def run(
    ratings: RatingSet,
    split: RatingSplit,
    config: RatingTrainConfig,
    run_dir: pathlib.Path,
    points: Points,
    num_seeds: int,
    *,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Trains what is missing, and writes fidelity{num_seeds}/result.json.

    Args:
        ratings, split: the dataset.
        config: of the trainings, with batch size 1; its seed is the truth's first.
        run_dir: the folder.
        points: which predictions and ratings.
        num_seeds: of the truth, and trainings that are explained; at least 4.
        jobs: retrainings at a time.
        overwrite: drop what was written.

    Returns:
        What result.json holds.

    Raises:
        InputError: if there are too few seeds or they overlap; see Points.choose and SingleRatingTrainer.
    """
    if num_seeds < 4:
        raise InputError(f"num_seeds must be at least 4, for two halves of the truth; got {num_seeds}.")
    seeds = range(config.seed, config.seed + num_seeds)
    explained = range(FIRST_SEED, FIRST_SEED + num_seeds)
    if set(seeds) & set(explained):
        raise InputError(f"seeds {FIRST_SEED} and up are those of the explained trainings: take another --seed.")
    pairs, chosen = points.choose(ratings)
    SingleRatingTrainer(ratings, config)  # refuses what it cannot train, before a folder is there
    settings = {
        "dataset": ratings.name,
        "checksum": ratings.checksum,
        "split": dataclasses.asdict(split),
        "config": config.to_dict(),
        "points": dataclasses.asdict(points),
        "methods": list(METHODS),
    }
    with RunDir.begin(run_dir / "trainings", settings, overwrite=overwrite, reuse=True) as stage:
        effects = _effects(stage.path / "truth", ratings, config, pairs, chosen, seeds, jobs)
        scores, told = _scores(stage.path / "explained", ratings, config, pairs, chosen, explained)
        own, _ = _scores(stage.path / "own", ratings, config, pairs, chosen, seeds)
        parts = [("truth", seeds), ("explained", explained), ("own", seeds)]
        places = [stage.path / part / f"seed{seed}" for part, several in parts for seed in several]
        asked = {**settings, "num_seeds": num_seeds, "trainings_fingerprint": files.fingerprint(*places)}
    with RunDir.begin(run_dir / f"{NAME}{num_seeds}", asked, overwrite=overwrite, replace=True, reuse=True) as stage:
        if not stage.is_finished:
            stage.finish(
                {
                    "reliability": reliabilities(effects),
                    "mean_effect": float(np.abs(effects).mean()),
                    "mean_expected_effect": float(np.abs(effects.mean(axis=0)).mean()),
                    "accuracy": {name: [of[name] for of in told["accuracy"]] for name in told["accuracy"][0]},
                    "rows": [
                        {
                            "method": name,
                            **correlations(scores[:, place], own[:, place], effects),
                            **told["doubts"][name],
                        }
                        for place, name in enumerate(METHODS)
                    ],
                }
            )
        return dict(stage.result())


def _effects(
    folder: pathlib.Path,
    ratings: RatingSet,
    config: RatingTrainConfig,
    pairs: np.ndarray,
    chosen: np.ndarray,
    seeds: Sequence[int],
    jobs: int,
) -> np.ndarray:
    """[num_seeds, num_points, num_ratings]: the prediction with a rating, less without it."""
    removed = np.unique(chosen)
    columns = np.searchsorted(removed, chosen)
    each = len(removed) + 1
    places = {seed: folder / f"seed{seed}" for seed in seeds}
    done = sum(place.exists() for place in places.values())
    effects = []
    with progress("retrainings", len(seeds) * each, done * each) as bar:
        for seed, place in places.items():
            if not place.exists():
                trainer = SingleRatingTrainer(ratings, dataclasses.replace(config, seed=seed))
                found = leave_one_rating_out(trainer, pairs, removed, jobs, bar.advance)
                files.write_arrays(place, {"effects": found.effects})
            arrays, _ = files.read_arrays(place)
            effects.append(np.take_along_axis(arrays["effects"], columns, axis=1))
    return np.stack(effects)


def _scores(
    folder: pathlib.Path,
    ratings: RatingSet,
    config: RatingTrainConfig,
    pairs: np.ndarray,
    chosen: np.ndarray,
    seeds: Sequence[int],
) -> tuple[np.ndarray, dict[str, Any]]:
    """The influences [num_seeds, methods, num_points, num_ratings]; by seed the RMSE, by method all doubts."""
    places = {seed: folder / f"seed{seed}" for seed in seeds}
    scores, metas = [], []
    with progress(f"influences, {folder.name}", len(seeds), sum(place.exists() for place in places.values())) as bar:
        for seed, place in places.items():
            if not place.exists():
                parameters, made = methods(ratings, dataclasses.replace(config, seed=seed))
                found = {name: rating_points.influences(made[name], pairs, chosen) for name in METHODS}
                accuracy = {
                    name: rating_accuracy(config.make_model(ratings), parameters, part)["rmse"]
                    for name, part in (("train", ratings.train), ("valid", ratings.valid), ("test", ratings.test))
                }
                meta = {"accuracy": accuracy, "doubts": {name: doubts for name, (_, doubts) in found.items()}}
                files.write_arrays(place, {"scores": np.stack([of for of, _ in found.values()])}, meta)
                bar.advance()
            arrays, meta = files.read_arrays(place)
            scores.append(arrays["scores"])
            metas.append(meta)
    doubts = {
        name: {kind: sum(meta["doubts"][name][kind] for meta in metas) for kind in metas[0]["doubts"][name]}
        for name in METHODS
    }
    return np.stack(scores), {"accuracy": [meta["accuracy"] for meta in metas], "doubts": doubts}


def reliabilities(effects: np.ndarray) -> dict[str, dict[str, float | None]]:
    """How certain the effects [num_seeds, num_points, num_ratings] are, by coefficient."""
    told = {}
    for name, coefficient in agreement.COEFFICIENTS.items():
        found = agreement.Reliability.of(effects, np.ones(effects.shape[1:], bool), coefficient)
        told[name] = {"one_seed": found.one, "reliability": found.whole, "ceiling": found.ceiling}
    return told


def correlations(scores: np.ndarray, own: np.ndarray, effects: np.ndarray) -> dict[str, Any]:
    """A method's mean correlations over points, with their intervals.

    Args:
        scores: [num_seeds, num_points, num_ratings], of the explained trainings.
        own: the same of the truth's own trainings.
        effects: the same, the truth.

    Returns:
        By coefficient: of one training's scores and of all trainings' mean with the expected effects; of a
        training's scores with that very training's effects. And the slope of the expected effects on all trainings'
        mean, all points together: what an influence of one star does.
    """
    masks, expected = np.ones(effects.shape[1:], bool), effects.mean(axis=0)
    told: dict[str, Any] = {}
    for name, coefficient in agreement.COEFFICIENTS.items():
        of_own = [agreement.per_query(*both, masks, coefficient) for both in zip(own, effects, strict=True)]
        per_query = {
            "one": agreement.per_query(scores, expected, masks, coefficient).mean(axis=0),
            "all": agreement.per_query(scores.mean(axis=0), expected, masks, coefficient),
            "own": np.mean(of_own, axis=0),
        }
        told[name] = {kind: agreement.mean_over_queries(values) for kind, values in per_query.items()}
    line = slope(scores.mean(axis=0).ravel(), expected.ravel())
    return {**told, "slope": [line.r, line.low, line.high]}


def truth_line(result: Mapping[str, Any]) -> str:
    """What the truth is, and how certain, in a sentence."""
    settings, told, rmse = result["settings"], result["reliability"], result["accuracy"]
    points = settings["points"]

    def limit(name: str) -> str:
        ceiling = told[name]["ceiling"]
        return "no ceiling" if ceiling is None else f"ceiling {ceiling:.2f}"

    return (
        f"{settings['config']['model']}, {settings['dataset']}: {points['num_ratings']} ratings of each of "
        f"{points['num_points']} points, {settings['num_seeds']} seeds. Two seeds agree at Spearman "
        f"{told['spearman']['one_seed']:.2f}, Pearson {told['pearson']['one_seed']:.2f}; reliability of their mean "
        f"{told['spearman']['reliability']:.2f} ({limit('spearman')}) and {told['pearson']['reliability']:.2f} "
        f"({limit('pearson')}). Test RMSE of the explained trainings {mean_and_sd(rmse['test'], 3)}."
    )


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """For reading, from result.json."""
    rows, ceilings = result["rows"], result["reliability"]
    count = result["settings"]["num_seeds"]
    return pd.DataFrame(
        {
            "method": [row["method"] for row in rows],
            "Spearman, 1 training": [correlation_interval(row["spearman"]["one"]) for row in rows],
            f"{count} trainings": [correlation_interval(row["spearman"]["all"]) for row in rows],
            "corrected Spearman": [
                corrected_correlation(row["spearman"]["all"], ceilings["spearman"]["ceiling"]) for row in rows
            ],
            f"Pearson, {count} trainings": [correlation_interval(row["pearson"]["all"]) for row in rows],
            "corrected Pearson": [
                corrected_correlation(row["pearson"]["all"], ceilings["pearson"]["ceiling"]) for row in rows
            ],
            "an influence of 1 does": [correlation_interval(row["slope"]) for row in rows],
            "Spearman with its own training": [correlation_interval(row["spearman"]["own"]) for row in rows],
            "negative curvature": [row["negative_curvature"] for row in rows],
            "unsolved": [row["unsolved"] for row in rows],
        }
    )


def main() -> None:
    rating_flags.refuse_fia_settings()
    for name in ("training_steps", "retraining_steps", "checkpoint_seconds"):
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} is not for this: trainings are of --epochs, and not kept in pieces.")
    ratings = rating_flags.load_dataset()
    epochs = model_flags.EPOCHS.value
    assert epochs is not None  # it has a default
    config = rating_flags.config_of_flags(steps=epochs * ratings.num_examples)
    folder = run_flags.run_dir(f"{ratings.name}-{config.model}-rollback")
    num_seeds = seed_flags.NUM_SEEDS.value
    result = run(
        ratings,
        rating_flags.split_of_flags(),
        config,
        folder,
        Points(**rating_points.of_flags()),
        num_seeds,
        jobs=jobs_flag.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
    )
    print(truth_line(result))
    print(as_text(frame(result)))
    print(f"Written to {folder / f'{NAME}{num_seeds}'}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
