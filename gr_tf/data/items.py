"""What ratings and sequences have in common: users, items with titles, and splits of arrays."""

import abc
import dataclasses
import functools
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from gr_tf.data.dataset import Dataset, names_frame
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import argument

R = TypeVar("R", bound="Records")
_NOTHING: Mapping[str, str] = types.MappingProxyType({})
_LEADING_ARTICLE = re.compile(r"(The|A|An) (.+?)( \(\d{4}\))?")


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """Base of dataclasses of arrays [n, ...], one row a record."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} rows)"

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arrays, in the order of the fields."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    def __len__(self) -> int:
        return len(self.arrays[0])

    def only(self: R, chosen: np.ndarray | slice) -> R:
        """Some of the records, by places, a mask or a slice."""
        return type(self)(*(array[chosen] for array in self.arrays))


def name_notes(users: Vocabulary, items: Vocabulary, titles: Mapping[str, str]) -> list[str]:
    """Notes on names that may be mistakes: see Vocabulary.lookalikes; and titles of other items only."""
    strangers = titles and titles.keys().isdisjoint(items.names)
    unused = [f"none of the {len(titles)} titles is of an item that was chosen or rated."] if strangers else []
    return [*users.lookalikes(), *items.lookalikes(), *unused]


class Titled:
    """What has items that people may call by their titles.

    Attributes:
        items: their names.
        titles: of items, by name, where there are any; not unique.
    """

    items: Vocabulary
    titles: Mapping[str, str]

    def title(self, item: int) -> str:
        """What people call an item; its name where it has no title."""
        name = self.items.names[item]
        return self.titles.get(name, name)

    def item_of(self, label: str) -> int:
        """The id of the item with a name or title; "The Lion King (1994)" finds "Lion King, The (1994)".

        Raises:
            InputError: if it is unknown, with close ones suggested, or a title is of several items.
        """
        match = _LEADING_ARTICLE.fullmatch(label)
        if match is not None and label not in self.items.ids and label not in self.titles.values():
            catalogued = f"{match[2]}, {match[1]}{match[3] or ''}"
            label = catalogued if catalogued in self.titles.values() else label
        return self.items.id_of(label, self.titles, self._why_no_item)

    def _why_no_item(self, name: str) -> str | None:
        """Why a name is no item's: see Vocabulary.id_of."""
        return None


def reasons(
    before: pd.Series, after: pd.Series, least: int, what: str, otherwise: str, titles: Mapping[str, str] = _NOTHING
) -> dict[str, str]:
    """Why names of a column were left out, by name, and by title where no name that stays has it.

    Args:
        before, after: the column with and without what was left out.
        least: how often a name must be in it.
        what: it is there so many times, such as "ratings".
        otherwise: why a name that is there as often was left out.
        titles: by name.
    """
    counts = before.value_counts()
    counts = counts[~counts.index.isin(after)]
    # Names with one count share one text.
    needed = f"at least {least} are needed: {argument('min_interactions')}"
    texts = {
        count: f"has {count} {what if count > 1 else what[:-1]}; {needed}" if count < least else otherwise
        for count in counts.unique()
    }
    found = {str(name): texts[count] for name, count in zip(counts.index, counts, strict=True)}
    if titles:
        staying = {titles[name] for name in after.unique() if name in titles}
        titled = {titles[name]: why for name, why in found.items() if name in titles and titles[name] not in staying}
        found = titled | found
    return found


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ItemSet(Titled, Dataset, Generic[R]):
    """What users did with items; for the other attributes see Dataset.

    Attributes:
        users, items: their names.
        train, valid, test: the splits.
        titles: of items, by name, where there are any; not unique.
        left_out: why users and items of the files are not here, by "user" and "item", then by name or title.
    """

    name: str
    users: Vocabulary
    items: Vocabulary
    train: R
    valid: R
    test: R
    titles: Mapping[str, str]
    source: str | None
    split: Any
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict, repr=False)

    def _contents(self) -> tuple[Vocabulary, Vocabulary, Iterable[bytes]]:
        arrays = (array for records in (self.train, self.valid, self.test) for array in records.arrays)
        little_endian = (np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays)
        return self.users, self.items, (array.tobytes() for array in little_endian)

    def names_frame(self) -> pd.DataFrame:
        """See Dataset: users and items."""
        users, items = self._ids_of_train()
        parts = (names_frame(self.users, {}, users), names_frame(self.items, self.titles, items))
        return pd.concat(parts, ignore_index=True)

    @abc.abstractmethod
    def _ids_of_train(self) -> tuple[np.ndarray, np.ndarray]:
        """The users [n] and items [n] of the training examples, ids."""

    def user_of(self, name: str) -> int:
        """The id of a user.

        Raises:
            InputError: if the user is unknown, with close ones suggested.
        """
        return self.users.id_of(name, why_absent=functools.partial(self._why_absent, self.users, self.items))

    def _why_no_item(self, name: str) -> str | None:
        return self._why_absent(self.items, self.users, name)

    def _why_absent(self, names: Vocabulary, others: Vocabulary, name: str) -> str | None:
        """Why a name is none of `names`: see Vocabulary.id_of."""
        why = self.left_out.get(names.kind, {}).get(name)
        return f"is the name of {others.what}" if why is None and name in others.ids else why
