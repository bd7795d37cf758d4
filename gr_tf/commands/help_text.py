"""Makes the text of `gr_tf COMMAND --help` from the command's docstring, and its flags as they are defined."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import flags

# A title, and the names of the flags under it.
Section = tuple[str, Sequence[str]]
_WIDTH = 110


def text(doc: str, sections: Sequence[Section], after_doc: str = "") -> str:
    """The help of a command: its docstring, the text `after_doc`, and the flags of its sections."""
    parts = [doc.strip(), after_doc.strip()]
    for title, names in sections:
        parts.append("\n".join([f"{title}:", *(line for name in names for line in _told(flags.FLAGS[name]))]))
    return "\n\n".join(part for part in parts if part)


def table(rows: Mapping[str, str]) -> str:
    """A table of names and their meanings, each on one or several lines."""
    width = max(map(len, rows)) + 4
    return "\n".join(
        textwrap.fill(what, _WIDTH, initial_indent=f"  {name}".ljust(width), subsequent_indent=" " * width)
        for name, what in rows.items()
    )


def _told(flag: Any) -> Iterator[str]:
    """The lines of a flag, two or more."""
    choices = "|".join(getattr(flag.parser, "enum_values", None) or [])
    value = choices or _VALUES.get(flag.flag_type(), "TEXT")
    yield f"  --[no]{flag.name}" if flag.boolean else f"  --{flag.name}={value}"
    # absl puts the values of an enumeration before its help.
    told = flag.help.removeprefix(f"<{choices}>: ")
    told = told[:1].upper() + told[1:]
    default = flag.default_unparsed if flag.default not in (None, "", [], False) else None
    if default is not None and "Default:" not in told:
        told += f" Default: {plain(default)}."
    yield textwrap.fill(told, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)


_VALUES = {"int": "NUMBER", "float": "NUMBER", "comma separated list of strings": "A,B,..."}


def plain(default: Any) -> str:
    """A default as one would write it on the command line."""
    return ",".join(map(str, default)) if isinstance(default, list | tuple) else str(default)
