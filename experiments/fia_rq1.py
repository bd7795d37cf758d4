"""RQ1 of Cheng et al. (2019): are the computed influences those that retraining shows?

python -m experiments.fia_rq1 --dataset=movielens-100k --model=mf

For each test point, the rating with the largest |influence| is removed and the model trained on without
it and with it, on the same batches.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, jobs_flag, model_flags, rating_flags, run_flags
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import DECAYS, FiaSettings
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit
from gr_tf.errors import InputError
from gr_tf.evaluation.correlation import pearson, reliability, slope, spearman
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
_NETWORK = flags.DEFINE_bool("network", False, "Add the network's part of FIA-NCF (Equations 21-23).")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked(FiaSettings):
    """What is measured of a trained model; the decay is that of the influences that choose what to remove.

    Attributes:
        num_points, point_seed, selection: which test points; selection is a key of SELECTIONS.
        num_retrainings, retraining_steps: of each pair.
        network: see Fia.
    """

    num_points: int = 100
    point_seed: int = 0
    selection: str = "random"
    num_retrainings: int = 4
    retraining_steps: int = 24_000
    network: bool = False

    @property
    def folder(self) -> str:
        """Where it is kept, in the run directory."""
        also = (self.decay if self.decay != "published" else "", "network" if self.network else "")
        return "-".join([NAME, self.selection, *filter(None, also)])


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
        overwrite: drop what is there; of trainings, one with other settings.

    Returns:
        What result.json holds.
    """
    # What is asked is checked before the training, not after it.
    pairs = ratings.test.pairs[_test_points(ratings, asked)]
    trained_stage = train_ratings.run(
        ratings, split, config, run_dir, overwrite=overwrite, checkpoint_seconds=checkpoint_seconds
    )
    trained = train_ratings.load(run_dir, ratings)
    settings = {**dataclasses.asdict(asked), "train_fingerprint": trained.fingerprint}
    with RunDir.begin(run_dir / asked.folder, settings, overwrite=overwrite) as stage:
        start = time.monotonic()
        # The network's part is long, and the same.
        decays = [asked.decay] if asked.network else DECAYS
        explained = {decay: _explain(trained, pairs, dataclasses.replace(asked, decay=decay)) for decay in decays}
        explaining = time.monotonic() - start
        removed = [int(explanation.by_size().example_ids[0]) for explanation in explained[asked.decay]]
        steps = looked_at(asked.retraining_steps, _LOOKS)
        records = _retrain(stage, trained, steps, pairs, removed, asked.num_retrainings, jobs)
        effects = observed_influences(records, len(pairs))
        observed = effects.mean(axis=1)
        computed = {
            decay: [
                float(explanation.influences[explanation.example_ids == example][0])
                for explanation, example in zip(explanations, removed, strict=True)
            ]
            for decay, explanations in explained.items()
        }
        points = [
            {
                **_point(ratings, explained[asked.decay][i], removed[i], effects[i, :, -1]),
                "computed": {decay: values[i] for decay, values in computed.items()},
                "systems": {
                    decay: [dataclasses.asdict(told) for told in explanations[i].systems]
                    for decay, explanations in explained.items()
                },
            }
            for i in range(len(pairs))
        ]
        result = {
            "dataset": ratings.name,
            "model": config.model,
            "config": config.to_dict(),
            "accuracy": trained_stage.result()["accuracy"],
            "factor_norms": _factor_norms(trained),
            "agreement": {
                decay: {
                    "correlations": _correlations(values, observed[:, -1]),
                    "by_steps": [
                        {"steps": step, **_correlations(values, observed[:, look])} for look, step in enumerate(steps)
                    ],
                    "negative_curvature": _count(points, decay, lambda told: told["negative_curvature"]),
                    "unsolved": _count(points, decay, lambda told: not told["converged"]),
                }
                for decay, values in computed.items()
            },
            "observed_reliability": reliability(effects[:, :, -1]),
            "paper_pearson": published.FIA_RQ1.get((ratings.name, config.model)),
            "points": points,
            "explaining_seconds": explaining,
        }
        panels = [
            figures.Agreement(
                f"{config.model.upper()}, {ratings.name}, {asked.selection}; {decay} decay\n"
                f"Pearson {_told(result['agreement'][decay]['correlations']['pearson'])}",
                values,
                observed[:, -1].tolist(),
                [point["standard_error"] for point in points] if asked.num_retrainings > 1 else None,
            )
            for decay, values in computed.items()
        ]
        figures.save(figures.influence_scatter(panels), stage.path / "scatter.png")
        stage.finish(result)
        return dict(stage.result())


def frame(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """RQ1 for reading, from several result.json."""
    return pd.DataFrame([_row(result, decay) for result in results for decay in result["agreement"]])


def _row(result: Mapping[str, Any], decay: str) -> dict[str, Any]:
    settings, agreement = result["settings"], result["agreement"][decay]
    correlations = agreement["correlations"]
    reliability = result["observed_reliability"]
    return {
        "dataset": result["dataset"],
        "model": result["model"],
        "weight decay": result["config"]["weight_decay"],
        "test points": f"{len(result['points'])} {settings['selection']}"
        + (", with network" if settings["network"] else ""),
        "decay in H": decay + (", chooses" if decay == settings["decay"] else ""),
        "Pearson": _told(correlations["pearson"]),
        "paper's": result["paper_pearson"] or "-",
        "ceiling": f"{np.sqrt(reliability):.3f}" if reliability is not None and reliability > 0 else "-",
        "Spearman": _told(correlations["spearman"]),
        "slope": _told(correlations["slope"]),
        "negative curvature": agreement["negative_curvature"],
        "unsolved": agreement["unsolved"],
    }


def models_frame(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The models behind RQ1, from several result.json."""
    return pd.DataFrame(
        {
            "dataset": result["dataset"],
            "model": result["model"],
            "weight decay": result["config"]["weight_decay"],
            "test RMSE": f"{result['accuracy']['test']['rmse']:.3f}",
            "test MAE": f"{result['accuracy']['test']['mae']:.3f}",
            "mean norm of the users' factors": f"{result['factor_norms']['users']:.2g}",
            "items'": f"{result['factor_norms']['items']:.2g}",
        }
        for result in results
    ).drop_duplicates()


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
        asked,
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


def _count(points: Sequence[Mapping[str, Any]], decay: str, doubtful: Callable[[Mapping[str, Any]], bool]) -> int:
    """Test points with a system to be doubted."""
    return sum(any(map(doubtful, point["systems"][decay])) for point in points)


def _point(ratings: RatingSet, explanation: RatingExplanation, removed: int, effects: np.ndarray) -> dict[str, Any]:
    """One test point, its removed rating, and what the retrainings showed."""
    row = explanation.only(explanation.example_ids == removed).frame.iloc[0]
    deviation = float(effects.std(ddof=1) / np.sqrt(len(effects))) if len(effects) > 1 else None
    return {
        "user": ratings.users.names[explanation.query.user],
        "title": ratings.title(explanation.query.item),
        "prediction": explanation.prediction,
        "num_related": len(explanation.example_ids),
        "removed_user": row["user"],
        "removed_title": row["title"],
        "removed_rating": float(row["rating"]),
        "observed": float(effects.mean()),
        "standard_error": deviation,
    }


def main() -> None:
    ratings = rating_flags.load_dataset()
    config = rating_flags.config_of_flags()
    asked = Asked(
        num_points=_NUM_POINTS.value,
        point_seed=_POINT_SEED.value,
        selection=_SELECTION.value,
        num_retrainings=_NUM_RETRAININGS.value,
        retraining_steps=rating_flags.RETRAINING_STEPS.value or RETRAINING_STEPS[config.model],
        **rating_flags.fia_settings(),
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
    print(frame([result]).T.to_string(header=False))
    print(as_text(models_frame([result])))
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
            for look in result["agreement"][result["settings"]["decay"]]["by_steps"]
        ]
    )


if __name__ == "__main__":
    common.start(main)
