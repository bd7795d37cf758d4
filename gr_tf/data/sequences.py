"""Sequences of the items that users chose, and how they are split.

Kim, "Recommender System Attribution with TracIn": every choice of a user is to be predicted from the
choices before it; each user's last choices are for test.
"""

import dataclasses
import functools
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.data.columns import ITEM_FIELDS, ColumnNames
from gr_tf.data.items import ItemSet, Records, name_notes, reasons
from gr_tf.data.named_tables import notes_of
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError, argument
from gr_tf.settings import Range
from gr_tf.types import Ids

ORDERS = {
    "time": "by time, at one time by item name",
    "file": "as in the file, as the published code (it drops the time)",
    "auto": "by time if there are times, else as in the file",
}


# What differs from SequenceSplit's defaults, by protocol.
SPLITS: dict[str, dict[str, Any]] = {"published": {}, "proper": {"order": "time", "valid_share": 0.1}}


@dataclasses.dataclass(frozen=True)
class SequenceQuery:
    """The prediction that is explained: this item after these; item id + 1 each.

    Attributes:
        history: the items before, the latest last.
        target: the item.
    """

    history: tuple[int, ...]
    target: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "history", tuple(self.history))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Sequences(Records):
    """Choices and what came before them.

    Attributes:
        histories: [n, length] int32, the items before the choice, the latest last: item id + 1, 0 where
            there is none.
        targets: [n] int32, the chosen items: item id + 1.
        users: [n] int32, user ids.
    """

    histories: np.ndarray
    targets: np.ndarray
    users: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class SequenceSplit(ColumnNames):
    """How ratings become sequences; the defaults are the published code's, OWN_SPLIT has those for one's own data.

    Attributes:
        columns: what the columns of one's own files are called, such as user:customer_id,item:sku,rating:stars,time:ts;
            title:NAME is in the file of items, or beside the items. A part with a comma needs quotes, as in CSV.
        min_interactions: users with fewer choices are left out.
        order: of a user's choices: time: by time, at one time by item name; file: as they come in the file; auto: by
            time if there are times.
        window: how many choices are looked at: one and those before it.
        test_share: share of each user's choices, rounded down, of which the last are for test.
        valid_share: the same for validation, before those for test.
    """

    min_interactions: int = 10
    order: str = "file"
    window: int = 50
    test_share: float = 0.1
    valid_share: float = 0.0

    fields = ITEM_FIELDS
    choices = types.MappingProxyType({"order": ORDERS})
    ranges = types.MappingProxyType(
        {"min_interactions": Range(1), "window": Range(2), "test_share": Range(0, 1), "valid_share": Range(0, 1)}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.test_share + self.valid_share >= 1:
            shares = f"{argument('test_share')} and {argument('valid_share')}"
            got = f"{self.test_share} and {self.valid_share}"
            raise InputError(f"{shares} must leave something to train on; got {got}.")


# Of one's own data: by time where it is known, and some choices for validation.
OWN_SPLIT = types.MappingProxyType({"order": "auto", "valid_share": 0.1})


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SequenceSet(ItemSet[Sequences]):
    """The sequences of one dataset, in the order of users, then of their choices; for its attributes see ItemSet."""

    query_class = SequenceQuery

    def _ids_of_train(self) -> tuple[np.ndarray, np.ndarray]:
        """See ItemSet; the choices, without what came before them."""
        return self.train.users, self.train.targets - 1

    def query_of(self, example_id: int) -> SequenceQuery:
        """The query that a training sequence answers."""
        history = self.train.histories[example_id]
        return SequenceQuery(tuple(map(int, history[history > 0])), int(self.train.targets[example_id]))

    def title(self, target: int) -> str:
        """What people call the item of a target (item id + 1)."""
        return super().title(target - 1)

    def target_of(self, label: str) -> int:
        """The target (item id + 1) of a name or title.

        Raises:
            InputError: see item_of.
        """
        return self.item_of(label) + 1

    def shuffled(self, seed: int) -> "SequenceSet":
        """See Dataset: each other's targets."""
        targets = np.random.default_rng(seed).permutation(self.train.targets)
        return dataclasses.replace(self, train=dataclasses.replace(self.train, targets=targets))

    def related(self, query: SequenceQuery) -> Ids:
        """The training sequences whose choice is the query's target or in its history, ascending."""
        return np.flatnonzero(np.isin(self.train.targets, [*query.history, query.target]))

    def shared_elements(self, query: SequenceQuery) -> np.ndarray:
        """How much every related training sequence has in common with a query; 0 for those not related.

        One for itself, one for each item of its history that is in the query's too; and, as the choice matters most,
        more than for any history if it is the query's target.
        """
        related = self.related(query)
        histories, targets = self.train.histories[related], self.train.targets[related]
        common = (np.isin(histories, query.history) & (histories > 0)).sum(axis=1)
        shared = np.zeros(self.num_examples, int)
        shared[related] = 1 + common + (targets == query.target) * (histories.shape[1] + 1)
        return shared

    def query_of_user(self, user: str, target: int) -> SequenceQuery:
        """A user's latest choices, of every split, as the history of a query for a target.

        Raises:
            InputError: if the user is unknown.
        """
        user_id = self.user_of(user)
        # The splits of a user follow each other in time.
        last = [part.only(part.users == user_id) for part in (self.train, self.valid, self.test)]
        choices = [target for part in last for target in part.targets.tolist()]
        return SequenceQuery(tuple(choices[-self.train.histories.shape[1] :]), target)

    @functools.cached_property
    def train_frame(self) -> pd.DataFrame:
        """The training sequences by name: user, title of the choice, number of choices before it; by example_id."""
        return pd.DataFrame(
            {
                "user": np.asarray(self.users.names, object)[self.train.users],
                "title": [self.title(int(target)) for target in self.train.targets],
                "before": (self.train.histories > 0).sum(axis=1),
            }
        )


def make_sequence_set(
    name: str, frame: pd.DataFrame, titles: Mapping[str, str], split: SequenceSplit, source: str | None = None
) -> SequenceSet:
    """Every choice of every user with enough of them, with what came before.

    Args:
        name, titles, source: see ItemSet.
        frame: columns user, item (text), and time where it is known; 0 is unknown.
        split: what to leave out and what to hold out.

    Raises:
        InputError: if there is no time where it is asked for, or no user is left.
    """
    notes, everybody = notes_of(frame), frame
    told = source or name
    if split.order == "time" or (split.order == "auto" and _has_times(frame)):
        frame = _in_time(frame, told, notes)
    enough = frame.groupby("user").user.transform("size") >= split.min_interactions
    if not enough.all():
        notes.append(
            f"{frame[~enough].user.nunique()} users with fewer than {split.min_interactions} choices left out."
        )
        frame = frame[enough]
    if frame.empty:
        why = (
            f"no user has at least {split.min_interactions} choices; a lower {argument('min_interactions')} keeps more."
        )
        raise InputError(" ".join([f"{told}: {why}", *notes]))
    users, items = Vocabulary.of("user", frame.user), Vocabulary.of("item", frame.item)
    left_out: dict[str, dict[str, str]] = {}
    if len(frame) < len(everybody):
        unknown = "has a choice of unknown time, and is left out"
        nobody = f"is of users only who are left out, as those with fewer than {split.min_interactions} choices are"
        left_out["user"] = reasons(everybody.user, frame.user, split.min_interactions, "choices", unknown)
        why = f"{nobody}: {argument('min_interactions')}"
        left_out["item"] = reasons(everybody.item, frame.item, 0, "choices", why, titles)
    user_ids = frame.user.map(users.ids).to_numpy(np.int32)
    order = np.argsort(user_ids, kind="stable")
    user_ids, targets = user_ids[order], frame.item.map(items.ids).to_numpy(np.int32)[order] + 1
    # Of each choice: how many its user has, and how many come before it.
    counts = np.bincount(user_ids)[user_ids]
    place = np.arange(len(targets)) - np.searchsorted(user_ids, user_ids)
    # How many choices from a user's end: the last one is 1.
    from_end = counts - place
    num_test, num_valid = ((share * counts).astype(int) for share in (split.test_share, split.valid_share))
    # No longer than the longest of a user, which the next item is asked after.
    length = min(split.window - 1, int(counts.max()))
    everything = Sequences(_histories(targets, place, length), targets, user_ids)
    is_test = from_end <= num_test
    is_valid = ~is_test & (from_end <= num_test + num_valid)
    train, valid, test = (everything.only(chosen) for chosen in (~is_test & ~is_valid, is_valid, is_test))
    notes += name_notes(users, items, titles)
    return SequenceSet(
        name=name,
        users=users,
        items=items,
        train=train,
        valid=valid,
        test=test,
        titles={item: titles[item] for item in items.names if item in titles},
        source=source,
        split=split,
        notes=tuple(notes),
        left_out=left_out,
    )


def _has_times(frame: pd.DataFrame) -> bool:
    return "time" in frame and bool((frame.time > 0).any())


def _in_time(frame: pd.DataFrame, told: str, notes: list[str]) -> pd.DataFrame:
    """The choices of the users whose times are all known, in time order."""
    if not _has_times(frame):
        raise InputError(
            f"{told}: has no times to put choices in order by; {argument('order', 'file')} takes them as they come."
        )
    unknown = frame.user[frame.time <= 0].unique()
    if len(unknown):
        notes.append(f"{len(unknown)} users with a choice of unknown time left out.")
        frame = frame[~frame.user.isin(unknown)]
    # At one time by item, so that every source of a dataset gives the same sequences.
    return frame.sort_values(["time", "item"], kind="stable")


def _histories(targets: np.ndarray, place: np.ndarray, length: int) -> np.ndarray:
    """[n, length], the targets of the same user before each, the latest last; 0 where there is none."""
    back = np.arange(length, 0, -1)
    earlier = np.arange(len(targets))[:, None] - back
    return np.where(place[:, None] >= back, targets[np.maximum(earlier, 0)], 0).astype(np.int32)
