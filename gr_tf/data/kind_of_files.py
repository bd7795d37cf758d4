"""Which kinds of data a folder or a file holds, by the names of its files and their columns."""

import pathlib
from collections.abc import Sequence

from gr_tf.data.named_tables import column_names, places_of, table_named
from gr_tf.data.rating_sources import RATING_DATASETS
from gr_tf.data.sources import DATASETS
from gr_tf.errors import InputError

TRIPLES, RATINGS, SEQUENCES = "triples", "ratings", "sequences"


def kinds_of_data(
    data_dir: str | pathlib.Path | None, dataset: str | None = None, kind: str | None = None
) -> tuple[str, ...]:
    """The kinds that data can be read as, the likeliest first. Ratings are sequences too.

    Args:
        data_dir: a folder or a file; None: a dataset by name.
        dataset: a dataset by name, or any other name.
        kind: the one that is wanted; where a folder has files of several, its own are meant.

    Raises:
        InputError: if a folder has files of several kinds and none is wanted, or a file cannot be read.
    """
    if dataset in RATING_DATASETS:
        return RATINGS, SEQUENCES
    if dataset in DATASETS or data_dir is None:
        return (TRIPLES,)
    path = pathlib.Path(data_dir)
    if path.is_file():
        return _kinds_of_file(path)
    own = {
        TRIPLES: table_named(path, "train"),
        RATINGS: next(path.glob("*.rating"), None) or table_named(path, "ratings"),
        SEQUENCES: table_named(path, "sequences"),
    }
    found = {kind: file.name for kind, file in own.items() if file is not None}
    if kind in found:
        return (kind,)
    if len(found) > 1:
        both = f"{' and '.join(found.values())}, {' and '.join(found)}"
        raise InputError(f"{path}: has {both}: name the file that you mean, or the kind with --kind.")
    if RATINGS in found:
        return RATINGS, SEQUENCES
    return tuple(found) or (TRIPLES,)


def _kinds_of_file(path: pathlib.Path) -> tuple[str, ...]:
    if path.suffix == ".rating":
        return RATINGS, SEQUENCES
    return kinds_of_columns(column_names(path), is_sequences=path.stem == "sequences")


def kinds_of_columns(names: Sequence[str], *, is_sequences: bool = False) -> tuple[str, ...]:
    """The kinds that a table can be read as by its columns' names; what is none of them is read as triples.

    Args:
        names: of the columns.
        is_sequences: whether the table is called so, for one without names.
    """
    if "rating" in places_of(names, ("rating",)):
        return RATINGS, SEQUENCES
    if is_sequences or len(places_of(names, ("user", "item"))) == 2:
        return (SEQUENCES,)
    # What looks like ratings is read as ratings, which tells the column that is missing.
    return (RATINGS, SEQUENCES) if places_of(names, ("user", "item")) else (TRIPLES,)
