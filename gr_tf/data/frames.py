"""Data in DataFrames: the same columns, checks and messages as of files, with a frame's row instead of a file's line.

Columns have the names that files' columns have (see data.named_tables), in any order, and others are passed over; or
they are numbered 0, 1, 2 as pandas numbers the columns of a file without names. Names are text or whole numbers.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from gr_tf.data.named_tables import chosen_columns
from gr_tf.errors import InputError, at, short

# What people call things: by name, or columns of names and of what they are called.
Names = pd.DataFrame | Mapping[Any, Any] | pd.Series
# The source of a dataset whose data are in no file.
IN_MEMORY = "a DataFrame"
# The argument that takes the training data, for messages; the table of triples is called so, too.
MAIN = "train"
DEFAULT_NAME = "frame"
# By kind: the columns that a frame must have, and may have; the main table's name among files; those of names.
_COLUMNS = {
    "triples": (("head", "relation", "tail"), ()),
    "ratings": (("user", "item", "rating"), ("time",)),
    "sequences": (("user", "item"), ("time",)),
    "choices": (("user", "item"), ("rating",)),
}
_FILES = {"triples": (MAIN, "entity_labels")}
_FILES |= {kind: (kind, "items") for kind in ("ratings", "sequences", "choices")}
_NAMES = {"triples": ("labels", ("entity", "label")), "ratings": ("titles", ("item", "title"))}
_NAMES |= dict.fromkeys(("sequences", "choices"), _NAMES["ratings"])

# Where files have what is an argument beside a DataFrame.
_ELSEWHERE = {
    "valid": "a file valid.csv, .tsv, or .parquet",
    "test": "a file test.csv, .tsv, or .parquet",
    "labels": "a file entity_labels.tsv",
    "titles": "a file items.csv, .tsv, or .parquet",
    "name": "the name dataset",
}


@dataclasses.dataclass(frozen=True, eq=False)
class FrameData:
    """Data of one kind from DataFrames, as text.

    Attributes:
        kind: of the data: triples, ratings, or sequences.
        tables: as text, by the name that a file of them would have; the index is the frame's row.
    """

    kind: str
    tables: Mapping[str, pd.DataFrame]

    @classmethod
    def of(
        cls,
        kind: str,
        train: pd.DataFrame,
        *,
        valid: pd.DataFrame | None = None,
        test: pd.DataFrame | None = None,
        names: Names | None = None,
        data_dir: str | pathlib.Path | None = None,
        columns: str | Mapping[str, str] | None = None,
    ) -> "FrameData":
        """Checks DataFrames.

        Args:
            kind: triples, ratings, or sequences.
            train: the examples; of ratings and sequences, all of them.
            valid, test: of triples: more of them.
            names: what people call entities or items.
            data_dir, columns: a folder, or names of a file's columns, which are named too by mistake.

        Raises:
            InputError: naming the frame, its row and the value, if a column is missing or there twice, a field is
                empty, or is not what the column is of; or if a frame is not for this kind.
        """
        if data_dir is not None:
            raise InputError(f"the data are {MAIN}, a DataFrame, or in data_dir, not both; got {short(str(data_dir))}.")
        refuse_named_columns(columns)
        main, named = _FILES[kind]
        wanted, optional = _COLUMNS[kind]
        tables = {main: _table(MAIN, train, wanted, optional)}
        for part, frame in (("valid", valid), ("test", test)):
            if frame is not None and kind != "triples":
                raise InputError(f"{part} is for triples; of {kind}, some of each user's are held out of {MAIN}.")
            if frame is not None:
                tables[part] = _table(part, frame, wanted, optional)
        if names is not None:
            what, of_names = _NAMES[kind]
            if isinstance(names, Mapping | pd.Series):
                names = pd.DataFrame(list(names.items()), columns=list(of_names))
            tables[named] = _table(what, names, of_names)
        return cls(kind, tables)

    @property
    def main(self) -> pd.DataFrame:
        """The table of examples."""
        return self.tables[_FILES[self.kind][0]]

    @property
    def names(self) -> pd.DataFrame | None:
        """The table of what people call entities or items, if there is one."""
        return self.tables.get(_FILES[self.kind][1])

    def name(self, asked: str | None, published: Collection[str]) -> str:
        """What to call the dataset.

        Raises:
            InputError: if a published dataset is called so, which others settings are for.
        """
        if asked in published:
            raise InputError(
                f"{short(asked)} is the name of a published dataset: call the data of a DataFrame otherwise."
            )
        return asked or DEFAULT_NAME

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all tables; no cell has a NUL, which separates them."""
        digest = hashlib.sha256(self.kind.encode())
        for name, table in self.tables.items():
            digest.update("\0".join(("", name, *table.columns, "")).encode())
            for column in table:
                digest.update("\0".join(table[column]).encode() + b"\0\0")
        return digest.hexdigest()


def refuse_named_columns(columns: object) -> None:
    """Refuses names of columns beside a DataFrame.

    Raises:
        InputError: if there are any; the message says how a DataFrame's columns get other names.
    """
    if columns:
        raise InputError(f"columns are named of files; of a DataFrame, rename them: {MAIN}.rename(columns=...).")


def refuse_without_frame(dataset: object, **given: Any) -> None:
    """Refuses data in memory that are no DataFrame, and what goes with a DataFrame only.

    Args:
        dataset: what is to be the name of a dataset, or None.
        given: arguments by name.

    Raises:
        InputError: if it is neither, or one of the arguments is not None; the message names it.
    """
    if not isinstance(dataset, str | None):
        got = f"{type(dataset).__name__}: {short(dataset)}"
        raise InputError(f"data in memory are a pandas DataFrame with named columns; got a {got}.")
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name} goes with a DataFrame; data in files have {_ELSEWHERE.get(name, 'files of it')}.")


def names_for(kind: str, **given: Names | None) -> Names | None:
    """Those of some arguments, labels and titles, that are for a kind of data; None: not given.

    Raises:
        InputError: if another is given.
    """
    wanted = _NAMES[kind][0]
    for name, names in given.items():
        if names is not None and name != wanted:
            raise InputError(f"{name} is not for {kind}: take {wanted}.")
    return given[wanted]


def _table(what: str, frame: Any, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> pd.DataFrame:
    """Some columns of a frame as text, by its row's number.

    Raises:
        InputError: see FrameData.of.
    """
    refuse_other(what, frame)
    if is_numbered(frame):
        possible = [(*columns, *optional)[:count] for count in range(len(columns), len(columns) + len(optional) + 1)]
        names = {len(one): one for one in possible}.get(frame.shape[1])
        if names is None:
            told = " or ".join(", ".join(one) for one in possible)
            raise InputError(
                f"{what}: its columns are numbered, so that they must be {told}; there are {frame.shape[1]}."
            )
        frame = frame.set_axis(list(names), axis=1)
    table = chosen_columns(what, frame.set_axis(range(len(frame)), axis=0), columns, optional, is_text=False)
    for column in table:
        for row, cell in table[column].items():
            try:
                cell.encode()
            except UnicodeEncodeError:
                raise InputError(f"{at(what, row)}: the {column} is no Unicode text: {short(cell)}.") from None
    return table


def refuse_other(what: str, frame: Any) -> None:
    """Refuses what is no DataFrame of pandas.

    Raises:
        InputError: if it is not; the message says what it is.
    """
    if isinstance(frame, pd.DataFrame):
        return
    kind = f"{type(frame).__module__}.{type(frame).__name__}".removeprefix("builtins.")
    how = f"{what}.to_pandas()" if hasattr(frame, "to_pandas") else f"pandas.DataFrame({what})"
    raise InputError(f"{what} must be a DataFrame of pandas; got {kind}: try {how}.")


def is_numbered(frame: pd.DataFrame) -> bool:
    """Whether the columns have no names, but the numbers 0, 1, 2..."""
    return frame.shape[1] > 0 and [*frame.columns] == [*range(frame.shape[1])]
