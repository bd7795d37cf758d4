"""Files of triples: with named columns, or a triple a line."""

import pathlib
import types
from collections.abc import Mapping

import pandas as pd

from gr_tf.data.columns import TRIPLE_FIELDS
from gr_tf.data.named_tables import (
    column_names,
    header_notes,
    notes_of,
    places_of,
    read_headless,
    read_named,
    refuse_empty,
)


def read_triples(path: pathlib.Path, named: Mapping[str, str] = types.MappingProxyType({})) -> pd.DataFrame:
    """Reads the triples of a file.

    .csv and .parquet have columns head, relation, tail (or other common names, see data.named_tables; more
    columns are passed over). So may .tsv and .txt, told by their first line; else each of their lines is
    head<TAB>relation<TAB>tail, names as they stand. UTF-8, LF or CRLF.

    Args:
        path: the file.
        named: the user's names of columns, see data.named_tables.places_of; every file has columns with these names.

    Returns:
        The names in columns head, relation, tail, by line; see also notes_of.

    Raises:
        InputError: naming file, line and value, if the file is absent, is not UTF-8, is empty, or
            a line is not three names.
    """
    if named or path.suffix.lower() in (".csv", ".parquet"):
        return read_named(path, TRIPLE_FIELDS, named=named)[list(TRIPLE_FIELDS)]
    first = column_names(path)
    notes = header_notes(path, TRIPLE_FIELDS, "a triple") if len(first) == len(TRIPLE_FIELDS) else []
    if len(places_of(first, TRIPLE_FIELDS)) == len(TRIPLE_FIELDS):
        frame = read_named(path, TRIPLE_FIELDS)[list(TRIPLE_FIELDS)]
    else:
        frame = read_headless(path, TRIPLE_FIELDS, blank_lines=True)
        refuse_empty(path, frame, TRIPLE_FIELDS)
    frame.attrs["notes"] = [*notes_of(frame), *notes]
    return frame
