"""Reads influences that anybody computed, by any program: a row for each query, a column for each training example."""

import csv
import io
import pathlib
import zipfile

import numpy as np

from gr_tf.data.text_files import read_text
from gr_tf.errors import InputError, listed, short
from gr_tf.runs import files

SUFFIXES = (".npy", ".npz", ".csv")


def read_influences(path: pathlib.Path, shape: tuple[int, int]) -> np.ndarray:
    """Influences [num_queries, num_examples], float64.

    Args:
        path: a .npy file; a .npz file of one array; or a .csv file of numbers only, a line for each query.
        shape: num_queries, num_examples.

    Raises:
        InputError: if the file cannot be read, has another shape, or has what is not a finite number; or if a query's
            influences are all the same.
    """
    files.refuse_special(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: want influences in a file whose name ends in {', '.join(SUFFIXES)}.")
    found = _read_csv(path, shape) if path.suffix == ".csv" else _read_arrays(path)
    if found.shape != shape:
        hint = " It is the transpose: queries are rows." if found.shape == shape[::-1] else ""
        want = f"{shape[0]} queries (rows) and {shape[1]} training examples (columns)"
        raise InputError(f"{path}: want influences of {want}; got the shape {list(found.shape)}.{hint}")
    if found.dtype.kind not in "iuf":
        raise InputError(f"{path}: want real numbers; got {found.dtype}.")
    found = found.astype(np.float64)
    if not np.isfinite(found).all():
        query, example = np.argwhere(~np.isfinite(found))[0]
        where = f"query {query}, example {example} (counted from 0)"
        raise InputError(
            f"{path}: {where}: got {found[query, example]}; want finite numbers, 0 for what is not ranked."
        )
    same = np.flatnonzero(np.ptp(found, axis=1) == 0)
    if len(same):
        query = same[0]
        raise InputError(f"{path}: query {query} (counted from 0): all its influences are {found[query, 0]:g}.")
    return found


def _read_arrays(path: pathlib.Path) -> np.ndarray:
    """The array of a .npy file, or the only one of a .npz file."""
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            if len(found.files) != 1:
                raise InputError(f"{path}: want one array; got {len(found.files)}: {listed(found.files)}.")
            return np.asarray(found[found.files[0]])
    except InputError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise InputError(f"{path}: not an array of NumPy: {short(str(error))}.") from None


def _read_csv(path: pathlib.Path, shape: tuple[int, int]) -> np.ndarray:
    """The numbers of a .csv file, without names of columns."""
    rows: list[np.ndarray] = []
    for number, cells in enumerate(csv.reader(io.StringIO(read_text(path), newline="")), 1):
        if not cells:
            continue
        if len(cells) != shape[1]:
            raise InputError(f"{path}:{number}: want {shape[1]} numbers, one for each example; got {len(cells)}.")
        try:
            rows.append(np.array(cells, np.float64))
        except ValueError:
            raise InputError(f"{path}:{number}: {short(_first_odd(cells))} is not a number.") from None
    return np.array(rows).reshape(len(rows), shape[1])


def _first_odd(cells: list[str]) -> str:
    for cell in cells:
        try:
            float(cell)
        except ValueError:
            return cell
    return cells[0]
