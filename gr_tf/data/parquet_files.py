"""Parquet files as tables of text: what a cell means as a name, and no cell that would silently become another."""

import datetime
import decimal
import math
import pathlib
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.errors import InputError, at, short
from gr_tf.runs import files

# From here on neighbouring whole numbers are the same float.
_INEXACT = 2.0**53


def read_parquet(path: pathlib.Path) -> pd.DataFrame:
    """The columns of a Parquet file as they are.

    Raises:
        InputError: if it cannot be read, or is none.
    """
    files.refuse_special(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; want one Parquet file.")
    try:
        return pd.read_parquet(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except ValueError as error:  # pyarrow's ArrowInvalid too
        raise InputError(f"{path}: not a Parquet file: {' '.join(str(error).split())}") from None


def as_text(path: pathlib.Path | str, column: str, cells: pd.Series, *, is_number: bool) -> pd.Series:
    """A column as text; a missing cell is an empty text.

    Whole numbers that are held as floats (as pandas holds a column with gaps) are written as whole numbers. Dates
    become nanoseconds since 1970 (UTC, if they have no time zone).

    Args:
        path: the file, or the name of a DataFrame; for messages.
        column: the column's name.
        cells: by row.
        is_number: whether the column is of numbers or dates, not of names.

    Raises:
        InputError: naming the row and the value, if a name is a fraction, a date, a truth value, or a list, or is held
            so that it may have lost digits.
    """
    cells = cells.astype(object)
    kinds = set(map(type, cells))
    if kinds == {str}:
        text = cells
    elif kinds == {int}:
        text = cells.map(str)
    else:
        text = pd.Series(
            [_text(path, column, row, cell, is_number) for row, cell in cells.items()], cells.index, dtype=object
        )
    nul = text.index[text.str.contains("\0", regex=False)]
    if len(nul):
        raise InputError(f"{at(path, nul[0])}: the {column} has a NUL character: {short(text[nul[0]])}.")
    return text


def _text(path: pathlib.Path | str, column: str, row: object, cell: Any, is_number: bool) -> str:
    if isinstance(cell, str):
        return cell
    if np.ndim(cell) == 0 and not isinstance(cell, dict) and pd.isna(cell):
        return ""
    why = {"bool": "a truth value", "bool_": "a truth value", "ndarray": "a list", "bytes": "bytes"}.get(
        type(cell).__name__, "no text"
    )
    if isinstance(cell, int | float | np.integer | np.floating | decimal.Decimal) and not isinstance(cell, bool):
        if is_number:
            return str(cell)
        if math.isinf(cell) or cell != math.floor(cell):
            why = "not a whole number"
        elif isinstance(cell, float | np.floating) and abs(float(cell)) >= _INEXACT:
            why = "a number too large to be exact"
        else:
            return str(int(cell))
    elif isinstance(cell, datetime.date):
        if is_number:
            time = pd.Timestamp(cell)
            return str((time.tz_localize("UTC") if time.tz is None else time).value)
        why = "a date"
    want = "a number" if is_number else "text or whole numbers"
    raise InputError(f"{at(path, row)}: the {column} is {why}: {short(cell)}; want {want}.")
