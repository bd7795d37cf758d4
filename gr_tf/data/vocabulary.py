"""Names and their ids."""

import dataclasses
import difflib
import functools
from collections.abc import Iterable

from gr_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The names of one kind, sorted by code point; a name's id is its place.

    Attributes:
        kind: what the names name, for messages: "entity" or "relation".
        names: the names, without repetition.
    """

    kind: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, kind: str, names: Iterable[str]) -> "Vocabulary":
        """The vocabulary of all `names`, which may repeat."""
        return cls(kind, tuple(sorted(set(names))))

    def __len__(self) -> int:
        return len(self.names)

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        """Name to id."""
        return {name: i for i, name in enumerate(self.names)}

    def id_of(self, name: str) -> int:
        """The id of a name.

        Raises:
            InputError: if the name is unknown; suggests close ones.
        """
        if name in self.ids:
            return self.ids[name]
        close = difflib.get_close_matches(name, self.names, n=3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise InputError(f"unknown {self.kind} {name!r}: not in the training triples.{hint}")
