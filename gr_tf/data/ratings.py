"""Ratings (user, item, rating) and how they are split."""

import dataclasses
import functools
import types
from collections.abc import Mapping

import numpy as np
import pandas as pd

from gr_tf.data.columns import ITEM_FIELDS, ColumnNames
from gr_tf.data.dataset import grouped
from gr_tf.data.items import ItemSet, Records, name_notes, reasons
from gr_tf.data.named_tables import notes_of
from gr_tf.data.rating_likeness import RatingLikeness
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError, argument
from gr_tf.settings import SEED, Range
from gr_tf.types import Ids

# Of one rating nothing can be learnt, nor removed.
_LEAST_RATINGS = 2


@dataclasses.dataclass(frozen=True)
class RatingQuery:
    """The prediction that is explained: what this user would rate this item.

    Attributes:
        user, item: ids.
        item_asked: whether the item is the answer: the question is which item the user would rate highest.
    """

    user: int
    item: int
    item_asked: int = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_asked", bool(self.item_asked))

    def __repr__(self) -> str:
        # The keys of retrainings are made of it: a question with both parts looks as it did when there was no other.
        asked = ", item_asked=True" if self.item_asked else ""
        return f"RatingQuery(user={self.user}, item={self.item}{asked})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ratings(Records):
    """Ratings as ids.

    Attributes:
        pairs: [n, 2] int32, columns user, item.
        values: [n] float64.
    """

    pairs: np.ndarray
    values: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RatingSet(ItemSet[Ratings]):
    """The ratings of one dataset; for its attributes see ItemSet.

    The rows are in the order of user ids, then item ids, whatever order they came in, so that every
    source of a dataset gives the same examples.
    """

    query_class = RatingQuery

    @functools.cached_property
    def train_frame(self) -> pd.DataFrame:
        """The training ratings by name: user, item, title, rating; the index is the example_id."""
        return self.names(self.train)

    def names(self, ratings: Ratings) -> pd.DataFrame:
        """The names of ratings: user, item, title, rating."""
        items = np.asarray(self.items.names, object)[ratings.pairs[:, 1]]
        return pd.DataFrame(
            {
                "user": np.asarray(self.users.names, object)[ratings.pairs[:, 0]],
                "item": items,
                "title": [self.titles.get(item, item) for item in items],
                "rating": ratings.values,
            }
        )

    def _ids_of_train(self) -> tuple[np.ndarray, np.ndarray]:
        """See ItemSet."""
        return self.train.pairs[:, 0], self.train.pairs[:, 1]

    def query_of(self, example_id: int) -> RatingQuery:
        """The query that a training rating answers."""
        user, item = map(int, self.train.pairs[example_id])
        return RatingQuery(user, item)

    def query(self, user: str, item: str) -> RatingQuery:
        """The query of a user's name and an item's name or title.

        Raises:
            InputError: if the user is unknown; of the item see item_of.
        """
        return RatingQuery(self.user_of(user), self.item_of(item))

    @functools.cached_property
    def _by_user(self) -> list[np.ndarray]:
        return grouped(self.train.pairs[:, 0], len(self.users))

    @functools.cached_property
    def _by_item(self) -> list[np.ndarray]:
        return grouped(self.train.pairs[:, 1], len(self.items))

    def of_user(self, user: int) -> np.ndarray:
        """Example ids [n] of a user's training ratings, ascending."""
        return self._by_user[user]

    def of_item(self, item: int) -> np.ndarray:
        """Example ids [n] of an item's training ratings, ascending."""
        return self._by_item[item]

    def related(self, query: RatingQuery) -> Ids:
        """R_t of Cheng et al. (2019): the training ratings of the query's user or item, each once, ascending."""
        return np.union1d(self.of_user(query.user), self.of_item(query.item))

    @functools.cached_property
    def _likeness(self) -> RatingLikeness:
        return RatingLikeness(self.train.pairs, self.train.values, len(self.users), len(self.items))

    def likeness(self, query: RatingQuery) -> np.ndarray:
        """See Dataset; see RatingLikeness for the features."""
        return self._likeness.features(query.user, query.item)

    def with_wrong(self, example_ids: Ids, generator: np.random.Generator) -> "RatingSet":
        """See Dataset: another value of those that occur."""
        values = self.train.values.copy()
        possible = np.unique(values)
        if len(possible) < 2:
            raise InputError(f"all ratings are {possible[0]:g}: none can be made wrong.")
        for place in example_ids:
            values[place] = generator.choice(possible[possible != values[place]])
        return self._with_values(values)

    def shuffled(self, seed: int) -> "RatingSet":
        """See Dataset: each other's values."""
        return self._with_values(np.random.default_rng(seed).permutation(self.train.values))

    def _with_values(self, values: np.ndarray) -> "RatingSet":
        return dataclasses.replace(self, train=dataclasses.replace(self.train, values=values))


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class RatingSplit(ColumnNames):
    """How ratings become a RatingSet (Cheng et al. 2019, Section 5.1).

    Attributes:
        columns: what the columns of one's own files are called, such as user:customer_id,item:sku,rating:stars,time:ts;
            title:NAME is in the file of items, or beside the items. A part with a comma needs quotes, as in CSV.
        min_interactions: users and items with fewer ratings are left out, again until none is left.
        seed: of what is held out: two ratings of each user, one for valid and one for test.
    """

    min_interactions: int = 10
    seed: int = 0

    fields = ITEM_FIELDS
    flag_names = types.MappingProxyType({"seed": "split_seed"})
    ranges = types.MappingProxyType({"min_interactions": Range(0), "seed": SEED})

    def refuse_holding_out(self, where: object) -> None:
        """Refuses settings that ratings which come split have no use for.

        Raises:
            InputError: if one of them is not its default.
        """
        for name in ("min_interactions", "seed"):
            if getattr(self, name) != getattr(type(self), name):
                told = argument(name, flag=self.flag_names.get(name, name))
                raise InputError(f"{where}: comes split, and as it is: {told} has nothing to do there.")


def make_rating_set(
    name: str, frame: pd.DataFrame, titles: Mapping[str, str], split: RatingSplit, source: str | None = None
) -> RatingSet:
    """Filters ratings, gives them ids, and holds out two of every user that has at least three.

    A (user, item) pair that is rated twice keeps its last rating: by time where it is known, then by order.

    Args:
        name, titles, source: see ItemSet.
        frame: columns user, item (text), rating, and time where it is known.
        split: what to leave out and what to hold out.

    Raises:
        InputError: if no rating is left.
    """
    notes = notes_of(frame)
    in_time = frame.sort_values("time", kind="stable") if "time" in frame else frame
    kept = in_time.drop_duplicates(["user", "item"], keep="last")
    if len(kept) < len(frame):
        notes.append(f"{len(frame) - len(kept)} ratings of a pair that is rated again later left out.")
    core = left_by_least(kept, split.min_interactions)
    if len(core) < len(kept):
        notes.append(
            f"{len(kept) - len(core)} ratings left out with {kept.user.nunique() - core.user.nunique()} users and "
            f"{kept.item.nunique() - core.item.nunique()} items of fewer than {split.min_interactions} ratings."
        )
    left_out = {
        column: reasons(
            kept[column],
            core[column],
            split.min_interactions,
            "ratings",
            f"has fewer than {split.min_interactions} ratings with {others} that stay: {argument('min_interactions')}",
            {} if column == "user" else titles,
        )
        for column, others in (("user", "items"), ("item", "users"))
        if len(core) < len(kept)
    }
    if core.empty:
        raise InputError(
            f"{source or name}: no rating is left with at least {split.min_interactions} a user and item; a lower "
            f"{argument('min_interactions')} keeps more."
        )
    users, items = Vocabulary.of("user", core.user), Vocabulary.of("item", core.item)
    pairs = np.stack([core.user.map(users.ids), core.item.map(items.ids)], axis=1).astype(np.int32)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    ratings = Ratings(pairs[order], core.rating.to_numpy(np.float64)[order])

    valid, test = held_out_of_users(ratings.pairs[:, 0], len(users), split.seed)
    train = ratings.only(np.delete(np.arange(len(ratings)), np.concatenate([valid, test])))
    if len(train) < _LEAST_RATINGS:
        raise InputError(f"{source or name}: has {len(train)} ratings to train on; want at least {_LEAST_RATINGS}.")
    splits = {}
    for held_name, places in (("valid", valid), ("test", test)):
        known = places[np.isin(ratings.pairs[places, 1], train.pairs[:, 1])]
        if len(known) < len(places):
            notes.append(f"{held_name}: {len(places) - len(known)} ratings of an item without training rating skipped.")
        splits[held_name] = ratings.only(known)
    if len(valid) < len(users):
        notes.append(f"{len(users) - len(valid)} users with fewer than three ratings have none held out.")
    notes += name_notes(users, items, titles)
    return RatingSet(
        name=name,
        users=users,
        items=items,
        train=train,
        valid=splits["valid"],
        test=splits["test"],
        titles={item: titles[item] for item in items.names if item in titles},
        source=source,
        split=split,
        notes=tuple(notes),
        left_out=left_out,
    )


def left_by_least(frame: pd.DataFrame, least: int) -> pd.DataFrame:
    """The ratings left when users and items with fewer than `least` are dropped until there is none."""
    while True:
        enough = (frame.groupby("user").user.transform("size") >= least) & (
            frame.groupby("item").item.transform("size") >= least
        )
        if enough.all():
            return frame
        frame = frame[enough]


def held_out_of_users(users: np.ndarray, num_users: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of one random rating of each user for valid and one for test; of users with at least three."""
    generator = np.random.default_rng(seed)
    drawn = [generator.choice(places, 2, replace=False) for places in grouped(users, num_users) if len(places) >= 3]
    valid, test = np.array(drawn, np.int64).reshape(-1, 2).T
    return valid, test
