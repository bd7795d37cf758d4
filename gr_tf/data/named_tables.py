"""Tables in files, all as text: with named columns (CSV, TSV or Parquet), or without."""

import csv
import io
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from gr_tf.data.special_files import refuse_special
from gr_tf.errors import InputError

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
# Other names that people give to columns, without case and underscores.
_ALIASES = {
    "head": ("subject", "h", "s"),
    "relation": ("predicate", "rel", "r", "p"),
    "tail": ("object", "t", "o"),
    "user": ("userid",),
    "item": ("itemid", "movieid", "movie"),
    "rating": ("stars", "score"),
    "time": ("timestamp",),
    "title": ("name", "label"),
}


def table_named(folder: pathlib.Path, stem: str) -> pathlib.Path | None:
    """The file of a folder with this name and one of SUFFIXES, in small letters or capitals; None if there is none.

    Raises:
        InputError: if there are two.
    """
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [path for path in children if path.stem == stem and path.suffix.lower() in SUFFIXES]
    if len(found) > 1:
        raise InputError(f"{folder}: has {' and '.join(path.name for path in found)}; want one of them.")
    return found[0] if found else None


def column_names(path: pathlib.Path) -> tuple[str, ...]:
    """The column names of a file as they stand: of a text file, its first line.

    Raises:
        InputError: if it cannot be read, or is no table.
    """
    if path.suffix.lower() == ".parquet":
        return tuple(map(str, _read_parquet(path).columns))
    return tuple(next((row for row, _ in _rows(path) if row), []))


def places_of(names: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    """Where each of some columns stands, by its name or an alias; without those that stand nowhere."""
    plain = [name.strip().lower().replace("_", "").replace(" ", "") for name in names]
    places = {}
    for column in columns:
        found = [name for name in (column, *_ALIASES.get(column, ())) if name in plain]
        if found:
            places[column] = plain.index(found[0])
    return places


def read_named(path: pathlib.Path, columns: Sequence[str], optional: Sequence[str] = ()) -> tuple[pd.DataFrame, int]:
    """Some columns of a file, by the line where each row ends; and the number of blank lines.

    Args:
        path: .csv (with quotes), .tsv or .txt (fields as they stand), or .parquet.
        columns: that it must have, by these names or other common ones; others are passed over.
        optional: that it may have.

    Raises:
        InputError: naming file, line and value, if a column is missing, a row has not as many fields as the
            first, or a field is empty.
    """
    table, blank = _read_rows(path)
    names = list(map(str, table.columns))
    places = places_of(names, [*columns, *optional])
    missing = [column for column in columns if column not in places]
    if missing:
        raise InputError(
            f"{path}: has no column {', '.join(missing)}; its columns are {', '.join(map(repr, names)) or 'none'}."
        )
    if table.empty:
        raise InputError(f"{path}: empty: no row in it.")
    frame = table.iloc[:, list(places.values())].set_axis(list(places), axis=1)
    refuse_empty(path, frame, places)
    return frame, blank


def read_headless(
    path: pathlib.Path,
    *allowed: Sequence[str],
    separator: str = "\t",
    encoding: str = "utf-8-sig",
    blank_lines: bool = False,
) -> tuple[pd.DataFrame, int]:
    """The fields of a text file without column names as they stand, by their line; and the number of blank lines.

    Args:
        path: the file; its lines end with LF or CRLF.
        allowed: the columns that it may have; the first line tells which, the last are the default.
        separator: between fields.
        encoding: of the file.
        blank_lines: whether blank lines are passed over; else only those at the end are.

    Raises:
        InputError: naming file, line and value, if the file is empty, or a line has not all fields.
    """
    text = read_text(path, encoding)
    if not text.strip():
        raise InputError(f"{path}: empty.")
    lines = re.split("\r?\n", text if blank_lines else text.rstrip("\r\n"))
    if not lines[-1]:
        lines.pop()
    kept = {i: line for i, line in enumerate(lines, start=1) if line.strip() or not blank_lines}
    first = next(iter(kept.values()))
    columns = {len(names): names for names in allowed}.get(first.count(separator) + 1, allowed[-1])
    # pandas.read_csv cannot tell a missing last field from an empty one, and takes separators of one letter only.
    for line_number, line in kept.items():
        count = line.count(separator) + 1
        if count != len(columns):
            want = separator.replace("\t", "<TAB>").join(columns)
            raise InputError(f"{path}:{line_number}: want {want}, got {count} fields: {line!r}.")
    told = "\n".join(kept.values())
    if len(separator) > 1:
        told, separator = told.replace("\t", " ").replace(separator, "\t"), "\t"
    frame = pd.read_csv(
        io.StringIO(told),
        sep=separator,
        lineterminator="\n",
        names=list(columns),
        index_col=False,
        dtype=str,
        keep_default_na=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
    )
    return frame.set_axis(list(kept)), len(lines) - len(kept)


def refuse_empty(path: pathlib.Path, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """
    Raises:
        InputError: naming the file, line and value, if a field of some columns is empty or blank.
    """
    for column in columns:
        empty = frame.index[frame[column].str.strip() == ""]
        if len(empty):
            raise InputError(f"{path}:{empty[0]}: empty {column}: {frame.loc[empty[0]].tolist()}.")


def read_text(path: pathlib.Path, encoding: str = "utf-8-sig") -> str:
    """A text file; by default UTF-8, with or without byte order mark.

    Raises:
        InputError: if it cannot be read, naming the line that is not UTF-8.
    """
    refuse_special(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line_number = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line_number}: not UTF-8: byte {data[error.start]:#04x} ({error.reason}).") from None


def _read_rows(path: pathlib.Path) -> tuple[pd.DataFrame, int]:
    """All columns of a file as text, by the line where each row ends, and how many blank lines there are."""
    if path.suffix.lower() == ".parquet":
        table = _read_parquet(path)
        table = table.astype(object).where(table.notna(), "").astype(str)
        return table.set_axis(range(1, len(table) + 1)), 0
    every = list(_rows(path))
    rows = {line: row for row, line in every if len(row) > 1 or any(map(str.strip, row))}
    names = rows.pop(next(iter(rows))) if rows else []
    for line, row in rows.items():
        if len(row) != len(names):
            raise InputError(f"{path}:{line}: want {len(names)} fields ({', '.join(names)}), got {len(row)}: {row}.")
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=names, dtype=object), len(every) - len(rows) - 1


def _rows(path: pathlib.Path) -> Iterator[tuple[list[str], int]]:
    """The rows of a text file and the lines they end in. Blanks around a CSV's cells are no part of them.

    With the csv module, because pandas.read_csv cannot tell a missing last field from an empty one.
    """
    text = io.StringIO(read_text(path), newline="")
    if path.suffix.lower() == ".csv":
        reader = csv.reader(text, strict=True, skipinitialspace=True)
    else:
        reader = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        for row in reader:
            yield [cell.strip() for cell in row] if path.suffix.lower() == ".csv" else row, reader.line_num
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}.") from None


def _read_parquet(path: pathlib.Path) -> pd.DataFrame:
    refuse_special(path)
    try:
        return pd.read_parquet(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except ValueError as error:  # pyarrow's ArrowInvalid too
        raise InputError(f"{path}: not a Parquet file: {' '.join(str(error).split())}") from None
