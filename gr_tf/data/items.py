"""What ratings and sequences have in common: users, items with titles, and splits of arrays."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from gr_tf.data.dataset import Dataset
from gr_tf.data.vocabulary import Vocabulary

R = TypeVar("R", bound="Records")
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


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ItemSet(Dataset, Generic[R]):
    """What users did with items; for the other attributes see Dataset.

    Attributes:
        users, items: their names.
        train, valid, test: the splits.
        titles: of items, by name, where there are any; not unique.
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

    def _contents(self) -> tuple[Vocabulary, Vocabulary, Iterable[bytes]]:
        arrays = (array for records in (self.train, self.valid, self.test) for array in records.arrays)
        little_endian = (np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays)
        return self.users, self.items, (array.tobytes() for array in little_endian)

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
        return self.items.id_of(label, self.titles)
