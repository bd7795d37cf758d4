"""Random folds of ratings, as cross-validation has them: every rating is in the test part of one fold."""

import dataclasses
import pathlib

import numpy as np

from gr_tf.data.rating_sources import own_name, read_interactions, read_own_folder
from gr_tf.data.ratings import Ratings, RatingSet
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class RatingFolds:
    """All ratings of a dataset in random order, cut into folds; none is left out, also not of items seen nowhere else.

    Attributes:
        ratings: with all of them for training, and nothing held out.
        num_folds: how many.
        seed: of the order.
        valid_share: of the other folds' ratings, how many are for validation.
    """

    ratings: RatingSet
    num_folds: int = 5
    seed: int = 0
    valid_share: float = 0.05

    def fold(self, number: int) -> RatingSet:
        """The ratings with fold `number`, counted from 0, for test, and a random part of the others for validation."""
        whole = self.ratings.train
        order = np.random.default_rng(self.seed).permutation(len(whole))
        parts = np.array_split(order, self.num_folds)
        rest = np.concatenate([part for i, part in enumerate(parts) if i != number])
        num_valid = round(self.valid_share * len(rest))
        # The order within a split is that of ids, as everywhere.
        places = (rest[num_valid:], rest[:num_valid], parts[number])
        train, valid, test = (whole.only(np.sort(part)) for part in places)
        return dataclasses.replace(self.ratings, train=train, valid=valid, test=test)


def load_folds(
    dataset: str | None, data_dir: str | pathlib.Path | None, *, num_folds: int = 5, seed: int = 0
) -> RatingFolds:
    """Reads ratings for cross-validation; of a pair that is rated twice the last one counts.

    Args:
        dataset, data_dir: see load_ratings.
        num_folds, seed: see RatingFolds.

    Raises:
        InputError: as load_ratings, or if there are fewer ratings than folds.
    """
    name = dataset or own_name(data_dir)
    frame, titles, source = read_interactions(name, data_dir, read_own_folder)
    in_time = frame.sort_values("time", kind="stable") if "time" in frame else frame
    kept = in_time.drop_duplicates(["user", "item"], keep="last")
    if len(kept) < num_folds:
        raise InputError(f"{source or name}: has {len(kept)} ratings; {num_folds} folds need more.")
    users, items = Vocabulary.of("user", kept.user), Vocabulary.of("item", kept.item)
    pairs = np.stack([kept.user.map(users.ids), kept.item.map(items.ids)], axis=1).astype(np.int32)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    ratings = Ratings(pairs[order], kept.rating.to_numpy(np.float64)[order])
    nothing = ratings.only(slice(0, 0))
    whole = RatingSet(name, users, items, ratings, nothing, nothing, titles, source, None)
    return RatingFolds(whole, num_folds, seed)
