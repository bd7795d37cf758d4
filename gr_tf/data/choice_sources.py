"""Choices by name or of one's own: from files of choices, of sequences, or of ratings."""

import functools
import pathlib
import types
from collections.abc import Mapping

import pandas as pd

from gr_tf.data.choices import ChoiceSet, ChoiceSplit, make_choice_set
from gr_tf.data.frames import IN_MEMORY, FrameData, Names, refuse_named_columns, refuse_without_frame
from gr_tf.data.named_tables import column_names, places_of, read_named, table_named
from gr_tf.data.rating_sources import (
    RATING_DATASETS,
    interactions_of,
    own_name,
    read_interactions,
    read_titles,
    with_numbers,
)
from gr_tf.data.sequence_sources import read_own_sequences

COLUMNS = ("user", "item")


def load_choices(
    dataset: str | pd.DataFrame | None = None,
    data_dir: str | pathlib.Path | None = None,
    split: ChoiceSplit | None = None,
    columns: str | Mapping[str, str] | None = None,
    *,
    titles: Names | None = None,
    name: str | None = None,
) -> ChoiceSet:
    """Loads what users chose, without order and without how they liked it.

    Args:
        dataset: see data.rating_sources.load_ratings. Or a DataFrame of choices or ratings; see data.frames.
        data_dir: the folder with its files; default: through tensorflow-datasets. Of your own: see read_own_choices.
        split: what to take for a choice, to leave out, and to hold out.
        columns, titles, name: see load_ratings.

    Raises:
        InputError: as load_ratings; also if ratings are asked for where there are none.
    """
    if isinstance(dataset, pd.DataFrame):
        given = FrameData.of("choices", dataset, names=titles, data_dir=data_dir, columns=columns)
        return choices_of_frames(given, name, split)
    refuse_without_frame(dataset, titles=titles, name=name)
    dataset, split = dataset or own_name(data_dir), (split or ChoiceSplit()).with_columns(columns)
    if data_dir is None or dataset in RATING_DATASETS:
        split.refuse_columns(dataset)
    frame, found, source = read_interactions(dataset, data_dir, functools.partial(read_own_choices, named=split.named))
    return make_choice_set(dataset, frame, found, split, source)


def choices_of_frames(given: FrameData, name: str | None = None, split: ChoiceSplit | None = None) -> ChoiceSet:
    """The choices of a DataFrame; see load_choices."""
    split = split or ChoiceSplit()
    refuse_named_columns(split.columns)
    return make_choice_set(given.name(name, RATING_DATASETS), *interactions_of(given), split, IN_MEMORY)


def read_own_choices(
    folder: pathlib.Path, named: Mapping[str, str] = types.MappingProxyType({})
) -> tuple[pd.DataFrame, dict[str, str]]:
    """One's own choices in file order, columns user, item and perhaps rating, and the titles by item.

    They are in choices.csv, .tsv, .txt or .parquet with columns user, item (see data.named_tables); or they are
    sequences or ratings, see read_own_sequences. The titles, if any, are in items.csv, .tsv or .parquet with columns
    item, title.

    Args:
        folder: the folder, or the file of choices.
        named: the user's names of columns, see data.named_tables.places_of.

    Raises:
        InputError: naming file, line and value, if there are none, or a file is malformed.
    """
    path = folder if folder.is_file() else table_named(folder, "choices")
    if path is None or path.suffix == ".rating" or (not named and _is_line_a_user(path)):
        return read_own_sequences(folder, named)
    return with_numbers(path, read_named(path, COLUMNS, ("rating",), named)), read_titles(folder, path, named)


def _is_line_a_user(path: pathlib.Path) -> bool:
    """Whether a file has no column names, but a user with all items in each line."""
    return path.suffix.lower() == ".txt" and len(places_of(column_names(path), COLUMNS)) < len(COLUMNS)
