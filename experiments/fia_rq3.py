"""RQ3 of Cheng et al. (2019): why does the model predict this rating for this user?

python -m experiments.fia_rq3 --dataset=movielens-1m --title="The Lion King (1994)"

It prints the most influential ratings of the same user and of the same item; figure4.png shows how the
influences are distributed.
"""

import dataclasses

import numpy as np
from absl import flags

from gr_tf.attribution.base import checked_k
from gr_tf.attribution.fia import Fia
from gr_tf.commands import common, k_flag, rating_flags, run_flags
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.report import figures
from gr_tf.report.fia_tables import influence_spread, neighbours, rq3_frame, rq3_summary
from gr_tf.report.tables import as_text
from gr_tf.runs import files
from gr_tf.runs.csv_text import csv_text
from gr_tf.runs.run_dir import RunDir

common.adopt(k_flag, rating_flags, run_flags)

NAME = "rq3"
DEFAULTS = {"k": 6, "decay": "published"}
_PUBLISHED_USER_RATINGS = 53

_USER = flags.DEFINE_string(
    "user",
    None,
    "The user. Default: among those who have not rated the item, the first whose number of training ratings is nearest "
    f"to the paper's {_PUBLISHED_USER_RATINGS}.",
)
_TITLE = flags.DEFINE_string("title", "The Lion King (1994)", "Title or name of the item.")


def default_user(ratings: RatingSet, item: int) -> int:
    """The default of --user.

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
    task, k = rating_flags.load_task(), checked_k(k_flag.K.value)
    ratings, config, fia_settings = task.dataset, task.config, rating_flags.fia_settings()
    query = ratings.query(_USER.value or ratings.users.names[0], _TITLE.value)
    if _USER.value is None:
        query = RatingQuery(default_user(ratings, query.item), query.item)
    folder = run_flags.run_dir(f"{ratings.name}-{config.model}")
    trained = run_flags.trained(task, folder)
    settings = {
        "train_fingerprint": trained.fingerprint,
        **task.row_of(query),
        "k": k,
        **dataclasses.asdict(fia_settings),
    }
    with RunDir.begin(folder / NAME, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        explanation = Fia(trained, fia_settings).rank(query)
        files.write_text(stage.place("influences.csv"), csv_text(explanation.frame))
        users, items = ratings.train.pairs[explanation.example_ids].T
        # These are the item-based and the user-based neighbour-style explanations of Section 4.3.
        of_user, of_item = (explanation.only(is_of).by_size() for is_of in (users == query.user, items == query.item))
        figures.save(influence_spread(of_user.influences, of_item.influences), stage.place("figure4.png"))
        stage.finish(
            {
                "dataset": ratings.name,
                "model": config.model,
                "config": config.to_dict(),
                "user": ratings.users.names[query.user],
                "title": ratings.title(query.item),
                "prediction": explanation.prediction,
                **neighbours(of_user, of_item, k),
                "diagnostics": dataclasses.asdict(explanation.systems[0]),
            }
        )
    result = stage.result()
    print(f"{rq3_summary(result)}\n")
    for name, what in (("item_based", "Ratings of the same user"), ("user_based", "Ratings of the same item")):
        print(f"{what}, by |influence| (positive: raises the prediction):")
        print(as_text(rq3_frame(result[name]).drop(columns="example_id")) + "\n")
    (system,) = explanation.systems
    for warning in system.warnings:
        print(f"Warning: {warning}.")
    if system.condition_number is not None:
        condition, smallest = system.condition_number, system.smallest_eigenvalue
        print(f"Condition number {condition:.3g}, smallest eigenvalue {smallest:.3g}.")
    print(f"Written to {folder / NAME}: result.json, influences.csv, figure4.png.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
