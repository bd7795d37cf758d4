"""Choices (user, item) without their order, as a graph of one relation, and how they are split."""

import dataclasses
import functools
import types
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from gr_tf.data.columns import ITEM_FIELDS, ColumnNames
from gr_tf.data.dataset import names_frame
from gr_tf.data.items import Titled, name_notes
from gr_tf.data.named_tables import notes_of
from gr_tf.data.ratings import held_out_of_users, left_by_least
from gr_tf.data.triples import HEAD, TAIL, Query, TripleSet
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError, argument, short
from gr_tf.settings import SEED, Range
from gr_tf.types import Ids

# The one relation.
CHOSE = "chose"
# Of one choice nothing can be learnt, nor removed.
_LEAST_CHOICES = 2


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class ChoiceSplit(ColumnNames):
    """What is taken for a choice, and what is held out.

    Attributes:
        columns: what the columns of one's own files are called, such as user:customer_id,item:sku; title:NAME is in the
            file of items.
        min_interactions: users and items with fewer choices are left out, again until none is left.
        min_rating: of ratings, those of at least so many stars are choices; default: all are.
        seed: of what is held out: two choices of each user that has at least three, one for valid and one for test.
    """

    min_interactions: int = 5
    min_rating: float | None = None
    seed: int = 0

    fields = ITEM_FIELDS
    flag_names = types.MappingProxyType({"seed": "split_seed"})
    ranges = types.MappingProxyType(
        {"min_interactions": Range(0), "min_rating": Range(-1_000_000, 1_000_000), "seed": SEED}
    )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ChoiceSet(TripleSet, Titled):
    """The choices of one dataset, as triples (user, CHOSE, item); for the other attributes see TripleSet.

    The ids of items are those of the entities; a user's entity comes after all items. The rows are in the order of
    users, then items, whatever order they came in.

    Attributes:
        users, items: their names.
        titles: of items, by name, where there are any; not unique.
    """

    users: Vocabulary = dataclasses.field(default_factory=lambda: Vocabulary("user", ()))
    items: Vocabulary = dataclasses.field(default_factory=lambda: Vocabulary("item", ()))
    titles: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def names(self, triples: np.ndarray) -> pd.DataFrame:
        """The names of choices: user, item, title."""
        items = np.asarray(self.items.names, object)[triples[:, TAIL]]
        users = np.asarray(self.users.names, object)[triples[:, HEAD] - len(self.items)]
        return pd.DataFrame({"user": users, "item": items, "title": [self.titles.get(item, item) for item in items]})

    def names_frame(self) -> pd.DataFrame:
        """See Dataset: users and items."""
        users = names_frame(self.users, {}, self.train[:, HEAD] - len(self.items))
        return pd.concat([users, names_frame(self.items, self.titles, self.train[:, TAIL])], ignore_index=True)

    def user_of(self, name: str) -> int:
        """The entity of a user.

        Raises:
            InputError: if the name is unknown.
        """
        return len(self.items) + self.users.id_of(name)

    def user_name(self, entity: int) -> str:
        """The name of the user whose entity this is."""
        return self.users.names[entity - len(self.items)]

    def related(self, query: Query) -> Ids:
        """The training choices of the query's user or of its item, ascending."""
        return np.unique(np.concatenate([self._by_entity[query.head], self._by_entity[query.tail]]))

    def shared_elements(self, query: Query) -> np.ndarray:
        """See TripleSet; the one relation, which all have, does not count."""
        heads, _, tails = self.train.T
        shared: np.ndarray = (heads == query.head).astype(int) + (tails == query.tail)
        return shared

    @functools.cached_property
    def _can_be_predicted(self) -> np.ndarray:
        """Bool [num_entities]."""
        return np.isin(np.arange(len(self.entities)), self.train[:, TAIL])

    def check_predictable(self, tails: Iterable[int]) -> None:
        """
        Raises:
            InputError: if one of the items was chosen by nobody in training: of it the model knows nothing.
        """
        for item in tails:
            if not self._can_be_predicted[item]:
                raise InputError(f"nobody chose {short(self.title(item))} in the training data: nothing explains it.")


def make_choice_set(
    name: str, frame: pd.DataFrame, titles: Mapping[str, str], split: ChoiceSplit, source: str | None = None
) -> ChoiceSet:
    """Filters choices, gives them ids, and holds out two of every user that has at least three.

    Args:
        name, source: see TripleSet.
        frame: columns user, item (text), and rating where there is one.
        titles: of items, by name.
        split: what to take for a choice, to leave out, and to hold out.

    Raises:
        InputError: if no choice is left, or ratings are asked for where there are none.
    """
    told, notes = source or name, notes_of(frame)
    kept, of_ratings = _liked(frame, split, told)
    notes += of_ratings
    once = kept.drop_duplicates(["user", "item"])
    if len(once) < len(kept):
        notes.append(f"{len(kept) - len(once)} choices of an item that the user chose already left out.")
    core = left_by_least(once, split.min_interactions)
    if len(core) < len(once):
        notes.append(
            f"{len(once) - len(core)} choices left out with {once.user.nunique() - core.user.nunique()} users and "
            f"{once.item.nunique() - core.item.nunique()} items of fewer than {split.min_interactions} choices."
        )
    if core.empty:
        lower = "" if split.min_rating is None else f", or a lower {argument('min_rating')},"
        raise InputError(
            f"{told}: no choice is left with at least {split.min_interactions} a user and item; a lower "
            f"{argument('min_interactions')}{lower} keeps more."
        )
    users, items = Vocabulary.of("user", core.user), Vocabulary.of("item", core.item)
    pairs = np.stack([core.user.map(users.ids), core.item.map(items.ids)], axis=1).astype(np.int32)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    triples = np.stack([len(items) + pairs[:, 0], np.zeros_like(pairs[:, 0]), pairs[:, 1]], axis=1)
    parts = _parts(triples, pairs[:, 0], len(users), split.seed, notes)
    if len(parts["train"]) < _LEAST_CHOICES:
        raise InputError(f"{told}: has {len(parts['train'])} choices to train on; want at least {_LEAST_CHOICES}.")
    return ChoiceSet(
        name=name,
        entities=Vocabulary(
            "entity", (*(f"item {item}" for item in items.names), *(f"user {user}" for user in users.names))
        ),
        relations=Vocabulary("relation", (CHOSE,)),
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        test_lines=np.arange(len(parts["test"])),
        source=source,
        checksums={},
        notes=(*notes, *name_notes(users, items, titles)),
        candidates=tuple(np.unique(parts["train"][:, TAIL]).tolist()),
        labels={f"item {item}": titles.get(item, item) for item in items.names}
        | {f"user {user}": user for user in users.names},
        split=split,  # type: ignore[arg-type]
        users=users,
        items=items,
        titles={item: titles[item] for item in items.names if item in titles},
    )


def _liked(frame: pd.DataFrame, split: ChoiceSplit, told: str) -> tuple[pd.DataFrame, list[str]]:
    """What is a choice, and notes on what is not.

    Raises:
        InputError: if ratings are asked for where there are none.
    """
    if split.min_rating is None:
        all_are = "each rating is taken for a choice, whatever its stars; min_rating=4 takes those of at least four."
        return frame, [all_are] if "rating" in frame else []
    if "rating" not in frame:
        raise InputError(f"{told}: has no ratings, of which {argument('min_rating')} could take the high ones.")
    liked = frame[frame.rating >= split.min_rating]
    return liked, [f"{len(frame) - len(liked)} of {len(frame)} ratings are below {split.min_rating:g}: no choices."]


def _parts(
    triples: np.ndarray, users: np.ndarray, num_users: int, seed: int, notes: list[str]
) -> dict[str, np.ndarray]:
    """The splits; adds notes on what could not be held out."""
    valid, test = held_out_of_users(users, num_users, seed)
    parts = {"train": np.delete(triples, np.concatenate([valid, test]), axis=0)}
    for held, places in (("valid", valid), ("test", test)):
        part = triples[places]
        parts[held] = part[np.isin(part[:, TAIL], parts["train"][:, TAIL])]
        if len(parts[held]) < len(part):
            notes.append(f"{held}: {len(part) - len(parts[held])} choices of an item without training choice skipped.")
    if len(valid) < num_users:
        notes.append(f"{num_users - len(valid)} users with fewer than three choices have none held out.")
    return parts
