"""Errors that a user can correct, and how they show what was wrong."""

import numbers
import pathlib
import re
from collections.abc import Iterable

# A message shows so many characters of a value, and so many values.
_MOST_CHARACTERS, _MOST_VALUES = 80, 10
# They enclose both names that `argument` gives. Lone halves of a pair of UTF-16 cannot be written as UTF-8, so that no
# file, path, or command line has them, and what the user wrote is never taken for an argument.
_BEGIN, _BETWEEN, _END = "\ud800", "\ud801", "\ud802"
_ARGUMENT = re.compile(f"{_BEGIN}([^{_BETWEEN}]*){_BETWEEN}([^{_END}]*){_END}")


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line that says where and what.

    Its text is for callers in Python. Where it names what can be set, see `argument`, commands name flags instead.

    Attributes:
        marked: the message as it was given, which keeps both names: for a message that has this one in it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_ARGUMENT.sub(r"\1", message))
        self.marked = message

    @property
    def on_command_line(self) -> str:
        """The message for people who run a command."""
        return _ARGUMENT.sub(r"\2", self.marked)


class DamagedError(InputError):
    """A file that gr_tf wrote is no longer what it wrote; whatever reads it cannot go on."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the step and the example."""


def argument(name: str, *values: object, flag: str | None = None) -> str:
    """What a caller can set, for an InputError: method='gr' in Python, --method=gr on the command line.

    Args:
        name: of the argument.
        values: that are good; or the one that is not. Default: the name says enough.
        flag: its name, if it is another.
    """
    return f"{_BEGIN}{_given(name, map(repr, values))}{_BETWEEN}{_as_flag(flag or name, values)}{_END}"


def whole_number(name: str, value: object, least: int = 1, *, flag: str | None = None, why: str = "") -> int:
    """A number that a caller gave, if it is a whole one and large enough.

    Args:
        name, flag: see argument.
        value: what was given.
        least: the least that is good.
        why: why it is the least, as the end of a sentence.

    Raises:
        InputError: if it is not.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise InputError(f"{argument(name, flag=flag)} must be a whole number; got {short(value)}.")
    if value < least:
        raise InputError(f"{argument(name, flag=flag)} must be at least {least}{why}; got {value}.")
    return int(value)


def _as_flag(name: str, values: tuple[object, ...]) -> str:
    if len(values) == 1 and isinstance(values[0], bool):
        return f"--{name}" if values[0] else f"--no{name}"
    return "--" + _given(name, map(str, values))


def _given(name: str, values: Iterable[str]) -> str:
    """A name with one of some values."""
    *first, last = [*values] or [""]
    commas = f"{', '.join(first)}{',' if len(first) > 1 else ''} or " if first else ""
    return f"{name}={commas}{last}" if first or last else name


def at(source: pathlib.Path | str, row: object) -> str:
    """Where a row is: FILE:LINE, or the row of a DataFrame as Python finds it, by the name of the argument."""
    return f"{source}:{row}" if isinstance(source, pathlib.Path) else f"{source}.iloc[{row}]"


def short(value: object) -> str:
    """A value as Python writes it, in one line, cut if it is long: what a message shows of what the user gave."""
    text = repr(value)
    if "\n" in text:  # Of a Series or an array; never of a text.
        text = " ".join(text.split())
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[: _MOST_CHARACTERS - 20]}... ({len(text):,} characters)"


def listed(values: Iterable[object]) -> str:
    """The first few of some values, see `short`, and how many more there are."""
    values = list(values)
    more = [f"{len(values) - _MOST_VALUES:,} more"] if len(values) > _MOST_VALUES else []
    return ", ".join([*map(short, values[:_MOST_VALUES]), *more])
