"""RQ1 of Cheng et al. (2019): are the computed influences those that retraining shows?

python -m experiments.fia_rq1 --dataset=movielens-100k --model=mf

For each test point, the rating with the largest |influence| is removed and the model trained on without
it and with it, on the same batches.
"""

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, jobs_flag, model_flags, rating_flags, run_flags
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.hessian import check_damping
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit
from gr_tf.errors import InputError
from gr_tf.evaluation.correlation import pearson, slope, spearman
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.rating_retraining import (
    Retrained,
    looked_at,
    observed_influences,
    removals_of,
    retrain_ratings,
)
from gr_tf.report import figures, published
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.stages import train_ratings
from gr_tf.stages.train_ratings import TrainedRatings
from gr_tf.training.rating_config import RETRAINING_STEPS, RatingTrainConfig

for module in (jobs_flag, model_flags, rating_flags, run_flags):
    flags.adopt_module_key_flags(module)

NAME = "rq1"
SELECTIONS = {
    "random": "random test ratings",
    "fewest": "those with the fewest related ratings, as the authors' NCF run on MovieLens",
}
_LOOKS = 8

_NUM_POINTS = flags.DEFINE_integer("num_points", 100, "Test points.", lower_bound=2)
_POINT_SEED = flags.DEFINE_integer("point_seed", 0, "Seed of the random test points.", lower_bound=0)
_SELECTION = flags.DEFINE_enum(
    "selection", "random", list(SELECTIONS), "; ".join(f"{name}: {what}" for name, what in SELECTIONS.items()) + "."
)
_NUM_RETRAININGS = flags.DEFINE_integer("num_retrainings", 4, "With other batches each.", lower_bound=1)
_RETRAINING_STEPS = flags.DEFINE_integer(
    "retraining_steps", None, "Steps of a retraining. Default: the paper's, 24000 (mf) and 18000 (ncf).", lower_bound=1
)
_NETWORK = flags.DEFINE_bool("network", False, "Add the network's part of FIA-NCF (Equations 21-23).")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What is measured of a trained model.

    Attributes:
        num_points, point_seed, selection: which test points; selection is a key of SELECTIONS.
        num_retrainings, retraining_steps: of each pair.
        damping, solver, penalty_in_gradient, network: see Fia.
    """

    num_points: int = 100
    point_seed: int = 0
    selection: str = "random"
    num_retrainings: int = 4
    retraining_steps: int = 24_000
    damping: float = 1e-6
    solver: str = "direct"
    penalty_in_gradient: bool = True
    network: bool = False

    @property
    def folder(self) -> str:
        """Where it is kept, in the run directory."""
        return f"{NAME}-{self.selection}{'-network' if self.network else ''}"


def run(
    ratings: RatingSet,
    split: RatingSplit,
    config: RatingTrainConfig,
    run_dir: pathlib.Path,
    asked: Asked,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> dict[str, Any]:
    """Does what is missing of training and retraining, writes result.json and scatter.png into asked.folder.

    Args:
        ratings, split, config, run_dir, checkpoint_seconds: see stages.train_ratings.run.
        asked: the rest.
        jobs: retrainings at a time.
        overwrite: drop what is there.

    Returns:
        What result.json holds.
    """
    # What is asked is checked before the training, not after it.
    check_damping(asked.damping)
    pairs = ratings.test.pairs[_test_points(ratings, asked)]
    trained_stage = train_ratings.run(
        ratings, split, config, run_dir, overwrite=overwrite, reuse=True, checkpoint_seconds=checkpoint_seconds
    )
    trained = train_ratings.load(run_dir, ratings)
    settings = {**dataclasses.asdict(asked), "train_fingerprint": trained.fingerprint}
    with RunDir.begin(run_dir / asked.folder, settings, overwrite=overwrite) as stage:
        start = time.monotonic()
        explanations = _explain(trained, pairs, asked)
        explaining = time.monotonic() - start
        largest = [explanation.by_size().first(1) for explanation in explanations]
        removed = [int(explanation.example_ids[0]) for explanation in largest]
        steps = looked_at(asked.retraining_steps, _LOOKS)
        records = _retrain(stage, trained, steps, pairs, removed, asked.num_retrainings, jobs)
        effects = observed_influences(records, len(pairs))
        computed = [float(explanation.influences[0]) for explanation in largest]
        points = [
            _row(ratings, explanation, whole, effect)
            for explanation, whole, effect in zip(largest, explanations, effects[:, :, -1], strict=True)
        ]
        result = {
            "dataset": ratings.name,
            "model": config.model,
            "config": config.to_dict(),
            "accuracy": trained_stage.result()["accuracy"],
            "factor_norms": _factor_norms(trained),
            "correlations": _correlations(computed, effects[:, :, -1].mean(axis=1)),
            "by_steps": [
                {"steps": step, **_correlations(computed, effects[:, :, look].mean(axis=1))}
                for look, step in enumerate(steps)
            ],
            "paper_pearson": published.FIA_RQ1.get((ratings.name, config.model)),
            "negative_curvature": sum(any(told["negative_curvature"] for told in row["systems"]) for row in points),
            "unsolved": sum(any(not told["converged"] for told in row["systems"]) for row in points),
            "points": points,
            "explaining_seconds": explaining,
        }
        told = _told(result["correlations"]["pearson"])
        title = f"{config.model.upper()} on {ratings.name}, {asked.selection}\nPearson {told}"
        panel = figures.Agreement(title, computed, effects[:, :, -1].mean(axis=1).tolist())
        figures.save(figures.influence_scatter([panel]), stage.path / "scatter.png")
        stage.finish(result)
        return dict(stage.result())


def frame(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """RQ1 for reading, from several result.json."""
    return pd.DataFrame(
        {
            "dataset": [result["dataset"] for result in results],
            "model": [result["model"] for result in results],
            "points": [
                f"{len(result['points'])} {result['settings']['selection']}"
                + (", with network" if result["settings"]["network"] else "")
                for result in results
            ],
            "weight decay": [result["config"]["weight_decay"] for result in results],
            "Pearson": [_told(result["correlations"]["pearson"]) for result in results],
            "paper's": [result["paper_pearson"] or "-" for result in results],
            "Spearman": [_told(result["correlations"]["spearman"]) for result in results],
            "slope": [_told(result["correlations"]["slope"]) for result in results],
            "test RMSE": [f"{result['accuracy']['test']['rmse']:.3f}" for result in results],
            "mean factor norm": ["{users:.2g}, {items:.2g}".format(**result["factor_norms"]) for result in results],
            "negative curvature": [result["negative_curvature"] for result in results],
            "unsolved": [result["unsolved"] for result in results],
        }
    )


def _told(correlation: Mapping[str, Any]) -> str:
    if correlation["r"] is None:
        return "-"
    return "{r:.3f} [{low:.3f}, {high:.3f}]".format(**correlation)


def _test_points(ratings: RatingSet, asked: Asked) -> np.ndarray:
    """Rows of the test ratings."""
    if asked.num_points > len(ratings.test):
        raise InputError(f"num_points must be at most the {len(ratings.test)} test ratings; got {asked.num_points}.")
    if asked.selection == "random":
        return np.random.default_rng(asked.point_seed).permutation(len(ratings.test))[: asked.num_points]
    counts = [len(ratings.related(RatingQuery(int(user), int(item)))) for user, item in ratings.test.pairs]
    return np.argsort(counts, kind="stable")[: asked.num_points]


def _factor_norms(trained: TrainedRatings) -> dict[str, float]:
    """The mean norm of the users' and of the items' factors (biases apart): what the weight decay leaves of them."""
    model = trained.trainer.model
    norms = np.linalg.norm(trained.parameters.table * (model.row_penalty > 0), axis=1)
    return {"users": float(norms[: model.num_users].mean()), "items": float(norms[model.num_users :].mean())}


def _explain(trained: TrainedRatings, pairs: np.ndarray, asked: Asked) -> list[RatingExplanation]:
    fia = Fia(
        trained.exact_model(),
        trained.parameters,
        trained.ratings,
        trained.trainer.config.weight_decay,
        damping=asked.damping,
        solver=asked.solver,
        penalty_in_gradient=asked.penalty_in_gradient,
        network=asked.network,
    )
    return fia.rank_many([RatingQuery(int(user), int(item)) for user, item in pairs])


def _retrain(
    stage: RunDir,
    trained: TrainedRatings,
    steps: Sequence[int],
    pairs: np.ndarray,
    removed: Sequence[int],
    num_retrainings: int,
    jobs: int,
) -> list[Retrained]:
    removals = removals_of(removed)
    # Other batches than the training's own.
    first = trained.trainer.config.seed + 1
    seeds = range(first, first + num_retrainings)
    journal = Journal(stage.path / "retrainings.jsonl", [field.name for field in dataclasses.fields(Retrained)])
    with progress("retraining", len(removals) * len(seeds), len(journal.records)) as bar:
        for _ in retrain_ratings(trained.trainer, trained.state, steps, pairs, removals, seeds, journal, jobs):
            bar.advance()
    records = [Retrained(**record) for record in journal.records]
    journal.close()
    return records


def _correlations(computed: Sequence[float], observed: np.ndarray) -> dict[str, Any]:
    values = observed.tolist()
    return {
        "pearson": dataclasses.asdict(pearson(computed, values)),
        "spearman": dataclasses.asdict(spearman(computed, values)),
        "slope": dataclasses.asdict(slope(computed, values)),
    }


def _row(
    ratings: RatingSet, explanation: RatingExplanation, whole: RatingExplanation, effects: np.ndarray
) -> dict[str, Any]:
    """One test point: the removed rating, and both influences."""
    removed = explanation.frame.iloc[0]
    deviation = float(effects.std(ddof=1) / np.sqrt(len(effects))) if len(effects) > 1 else None
    return {
        "user": ratings.users.names[explanation.query.user],
        "title": ratings.title(explanation.query.item),
        "prediction": explanation.prediction,
        "num_related": len(whole.example_ids),
        "removed_user": removed["user"],
        "removed_title": removed["title"],
        "removed_rating": float(removed["rating"]),
        "computed": float(removed["influence"]),
        "observed": float(effects.mean()),
        "standard_error": deviation,
        "systems": [dataclasses.asdict(told) for told in explanation.systems],
    }


def main() -> None:
    ratings = rating_flags.load_dataset()
    config = rating_flags.config_of_flags()
    asked = Asked(
        num_points=_NUM_POINTS.value,
        point_seed=_POINT_SEED.value,
        selection=_SELECTION.value,
        num_retrainings=_NUM_RETRAININGS.value,
        retraining_steps=_RETRAINING_STEPS.value or RETRAINING_STEPS[config.model],
        damping=rating_flags.DAMPING.value,
        solver=rating_flags.SOLVER.value,
        penalty_in_gradient=rating_flags.PENALTY_IN_GRADIENT.value,
        network=_NETWORK.value,
    )
    folder = run_flags.run_dir(f"{ratings.name}-{config.model}")
    result = run(
        ratings,
        rating_flags.split_of_flags(),
        config,
        folder,
        asked,
        jobs=jobs_flag.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
    )
    print(as_text(frame([result])))
    print(as_text(by_steps_frame(result)))
    print(f"Written to {folder / asked.folder}: result.json, scatter.png.")


def by_steps_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """What shorter retrainings would have shown."""
    return pd.DataFrame(
        [
            {
                "retraining steps": look["steps"],
                **{name: _told(look[name]) for name in ("pearson", "spearman", "slope")},
            }
            for look in result["by_steps"]
        ]
    )


if __name__ == "__main__":
    common.start(main)
