"""Errors that a user can correct, and how they show what was wrong."""

import pathlib
from collections.abc import Iterable

# A message shows so many characters of a value, and so many values.
_MOST_CHARACTERS, _MOST_VALUES = 80, 10


class InputError(ValueError):
    """Something the user gave is wrong; the message is one line that says where and what."""


class DamagedError(InputError):
    """A file that gr_tf wrote is no longer what it wrote; whatever reads it cannot go on."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the step and the example."""


def at(source: pathlib.Path | str, row: object) -> str:
    """Where a row is: FILE:LINE, or the row of a DataFrame as Python finds it, by the name of the argument."""
    return f"{source}:{row}" if isinstance(source, pathlib.Path) else f"{source}.iloc[{row}]"


def short(value: object) -> str:
    """A value as Python writes it, cut if it is long: what a message shows of what the user gave."""
    text = repr(value)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[: _MOST_CHARACTERS - 20]}... ({len(text):,} characters)"


def listed(values: Iterable[object]) -> str:
    """The first few of some values, see `short`, and how many more there are."""
    values = list(values)
    more = [f"{len(values) - _MOST_VALUES:,} more"] if len(values) > _MOST_VALUES else []
    return ", ".join([*map(short, values[:_MOST_VALUES]), *more])
