"""Names and their ids."""

import dataclasses
import difflib
import functools
import types
import unicodedata
from collections.abc import Iterable, Mapping

from gr_tf.errors import InputError, listed, short

# Characters without width: byte order mark, zero-width space, soft hyphen.
_UNSEEN = dict.fromkeys(map(ord, "\ufeff\u200b\u00ad"))
# Names that are like longer ones are not looked for: it takes long.
_LONGEST_COMPARED = 200


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The names of one kind, sorted by code point; a name's id is its place.

    Attributes:
        kind: what the names name, for messages, such as "entity" or "user".
        names: the names, without repetition.
    """

    kind: str
    names: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Vocabulary({self.kind!r}, {len(self.names):,} names)"

    @classmethod
    def of(cls, kind: str, names: Iterable[str]) -> "Vocabulary":
        """The vocabulary of all `names`, which may repeat."""
        return cls(kind, tuple(sorted(set(names))))

    def __len__(self) -> int:
        return len(self.names)

    def lookalikes(self) -> list[str]:
        """A note if names differ only by what nobody sees: blanks around them, or how an accent is written."""
        seen: dict[str, str] = {}
        pairs = []
        for name in self.names:
            look = unicodedata.normalize("NFC", name.translate(_UNSEEN).strip())
            if look in seen:
                pairs.append((seen[look], name))
            seen.setdefault(look, name)
        if not pairs:
            return []
        first, second = map(ascii, pairs[0])
        count = f"{len(pairs)} names look like another {self.kind}'s and are taken for different ones"
        return [f"{count}, such as {first[:80]} and {second[:80]}."]

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
            raise InputError(f"{short(name)} is the label of {len(labeled)} names: {listed(labeled)}.")
        if labeled:
            return self.ids[labeled[0]]
        known = [*self.names, *(labels[other] for other in self.names if other in labels)]
        close = difflib.get_close_matches(name, known, n=3) if len(name) <= _LONGEST_COMPARED else []
        hint = f" Did you mean {' or '.join(map(short, close))}?" if close else ""
        raise InputError(f"unknown {self.kind} {short(name)}: not in the training data.{hint}")
