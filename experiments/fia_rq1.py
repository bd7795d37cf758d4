"""RQ1 of Cheng et al. (2019): are the computed influences those that retraining shows?

python -m experiments.fia_rq1 --dataset=movielens-100k --model=mf

For each test point it removes the rating with the largest |influence|, and trains the model on without
it and with it, on the same batches.
"""

import dataclasses
import time

import numpy as np
from absl import flags

from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import DECAYS
from gr_tf.commands import common, engine_flags, rating_flags, run_flags, shard_flag
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.evaluation.sampled_fidelity import compare
from gr_tf.report import figures
from gr_tf.report.fia_tables import by_steps_frame, models_frame, rq1_frame, scatter
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.trained import Trained
from gr_tf.training.rating_config import RETRAINING_STEPS

common.adopt(engine_flags, rating_flags, run_flags, shard_flag)

DEFAULTS = {"decay": "published"}
SELECTIONS = {
    "random": "random test ratings",
    "fewest": "those with the fewest related ratings, as in the authors' run of NCF on MovieLens",
}

_NUM_POINTS = flags.DEFINE_integer("num_points", 100, "How many test points.", lower_bound=2)
_POINT_SEED = flags.DEFINE_integer("point_seed", 0, "Seed of the random test points.", lower_bound=0)
_SELECTION = flags.DEFINE_enum(
    "selection", "random", list(SELECTIONS), "; ".join(f"{name}: {what}" for name, what in SELECTIONS.items()) + "."
)
_NUM_RETRAININGS = flags.DEFINE_integer("num_retrainings", 4, "Retrainings per point, on other batches.", lower_bound=1)
_NETWORK = flags.DEFINE_bool("network", False, "Add the network's part of FIA-NCF (Equations 21-23).")


def chosen_points(ratings: RatingSet) -> list[RatingQuery]:
    """The test points that the flags ask for."""
    queries = [RatingQuery(int(user), int(item)) for user, item in ratings.test.pairs]
    if _NUM_POINTS.value > len(queries):
        raise InputError(f"num_points must be at most the {len(queries)} test ratings; got {_NUM_POINTS.value}.")
    if _SELECTION.value == "random":
        order = np.random.default_rng(_POINT_SEED.value).permutation(len(queries))
    else:
        order = np.argsort([len(ratings.related(query)) for query in queries], kind="stable")
    return [queries[place] for place in order[: _NUM_POINTS.value]]


def factor_norms(trained: Trained) -> dict[str, float]:
    """The mean norm of the users' and of the items' factors without biases, which the weight decay shrinks."""
    model = trained.task.model
    norms = np.linalg.norm(trained.parameters.table * (model.row_penalty > 0), axis=1)
    return {"users": float(norms[: model.num_users].mean()), "items": float(norms[model.num_users :].mean())}


def main() -> None:
    task = rating_flags.load_task()
    ratings, config, settings = task.dataset, task.config, rating_flags.fia_settings()
    # The arguments are checked before the training, not after it.
    queries = chosen_points(ratings)
    folder = run_flags.run_dir(f"{ratings.name}-{config.model}")
    trained = run_flags.trained(task, folder)
    also = [settings.decay] * (settings.decay != "published") + ["network"] * _NETWORK.value
    place = folder / "-".join(["rq1", _SELECTION.value, *also])
    asked = {
        **dataclasses.asdict(settings),
        **{flag.name: flag.value for flag in (_NUM_POINTS, _POINT_SEED, _SELECTION, _NUM_RETRAININGS, _NETWORK)},
        "retraining_steps": rating_flags.RETRAINING_STEPS.value or RETRAINING_STEPS[config.model],
        "train_fingerprint": trained.fingerprint,
    }
    with RunDir.begin(place, asked, overwrite=run_flags.OVERWRITE.value) as stage:
        start = time.monotonic()
        # The network's part takes long, and is the same for every decay.
        explained = {
            decay: Fia(trained, dataclasses.replace(settings, decay=decay), network=_NETWORK.value).rank_many(queries)
            for decay in ([settings.decay] if _NETWORK.value else DECAYS)
        }
        explaining = time.monotonic() - start
        compared = compare(
            trained,
            explained,
            settings.decay,
            # These are other batches than the training's own.
            seeds=range(config.seed + 1, config.seed + 1 + _NUM_RETRAININGS.value),
            length=asked["retraining_steps"],
            journal=stage.place("retrainings.jsonl"),
            jobs=run_flags.JOBS.value,
        )
        for explanation, point in zip(explained[settings.decay], compared["points"], strict=True):
            point["user"], point["title"] = task.names_of(explanation.query)
            row = ratings.train_frame.iloc[point.pop("removed")]
            point.update({f"removed_{column}": row[column] for column in ("user", "title", "rating")})
        result = {
            "dataset": ratings.name,
            "model": config.model,
            "config": config.to_dict(),
            "accuracy": task.quality(trained.parameters),
            "factor_norms": factor_norms(trained),
            "explaining_seconds": explaining,
            **compared,
        }
        figures.save(scatter(result, _SELECTION.value), stage.place("scatter.png"))
        stage.finish(result)
    result = stage.result()
    print(rq1_frame(result).T.to_string(header=False))
    print(as_text(models_frame([result])))
    print(as_text(by_steps_frame(result)))
    print(f"Written to {place}: result.json, scatter.png.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
