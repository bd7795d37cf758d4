"""Tables of one's own with named columns: CSV, TSV or Parquet."""

import csv
import io
import pathlib
from collections.abc import Iterator, Sequence

import pandas as pd

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


def suffix_of(path: pathlib.Path) -> str:
    """The suffix that tells how a file is read: in small letters."""
    return path.suffix.lower()


def table_named(folder: pathlib.Path, stem: str) -> pathlib.Path | None:
    """The file of a folder with this name and one of SUFFIXES, in small letters or capitals; None if there is none.

    Raises:
        InputError: if there are two.
    """
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [path for path in children if path.stem == stem and suffix_of(path) in SUFFIXES]
    if len(found) > 1:
        raise InputError(f"{folder}: has {' and '.join(path.name for path in found)}; want one of them.")
    return found[0] if found else None


def column_names(path: pathlib.Path) -> tuple[str, ...]:
    """The column names of a file as they stand: of a text file, its first line.

    Raises:
        InputError: if it cannot be read, or is no table.
    """
    if suffix_of(path) == ".parquet":
        return tuple(map(str, _read_parquet(path).columns))
    return tuple(next((row for row, _ in _rows(path) if row), []))


def places_of(names: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    """Where each of some columns stands, by its name or an alias; without those that stand nowhere."""
    plain = [name.strip().lower().replace("_", "").replace(" ", "") for name in names]
    places = {}
    for column in columns:
        for candidate in (column, *_ALIASES.get(column, ())):
            if candidate in plain:
                places[column] = plain.index(candidate)
                break
    return places


def read_named(path: pathlib.Path, columns: Sequence[str], optional: Sequence[str] = ()) -> tuple[pd.DataFrame, int]:
    """Some columns of a file as text and a column line, where each row ends; and the number of blank lines.

    Args:
        path: .csv (with quotes), .tsv or .txt (fields as they stand), or .parquet.
        columns: that it must have, by these names or other common ones; others are passed over.
        optional: that it may have.

    Raises:
        InputError: naming file, line and value, if a column is missing, a row has not as many fields as the
            first, or a field is empty.
    """
    if suffix_of(path) == ".parquet":
        table = _read_parquet(path)
        frame = table.astype(object).where(table.notna(), "").astype(str)
        names, rows = list(map(str, frame.columns)), frame.to_numpy(dtype=object).tolist()
        lines, blank = list(range(1, len(rows) + 1)), 0
    else:
        names, rows, lines, blank = _read_rows(path)
    places = places_of(names, [*columns, *optional])
    missing = [column for column in columns if column not in places]
    if missing:
        raise InputError(
            f"{path}: has no column {', '.join(missing)}; its columns are {', '.join(map(repr, names)) or 'none'}."
        )
    if not rows:
        raise InputError(f"{path}: empty: no row in it.")
    frame = pd.DataFrame({column: [row[place] for row in rows] for column, place in places.items()}, dtype=object)
    frame["line"] = lines
    for column in places:
        empty = frame[frame[column].str.strip() == ""]
        if len(empty):
            raise InputError(f"{path}:{empty.line.iloc[0]}: empty {column}: {rows[empty.index[0]]}.")
    return frame, blank


def read_text(path: pathlib.Path) -> str:
    """A UTF-8 file, with or without byte order mark.

    Raises:
        InputError: if it cannot be read, naming the line that is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_number = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line_number}: not UTF-8: byte {data[error.start]:#04x} ({error.reason}).") from None


def _read_rows(path: pathlib.Path) -> tuple[list[str], list[list[str]], list[int], int]:
    """The column names of a text file, its rows, the line that each ends in, and how many blank ones there are."""
    names: list[str] = []
    rows, lines, blank = [], [], 0
    for row, line in _rows(path):
        if not any(cell.strip() for cell in row) and len(row) < 2:
            blank += 1
        elif not names:
            names = row
        elif len(row) != len(names):
            raise InputError(f"{path}:{line}: want {len(names)} fields ({', '.join(names)}), got {len(row)}: {row}.")
        else:
            rows.append(row)
            lines.append(line)
    return names, rows, lines, blank


def _rows(path: pathlib.Path) -> Iterator[tuple[list[str], int]]:
    """The rows of a text file and the lines they end in. Blanks around a CSV's cells are no part of them.

    With the csv module, because pandas.read_csv cannot tell a missing last field from an empty one.
    """
    text = io.StringIO(read_text(path), newline="")
    if suffix_of(path) == ".csv":
        reader = csv.reader(text, strict=True, skipinitialspace=True)
    else:
        reader = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        for row in reader:
            yield [cell.strip() for cell in row] if suffix_of(path) == ".csv" else row, reader.line_num
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}.") from None


def _read_parquet(path: pathlib.Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except ValueError as error:  # pyarrow's ArrowInvalid too
        raise InputError(f"{path}: not a Parquet file: {' '.join(str(error).split())}") from None
