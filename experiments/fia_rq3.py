"""RQ3 of Cheng et al. (2019): why does the model predict this rating for this user?

python -m experiments.fia_rq3 --dataset=movielens-1m --title="The Lion King (1994)"

Prints the most influential ratings of the same user and of the same item; figure4.png shows how the
influences are spread.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, k_flag, model_flags, rating_flags, run_flags
from gr_tf import files
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.hessian import Diagnostics
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit
from gr_tf.errors import InputError
from gr_tf.report import figures
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.stages import train_ratings
from gr_tf.training.rating_config import RatingTrainConfig

for module in (k_flag, model_flags, rating_flags, run_flags):
    flags.adopt_module_key_flags(module)

NAME = "rq3"
DEFAULTS = {"k": 6}
_PUBLISHED_USER_RATINGS = 53
_COLUMNS = ("user", "title", "rating", "influence", "example_id")

_USER = flags.DEFINE_string(
    "user",
    None,
    f"The user. Default: the first who has not rated the item and has nearest to {_PUBLISHED_USER_RATINGS} training "
    "ratings, as the paper's.",
)
_TITLE = flags.DEFINE_string("title", "The Lion King (1994)", "Title or name of the item.")


def run(
    ratings: RatingSet,
    split: RatingSplit,
    config: RatingTrainConfig,
    run_dir: pathlib.Path,
    query: RatingQuery,
    k: int,
    fia_settings: FiaSettings,
    *,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> dict[str, Any]:
    """Trains if there is no model yet; writes rq3/result.json, influences.csv and figure4.png.

    Args:
        ratings, split, config, run_dir, checkpoint_seconds: see stages.train_ratings.run.
        query: whose prediction is explained.
        k: ratings of each table.
        fia_settings: see FiaSettings.
        overwrite: drop an explanation that is there; the training stays.

    Returns:
        What result.json holds.
    """
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}.")
    train_ratings.run(ratings, split, config, run_dir, overwrite=overwrite, checkpoint_seconds=checkpoint_seconds)
    trained = train_ratings.load(run_dir, ratings)
    settings = {
        "train_fingerprint": trained.fingerprint,
        "user": ratings.users.names[query.user],
        "item": ratings.items.names[query.item],
        "k": k,
        **dataclasses.asdict(fia_settings),
    }
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite) as stage:
        fia = Fia(trained.exact_model(), trained.parameters, ratings, config.weight_decay, fia_settings)
        explanation = fia.rank(query)
        of_user, of_item = explanation.item_based(), explanation.user_based()
        files.write_text(stage.path / "influences.csv", explanation.frame.to_csv(index=False))
        figure = figures.influence_spread([("of the user", of_user.influences), ("of the item", of_item.influences)])
        figures.save(figure, stage.path / "figure4.png")
        stage.finish(
            {
                "dataset": ratings.name,
                "model": config.model,
                "config": config.to_dict(),
                "user": settings["user"],
                "title": ratings.title(query.item),
                "prediction": explanation.prediction,
                "num_of_user": len(of_user.influences),
                "num_of_item": len(of_item.influences),
                "item_based": _rows(of_user, k),
                "user_based": _rows(of_item, k),
                "share_of_top_tenth": {
                    "of_user": _share_of_top_tenth(of_user),
                    "of_item": _share_of_top_tenth(of_item),
                },
                "diagnostics": dataclasses.asdict(explanation.diagnostics),
            }
        )
        return dict(stage.result())


def summary(result: Mapping[str, Any]) -> str:
    """What is explained, from result.json."""
    return (
        f"{result['model'].upper()} predicts {result['prediction']:.2f} for {result['title']} by user "
        f"{result['user']}, who has {result['num_of_user']} training ratings; the item has {result['num_of_item']}."
    )


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """One of the tables for reading."""
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.assign(rating=table.rating.map("{:g}".format), influence=table.influence.map("{:+.3f}".format))


def _rows(explanation: RatingExplanation, k: int) -> list[dict[str, Any]]:
    chosen = explanation.only(slice(k)).frame[list(_COLUMNS)]
    return [{str(name): value for name, value in row.items()} for row in chosen.to_dict("records")]


def _share_of_top_tenth(explanation: RatingExplanation) -> float | None:
    """Of the sum of |influence|, the part of the tenth of the ratings with the largest; None of nothing."""
    sizes = np.sort(np.abs(explanation.influences))[::-1]
    if not sizes.sum():
        return None
    return float(sizes[: -(-len(sizes) // 10)].sum() / sizes.sum())


def default_user(ratings: RatingSet, item: int) -> int:
    """See --user.

    Raises:
        InputError: if every user has rated the item.
    """
    parts = (ratings.train, ratings.valid, ratings.test)
    has_rated = np.concatenate([part.pairs[part.pairs[:, 1] == item, 0] for part in parts])
    others = np.setdiff1d(np.arange(len(ratings.users)), has_rated)
    if not len(others):
        raise InputError(f"every user has rated {ratings.title(item)!r}: name one with --user.")
    counts = np.array([len(ratings.of_user(user)) for user in others])
    return int(others[np.abs(counts - _PUBLISHED_USER_RATINGS).argmin()])


def main() -> None:
    ratings = rating_flags.load_dataset()
    config = rating_flags.config_of_flags()
    user = _USER.value or ratings.users.names[0]
    query = ratings.query(user, _TITLE.value)
    if _USER.value is None:
        query = RatingQuery(default_user(ratings, query.item), query.item)
    folder = run_flags.run_dir(f"{ratings.name}-{config.model}")
    result = run(
        ratings,
        rating_flags.split_of_flags(),
        config,
        folder,
        query,
        k_flag.K.value,
        FiaSettings(**rating_flags.fia_settings()),
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
    )
    print(f"{summary(result)}\n")
    for name, what in (("item_based", "Ratings of the same user"), ("user_based", "Ratings of the same item")):
        print(f"{what}, by |influence| (positive: raises the prediction):")
        print(as_text(frame(result[name]).drop(columns="example_id")))
        print()
    diagnostics = result["diagnostics"]
    for warning in Diagnostics(**diagnostics).warnings:
        print(f"Warning: {warning}.")
    if diagnostics["condition_number"] is not None:
        print(
            f"Condition number {diagnostics['condition_number']:.3g}, "
            f"smallest eigenvalue {diagnostics['smallest_eigenvalue']:.3g}."
        )
    print(f"Written to {folder / NAME}: result.json, influences.csv, figure4.png.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
