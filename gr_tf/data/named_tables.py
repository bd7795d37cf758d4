"""Tables in files, all as text: with named columns (CSV, TSV or Parquet), or without."""

import csv
import io
import pathlib
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from gr_tf.data.columns import how_to_name
from gr_tf.data.parquet_files import as_text, read_parquet
from gr_tf.data.text_files import read_text
from gr_tf.errors import InputError, argument, at, listed, short

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
# The columns of numbers or dates; all others are of names.
_NUMBERS = ("rating", "time")
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
# What a CSV may be separated by instead of commas.
_SEPARATORS = (";", "\t", "|")
# No column is named by the user.
_NOTHING: Mapping[str, str] = types.MappingProxyType({})


def table_named(folder: pathlib.Path, stem: str) -> pathlib.Path | None:
    """The file of a folder with this name (of small letters) and one of SUFFIXES, in any letters; None: there is none.

    Raises:
        InputError: if there are two.
    """
    children = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [path for path in children if path.stem.lower() == stem and path.suffix.lower() in SUFFIXES]
    if len(found) > 1:
        raise InputError(f"{folder}: has {' and '.join(path.name for path in found)}; want one of them.")
    return found[0] if found else None


def column_names(path: pathlib.Path) -> tuple[str, ...]:
    """The column names of a file as they stand: of a text file, its first line.

    Raises:
        InputError: if it cannot be read, or is no table.
    """
    if path.suffix.lower() == ".parquet":
        return tuple(map(str, read_parquet(path).columns))
    names = tuple(next((row for row, _ in _rows(path) if row), []))
    _refuse_separator(path, names)
    return names


def _refuse_separator(path: pathlib.Path, names: Sequence[str]) -> None:
    """Refuses a CSV whose columns are not separated by commas.

    Raises:
        InputError: if it has one column only, whose name has another common separator in it.
    """
    found = [one for one in _SEPARATORS if len(names) == 1 and one in names[0]]
    if found and path.suffix.lower() == ".csv":
        told = f"{path}: its columns seem to be separated by {short(found[0])}, not by commas: {short(names[0])}"
        raise InputError(f"{told}; write it with commas, or with tabs as a .tsv file.")


def places_of(names: Sequence[str], columns: Sequence[str], named: Mapping[str, str] = _NOTHING) -> dict[str, int]:
    """Where each of some columns stands; without those that stand nowhere.

    Args:
        names: of the table's columns.
        columns: what is looked for: by the user's name for it, or else by its own name or an alias.
        named: the user's names of columns by what is in them; they are taken for nothing else.
    """
    given = [name.strip() for name in names]
    plain = ["" if name in named.values() else one for name, one in zip(given, _plain(names), strict=True)]
    places = {}
    for column in columns:
        if column in named:
            found, among = [named[column]] if named[column] in given else [], given
        else:
            found, among = [name for name in (column, *_ALIASES.get(column, ())) if name in plain], plain
        if found:
            places[column] = among.index(found[0])
    return places


def header_notes(path: pathlib.Path, columns: Sequence[str], otherwise: str) -> list[str]:
    """Notes on the first line of a file, which may have column names or not: how it was read, if that is a guess.

    Args:
        path: a .tsv or .txt file.
        columns: the names that are looked for.
        otherwise: what the first line would be if it has no names.
    """
    first = column_names(path)
    found = len(places_of(first, columns))
    told = f"{path.name}: the first line, {listed(first)}, was taken for"
    if found == len(columns):
        is_certain = set(columns) <= set(_plain(first))
        add = "<TAB>".join(columns)
        return (
            [] if is_certain else [f"{told} the names of columns, not for {otherwise}; a line {add} before it says so."]
        )
    return [f"{told} {otherwise}, not for the names of columns."] if found > 1 else []


def _plain(names: Sequence[str]) -> list[str]:
    return [name.strip().lower().replace("_", "").replace(" ", "") for name in names]


def notes_of(frame: pd.DataFrame) -> list[str]:
    """What the reader of a table passed over or found strange, a line each."""
    return list(frame.attrs.get("notes", ()))


def read_named(
    path: pathlib.Path,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    named: Mapping[str, str] = _NOTHING,
) -> pd.DataFrame:
    """Some columns of a file, by the line where each row ends; blank lines are told in `notes_of`.

    Args:
        path: .csv (with quotes), .tsv or .txt (fields as they stand), or .parquet (see data.parquet_files).
        columns: that it must have, by these names or other common ones; others are passed over.
        optional: that it may have.
        named: see places_of; it must have these of `columns` and `optional`.

    Raises:
        InputError: naming file, line and value, if a column is missing or there twice, a row has not as many fields
            as the first, or a field is empty.
    """
    if path.suffix.lower() == ".parquet":
        table = read_parquet(path)
        return chosen_columns(path, table.set_axis(range(1, len(table) + 1)), columns, optional, named, is_text=False)
    table, notes = _read_rows(path)
    frame = chosen_columns(path, table, columns, optional, named)
    frame.attrs["notes"] = [*notes, *notes_of(frame)]
    return frame


def chosen_columns(
    path: pathlib.Path | str,
    table: pd.DataFrame,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    named: Mapping[str, str] = _NOTHING,
    *,
    is_text: bool = True,
) -> pd.DataFrame:
    """Some columns of a table as text.

    Args:
        path: the file, or the name of a DataFrame; for messages.
        table: by line or row.
        columns, optional, named: see read_named.
        is_text: whether all cells are text already; else see as_text.

    Raises:
        InputError: as read_named.
    """
    names = list(map(str, table.columns))
    places = places_of(names, [*columns, *optional], named)
    for column in [*columns, *optional]:
        if column in named and column not in places:
            told = f"has no column {short(named[column])}, which {argument('columns')} names for the {column}"
            raise InputError(f"{path}: {told}; its columns are {listed(names) or 'none'}.")
    missing = [column for column in columns if column not in places]
    if missing:
        told = how_to_name(names, missing)
        if not isinstance(path, pathlib.Path):
            told = f"; its columns are {listed(names) or 'none'}. Rename them with {path}.rename(columns=...)."
        raise InputError(f"{path}: has no column {', '.join(missing)}{told}")
    _refuse_twice(path, names, places, named)
    notes = _passed_over(path, names, places, named)
    if table.empty:
        raise InputError(f"{path}: empty: no row in it.")
    frame = table.iloc[:, list(places.values())].set_axis(list(places), axis=1)
    if not is_text:
        text = {name: as_text(path, name, frame[name], is_number=name in _NUMBERS) for name in places}
        frame = pd.DataFrame(text, dtype=object)
    refuse_empty(path, frame, places)
    frame.attrs["notes"] = notes
    return frame


def _refuse_twice(
    path: pathlib.Path | str, names: Sequence[str], places: Mapping[str, int], named: Mapping[str, str]
) -> None:
    """Refuses two columns that are each what one column is looked for under.

    Raises:
        InputError: naming both.
    """
    plain = _plain(names)
    for column, place in places.items():
        if column in named:
            same = [name for name in names if name.strip() == named[column]]
        else:
            # One's own name of a column goes before its aliases.
            meant = (column,) if plain[place] == column else _ALIASES[column]
            free = [name for name in names if name.strip() not in named.values()]
            same = [name for name, one in zip(free, _plain(free), strict=True) if one in meant]
        if len(same) > 1:
            raise InputError(f"{path}: several columns may be the {column}: {listed(same)}; keep one of them.")


def _passed_over(
    path: pathlib.Path | str, names: Sequence[str], places: Mapping[str, int], named: Mapping[str, str]
) -> list[str]:
    """Notes on columns with another common name of what is in a column that was read."""
    notes = []
    for column, place in places.items():
        others = [
            name
            for i, (name, plain) in enumerate(zip(names, _plain(names), strict=True))
            if plain in (column, *_ALIASES.get(column, ())) and i not in places.values()
        ]
        if others and column not in named:
            told = f"column {short(names[place])} is the {column}"
            source = path.name if isinstance(path, pathlib.Path) else path
            notes.append(f"{source}: {told}; {listed(others)}, which may be too, was passed over.")
    return notes


def read_headless(
    path: pathlib.Path,
    *allowed: Sequence[str],
    separator: str = "\t",
    encoding: str = "utf-8-sig",
    blank_lines: bool = False,
) -> pd.DataFrame:
    """The fields of a text file without column names as they stand, by their line; blank lines are told in `notes_of`.

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
            raise InputError(f"{path}:{line_number}: want {want}, got {count} fields: {short(line)}.")
        if len(separator) > 1 and "\t" in line:
            raise InputError(f"{path}:{line_number}: has a tab in a field: {short(line)}.")
    told = "\n".join(kept.values())
    if len(separator) > 1:
        told, separator = told.replace(separator, "\t"), "\t"
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
    frame = frame.set_axis(list(kept))
    frame.attrs["notes"] = _blank_notes(path, len(lines) - len(kept))
    return frame


def _blank_notes(path: pathlib.Path, blank: int) -> list[str]:
    return [f"{path.name}: {blank} blank lines passed over."] if blank else []


def refuse_empty(path: pathlib.Path | str, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """
    Raises:
        InputError: naming the file, line and value, if a field of some columns is empty or blank.
    """
    for column in columns:
        empty = frame.index[frame[column].str.strip() == ""]
        if len(empty):
            raise InputError(f"{at(path, empty[0])}: empty {column}: [{listed(frame.loc[empty[0]])}].")


def labels_of(path: pathlib.Path | str, names: pd.Series, labels: pd.Series) -> dict[str, str]:
    """The labels by name of two columns by line.

    Raises:
        InputError: naming file, line and value, if a name has two labels.
    """
    first = labels.groupby(names).transform("first")
    before = "in a line before" if isinstance(path, pathlib.Path) else "in a row before"
    for line in labels.index[labels != first]:
        told = f"{short(labels[line])} is the label of {short(names[line])}"
        raise InputError(f"{at(path, line)}: {told}, which is {short(first[line])} {before}.")
    return dict(zip(names, labels, strict=True))


def _read_rows(path: pathlib.Path) -> tuple[pd.DataFrame, list[str]]:
    """All columns of a text file, by the line where each row ends, and notes."""
    every = list(_rows(path))
    rows = {line: row for row, line in every if len(row) > 1 or any(map(str.strip, row))}
    names = rows.pop(next(iter(rows))) if rows else []
    _refuse_separator(path, names)
    for line, row in rows.items():
        if len(row) != len(names):
            raise InputError(
                f"{path}:{line}: want {len(names)} fields ({', '.join(names[:10])}), got {len(row)}: [{listed(row)}]."
            )
    frame = pd.DataFrame(list(rows.values()), index=list(rows), columns=names, dtype=object)
    return frame, _blank_notes(path, len(every) - len(rows) - 1)


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
