"""What `gr_tf COMMAND --help` prints: the command's docstring, and its flags as they are defined."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

# Flags under a title.
Section = tuple[str, Sequence[str]]
_WIDTH = 110


def text(doc: str, sections: Sequence[Section], after_doc: str = "") -> str:
    """The help of a command.

    Args:
        doc: its docstring.
        sections: its flags, in the order of reading.
        after_doc: what comes between them.
    """
    parts = [doc.strip(), after_doc.strip()]
    for title, names in sections:
        parts.append("\n".join([f"{title}:", *(line for name in names for line in _told(flags.FLAGS[name]))]))
    return "\n\n".join(part for part in parts if part)


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Names and what they are, a line or several each."""
    width = max(len(name) for name, _ in rows) + 4
    lines = []
    for name, what in rows:
        first = f"  {name}".ljust(width)
        lines.append(textwrap.fill(what, _WIDTH, initial_indent=first, subsequent_indent=" " * width))
    return "\n".join(lines)


def _told(flag: Any) -> Iterator[str]:
    """A flag in two lines or more."""
    if flag.boolean:
        yield f"  --[no]{flag.name}"
    else:
        choices = getattr(flag.parser, "enum_values", None)
        yield f"  --{flag.name}={'|'.join(choices) if choices else _VALUES.get(flag.flag_type(), 'TEXT')}"
    # absl puts the values of an enumeration before its help.
    told = flag.help.removeprefix(f"<{'|'.join(getattr(flag.parser, 'enum_values', None) or [])}>: ")
    told = told[:1].upper() + told[1:]
    default = flag.default_unparsed if flag.default not in (None, "", [], False) else None
    if default is not None and "Default:" not in told:
        told += f" Default: {plain(default)}."
    yield textwrap.fill(told, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)


_VALUES = {"int": "NUMBER", "float": "NUMBER", "comma separated list of strings": "A,B,..."}


def plain(default: Any) -> str:
    """A default as it is given on the command line."""
    return ",".join(map(str, default)) if isinstance(default, list | tuple) else str(default)
