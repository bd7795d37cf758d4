"""Names and their ids."""

import dataclasses
import decimal
import difflib
import functools
import re
import types
import unicodedata
from collections.abc import Callable, Iterable, Mapping

from gr_tf.errors import InputError, listed, short

# Characters without width: byte order mark, zero-width space, soft hyphen.
_UNSEEN = dict.fromkeys(map(ord, "\ufeff\u200b\u00ad"))
# Names that are like longer ones are not looked for: it takes long.
_LONGEST_COMPARED = 200
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")
_NOTHING: Mapping[str, str] = types.MappingProxyType({})


def folded(text: str) -> str:
    """A text as a search compares it: without case, accents, and blanks around it."""
    plain = unicodedata.normalize("NFKD", text.translate(_UNSEEN).strip().casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


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

    @property
    def what(self) -> str:
        """What one of the names names, with its article."""
        return f"{'an' if self.kind[0] in 'aeio' else 'a'} {self.kind}"

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

    def id_of(
        self,
        name: str,
        labels: Mapping[str, str] = _NOTHING,
        why_absent: Callable[[str], str | None] = lambda name: None,
    ) -> int:
        """The id of a name, or of the one name with this label, or of what `with_name` makes of both.

        Args:
            name: a name or a label.
            labels: what people call things, by name; not unique.
            why_absent: why a name is not here that the files have, as the end of a sentence; None: they do not have it.

        Raises:
            InputError: if the name is unknown, with close ones suggested, or the label ambiguous.
        """
        if name in self.ids:
            return self.ids[name]
        labeled = [other for other in self.names if labels.get(other) == name]
        labeled = labeled or [one for one in self.names if one in labels and with_name(labels[one], one) == name]
        if len(labeled) > 1:
            raise InputError(
                f"{short(name)} is the label of {len(labeled)} names: {listed(labeled)}; ask with one of these names."
            )
        if labeled:
            return self.ids[labeled[0]]
        why = why_absent(name)
        if why is not None:
            raise InputError(f"{self.kind} {short(name)} {why}.")
        close = [_told(other, labels) for other in self.close_to(name, labels)]
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise InputError(f"unknown {self.kind} {short(name)}: not in the training data.{hint}")

    def close_to(self, text: str, labels: Mapping[str, str] = _NOTHING, count: int = 3) -> list[str]:
        """The names that are like a text, or whose labels are.

        First those that differ by case or accents only, then those that are the same number, such as 003 and 3.
        """
        if len(text) > _LONGEST_COMPARED:
            return []
        known: dict[str, list[str]] = {}
        for name in self.names:
            for written in {name, labels.get(name, name)}:
                known.setdefault(folded(written), []).append(name)
        asked, number = folded(text), _number(text)
        same = [] if number is None else [one for one in known if _number(one) == number]
        close = difflib.get_close_matches(asked, known, n=count)
        return list(dict.fromkeys(name for one in (asked, *same, *close) for name in known.get(one, ())))[:count]


def _number(text: str) -> decimal.Decimal | None:
    """The number that a name is, if it is one: 003, 3, and 3.0 are the same."""
    return decimal.Decimal(text) if _NUMBER.fullmatch(text) else None


def with_name(label: str, name: str) -> str:
    """What people call it, with its name, because they call others so too."""
    return f"{label} ({name})"


def _told(name: str, labels: Mapping[str, str]) -> str:
    """A name with its label, if it has another."""
    label = labels.get(name, name)
    return short(name) if label == name else f"{short(name)} ({short(label)})"
