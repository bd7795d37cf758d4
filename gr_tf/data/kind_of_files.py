"""Which kinds of data a folder or a file holds, by the names of its files and their columns."""

import pathlib

from gr_tf.data.named_tables import column_names, places_of, table_named
from gr_tf.data.rating_sources import RATING_DATASETS
from gr_tf.data.sources import DATASETS
from gr_tf.errors import InputError

TRIPLES, RATINGS, SEQUENCES, CHOICES = "triples", "ratings", "sequences", "choices"
# As what one's ratings, or choices with an order, can be read.
_OF_RATINGS, _OF_SEQUENCES = (RATINGS, SEQUENCES, CHOICES), (SEQUENCES, CHOICES)


def kinds_of_data(
    data_dir: str | pathlib.Path | None, dataset: str | None = None, kind: str | None = None
) -> tuple[str, ...]:
    """The kinds that data can be read as, the likeliest first. Ratings are sequences and choices too.

    Args:
        data_dir: a folder or a file; None: a dataset by name.
        dataset: a dataset by name, or any other name.
        kind: the one that is wanted; where a folder has files of several, its own are meant.

    Raises:
        InputError: if a folder has files of several kinds and none is wanted, or a file cannot be read.
    """
    if dataset in RATING_DATASETS:
        return _OF_RATINGS
    if dataset in DATASETS or data_dir is None:
        return (TRIPLES,)
    path = pathlib.Path(data_dir)
    if path.is_file():
        return _kinds_of_file(path)
    own = {
        TRIPLES: table_named(path, "train"),
        RATINGS: next(path.glob("*.rating"), None) or table_named(path, "ratings"),
        SEQUENCES: table_named(path, "sequences"),
        CHOICES: table_named(path, "choices"),
    }
    found = {kind: file.name for kind, file in own.items() if file is not None}
    if kind in found:
        return (kind,)
    if len(found) > 1:
        both = f"{' and '.join(found.values())}, {' and '.join(found)}"
        raise InputError(f"{path}: has {both}: name the file that you mean, or the kind with --kind.")
    only = next(iter(found), TRIPLES)
    return {RATINGS: _OF_RATINGS, SEQUENCES: _OF_SEQUENCES}.get(only, (only,))


def _kinds_of_file(path: pathlib.Path) -> tuple[str, ...]:
    names = () if path.suffix == ".rating" else column_names(path)
    if path.stem == "choices":
        rated = (RATINGS,) if "rating" in places_of(names, ("rating",)) else ()
        return CHOICES, *rated, SEQUENCES
    if path.suffix == ".rating" or "rating" in places_of(names, ("rating",)):
        return _OF_RATINGS
    if path.stem == "sequences" or len(places_of(names, ("user", "item"))) == 2:
        return _OF_SEQUENCES
    # What looks like ratings is read as ratings, which tells the column that is missing.
    return _OF_RATINGS if places_of(names, ("user", "item")) else (TRIPLES,)
