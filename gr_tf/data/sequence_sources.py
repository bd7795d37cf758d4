"""Sequences by name or of one's own: from tensorflow-datasets, a folder in the upstream layout, or one's own files."""

import functools
import pathlib
import re
import types
from collections.abc import Iterator, Mapping

import pandas as pd

from gr_tf.data.frames import IN_MEMORY, FrameData, Names, refuse_named_columns, refuse_without_frame
from gr_tf.data.named_tables import column_names, header_notes, notes_of, places_of, read_named, table_named
from gr_tf.data.rating_sources import (
    RATING_DATASETS,
    interactions_of,
    own_name,
    read_interactions,
    read_own_folder,
    read_titles,
    with_numbers,
)
from gr_tf.data.sequences import OWN_SPLIT, SequenceSet, SequenceSplit, make_sequence_set
from gr_tf.data.text_files import read_text
from gr_tf.errors import InputError, argument, short

COLUMNS = ("user", "item")


def load_sequences(
    dataset: str | pd.DataFrame | None = None,
    data_dir: str | pathlib.Path | None = None,
    split: SequenceSplit | None = None,
    columns: str | Mapping[str, str] | None = None,
    *,
    titles: Names | None = None,
    name: str | None = None,
) -> SequenceSet:
    """Loads the sequences of what users chose or rated, whatever they thought of it.

    Args:
        dataset: see data.rating_sources.load_ratings. Or a DataFrame of choices or ratings, in their order if there is
            no time; see data.frames.
        data_dir: the folder with its files; default: through tensorflow-datasets. Of your own: see read_own_sequences.
        split: the order, what to leave out and to hold out. Default: of a published dataset as the published code has
            it; of your own data by time if there is one, with a tenth for validation.
        columns: what the columns of your own files are called, such as {"user": "customer_id", "item": "sku"}.
        titles: of a DataFrame: what people call items.
        name: of a DataFrame: what to call the dataset.

    Raises:
        InputError: as load_ratings; also if the file's order is asked for without a file.
    """
    if isinstance(dataset, pd.DataFrame):
        given = FrameData.of("sequences", dataset, names=titles, data_dir=data_dir, columns=columns)
        return sequences_of_frames(given, name, split)
    refuse_without_frame(dataset, titles=titles, name=name)
    dataset = dataset or own_name(data_dir)
    is_published = data_dir is None or dataset in RATING_DATASETS
    split = (split or SequenceSplit.of_dict({} if is_published else OWN_SPLIT)).with_columns(columns)
    if is_published:
        split.refuse_columns(dataset)
    if split.order == "file" and data_dir is None:
        raise InputError(
            f"tensorflow-datasets does not keep the file's order: name the folder with {argument('data_dir')}."
        )
    frame, found, source = read_interactions(
        dataset, data_dir, functools.partial(read_own_sequences, named=split.named)
    )
    return make_sequence_set(dataset, frame, found, split, source)


def sequences_of_frames(given: FrameData, name: str | None = None, split: SequenceSplit | None = None) -> SequenceSet:
    """The sequences of a DataFrame; see load_sequences."""
    split = split or SequenceSplit.of_dict(OWN_SPLIT)
    refuse_named_columns(split.columns)
    return make_sequence_set(given.name(name, RATING_DATASETS), *interactions_of(given), split, IN_MEMORY)


def read_own_sequences(
    folder: pathlib.Path, named: Mapping[str, str] = types.MappingProxyType({})
) -> tuple[pd.DataFrame, dict[str, str]]:
    """One's own choices in file order, columns user, item and perhaps more, and the titles by item.

    They are in sequences.csv, .tsv, .txt or .parquet with columns user, item and perhaps time (see data.named_tables);
    or in sequences.txt with a line a user: user<TAB>item<TAB>item..., the latest item last; or they are ratings, see
    read_own_folder. The titles, if any, are in items.csv, .tsv or .parquet with columns item, title.

    Args:
        folder: the folder, or the file of choices.
        named: the user's names of columns, see data.named_tables.places_of.

    Raises:
        InputError: naming file, line and value, if there are none, or a file is malformed.
    """
    path = folder if folder.is_file() else table_named(folder, "sequences")
    if path is None or path.suffix == ".rating":
        return read_own_folder(folder, named)
    if path.suffix.lower() == ".txt" and not named and len(places_of(column_names(path), COLUMNS)) < len(COLUMNS):
        return pd.DataFrame(_choices(path), columns=list(COLUMNS), dtype=object), read_titles(folder)
    # What was rated was chosen; that it has a rating too is seen if its column is named.
    frame = read_named(path, COLUMNS, ("time", *(("rating",) if "rating" in named else ())), named)
    frame = frame.drop(columns="rating", errors="ignore")
    if path.suffix.lower() == ".txt" and not named:
        frame.attrs["notes"] = [*notes_of(frame), *header_notes(path, COLUMNS, "a user with items")]
    return with_numbers(path, frame), read_titles(folder, path, named)


def _choices(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """User and item of every choice of a file with a line a user."""
    first_lines: dict[str, int] = {}
    # Not splitlines, which also splits at U+2028 and others, such as a name may have.
    for number, line in enumerate(re.split("\r\n|\n|\r", read_text(path)), start=1):
        if not line.strip():
            continue
        user, *items = line.split("\t")
        if not items or not all(name.strip() for name in (user, *items)):
            raise InputError(f"{path}:{number}: want user<TAB>item<TAB>item..., none of them empty; got {short(line)}.")
        if user in first_lines:
            raise InputError(f"{path}:{number}: user {short(user)} has a line already, line {first_lines[user]}.")
        first_lines[user] = number
        yield from ((user, item) for item in items)
    if not first_lines:
        raise InputError(f"{path}: empty.")
