"""Which kinds of data a folder or a file holds, by the names of its files and their columns."""

import pathlib
import types
from collections.abc import Mapping, Sequence

from gr_tf.data.columns import ITEM_FIELDS, TRIPLE_FIELDS, how_to_name
from gr_tf.data.named_tables import column_names, places_of, table_named
from gr_tf.data.rating_parts import parts_of, refuse_parts
from gr_tf.data.rating_sources import RATING_DATASETS
from gr_tf.data.sources import DATASETS
from gr_tf.errors import InputError, argument

TRIPLES, RATINGS, SEQUENCES, CHOICES = "triples", "ratings", "sequences", "choices"
# As what one's ratings, or choices with an order, can be read.
_OF_RATINGS, _OF_SEQUENCES = (RATINGS, SEQUENCES, CHOICES), (SEQUENCES, CHOICES)


def kinds_of_data(
    data_dir: str | pathlib.Path | None,
    dataset: str | None = None,
    kind: str | None = None,
    named: Mapping[str, str] = types.MappingProxyType({}),
) -> tuple[str, ...]:
    """The kinds that data can be read as, the likeliest first. Ratings are sequences and choices too.

    Args:
        data_dir: a folder or a file; None: a dataset by name.
        dataset: a dataset by name, or any other name.
        kind: the one that is wanted; where a folder has files of several, its own are meant.
        named: the user's names of columns, see data.named_tables.places_of; of triples, or of users and items.

    Raises:
        InputError: if a folder has files of several kinds and none is wanted, it is a release of MovieLens and
            `dataset` does not say so, or a file cannot be read.
    """
    if dataset in RATING_DATASETS:
        return _OF_RATINGS
    if dataset in DATASETS or data_dir is None:
        return (TRIPLES,)
    path = pathlib.Path(data_dir)
    if path.is_file():
        return _kinds_of_file(path, kind, named)
    parts = {} if kind == TRIPLES else parts_of(path)
    own = {
        TRIPLES: table_named(path, "train"),
        RATINGS: parts.get("train") or next(path.glob("*.rating"), None) or table_named(path, "ratings"),
        SEQUENCES: table_named(path, "sequences"),
        CHOICES: table_named(path, "choices"),
    }
    if named:
        # Names of columns say which kind is meant.
        of_triples = not named.keys().isdisjoint(TRIPLE_FIELDS)
        own = {one: file for one, file in own.items() if (one == TRIPLES) == of_triples}
    found = {kind: file.name for kind, file in own.items() if file is not None}
    if kind in found:
        return (kind,)
    if len(found) > 1:
        both = f"{' and '.join(found.values())}, {' and '.join(found)}"
        raise InputError(f"{path}: has {both}: name the file that you mean, or the kind with {argument('kind')}.")
    if not found:
        _refuse_unnamed_release(path)
    only = next(iter(found), TRIPLES)
    if only == RATINGS and parts:
        if kind is not None:
            refuse_parts(path, parts)
        return (RATINGS,)
    return {RATINGS: _OF_RATINGS, SEQUENCES: _OF_SEQUENCES}.get(only, (only,))


def _refuse_unnamed_release(folder: pathlib.Path) -> None:
    for name, layout in RATING_DATASETS.items():
        if (folder / layout.ratings).is_file():
            raise InputError(f"{folder}: has {layout.ratings}, as {name} has: say {argument('dataset', name)}.")


def kinds_of_columns(names: Sequence[str]) -> tuple[str, ...]:
    """The kinds that a table can be read as by its columns' names alone; what is none of them is read as triples."""
    if places_of(names, ("rating",)):
        return _OF_RATINGS
    if len(places_of(names, ("user", "item"))) == 2:
        return _OF_SEQUENCES
    # What looks like ratings is read as ratings, which tells the column that is missing.
    return _OF_RATINGS if places_of(names, ("user", "item")) else (TRIPLES,)


def _kinds_of_file(path: pathlib.Path, kind: str | None, named: Mapping[str, str]) -> tuple[str, ...]:
    if not named.keys().isdisjoint(TRIPLE_FIELDS):
        return (TRIPLES,)
    names = () if path.suffix == ".rating" else column_names(path)
    if path.stem == "choices":
        rated = (RATINGS,) if "rating" in places_of(names, ("rating",), named) else ()
        return CHOICES, *rated, SEQUENCES
    if path.suffix == ".rating" or "rating" in named or "rating" in places_of(names, ("rating",), named):
        return _OF_RATINGS
    if path.stem == "sequences" or len(places_of(names, ("user", "item"), named)) == 2:
        return _OF_SEQUENCES
    # What looks like ratings is read as ratings, which tells the column that is missing.
    if named or places_of(names, ("user", "item")):
        return _OF_RATINGS
    if kind is None and path.suffix.lower() in (".csv", ".parquet") and not places_of(names, TRIPLE_FIELDS):
        raise InputError(f"{path}: has no column of a known name{how_to_name(names, TRIPLE_FIELDS, ITEM_FIELDS[:2])}")
    return (TRIPLES,)
