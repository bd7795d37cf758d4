"""Names and their ids."""

import dataclasses
import difflib
import functools
import types
from collections.abc import Iterable, Mapping

from gr_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The names of one kind, sorted by code point; a name's id is its place.

    Attributes:
        kind: what the names name, for messages, such as "entity" or "user".
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
        """The ids by name."""
        return {name: i for i, name in enumerate(self.names)}

    def id_of(self, name: str, labels: Mapping[str, str] = types.MappingProxyType({})) -> int:
        """The id of a name, or of the one name with this label.

        Args:
            name: a name or a label.
            labels: what people call things, by name; not unique.

        Raises:
            InputError: if the name is unknown, with close ones suggested, or the label ambiguous.
        """
        if name in self.ids:
            return self.ids[name]
        labeled = [other for other in self.names if labels.get(other) == name]
        if len(labeled) > 1:
            raise InputError(f"{name!r} is the label of {len(labeled)} names: {', '.join(map(repr, labeled))}.")
        if labeled:
            return self.ids[labeled[0]]
        known = [*self.names, *(labels[other] for other in self.names if other in labels)]
        close = difflib.get_close_matches(name, known, n=3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise InputError(f"unknown {self.kind} {name!r}: not in the training data.{hint}")
