"""Ratings by name: from tensorflow-datasets, or from a folder in the upstream layout."""

import dataclasses
import functools
import pathlib
import re
import types
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from gr_tf.data.frames import IN_MEMORY, MAIN, FrameData, Names, refuse_named_columns, refuse_without_frame
from gr_tf.data.movielens_download import download_with_tfds
from gr_tf.data.named_tables import column_names, labels_of, read_headless, read_named, refuse_empty, table_named
from gr_tf.data.rating_parts import parts_of, rating_set_of_parts
from gr_tf.data.ratings import RatingSet, RatingSplit, make_rating_set
from gr_tf.errors import InputError, argument, at, short

COLUMNS = ("user", "item", "rating", "time")
# The squares of larger ones are not exact in float32, and no training comes near them.
_LARGEST_RATING = 1_000_000
# From here on neighbouring whole numbers are the same float.
_INEXACT = 2**53
_LEAST_TIME, _LAST_TIME = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_DATE = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ].*)?\s*", re.ASCII)
_DIGITS = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)


@dataclasses.dataclass(frozen=True)
class RatingLayout:
    """The files of one upstream release.

    Attributes:
        ratings: name of the file with user, item, rating, time in every line; may have a wildcard.
        separator: between its fields.
        titles: name of the file with item and title first in every line, Latin-1; None: there is none.
        titles_separator: between its fields.
        titles_fields: what its fields are.
        tfds: the dataset's name in tensorflow-datasets; None: it has none.
        columns: what the fields of the ratings may be, see data.named_tables.read_headless.
    """

    ratings: str
    separator: str
    titles: str | None = None
    titles_separator: str = ""
    titles_fields: Sequence[str] = ()
    tfds: str | None = None
    columns: Sequence[Sequence[str]] = (COLUMNS,)


_ITEM_FIELDS = ("item", "title", "date", "video date", "address", *(f"genre {i}" for i in range(19)))
RATING_DATASETS = {
    "movielens-100k": RatingLayout("u.data", "\t", "u.item", "|", _ITEM_FIELDS, "movielens/100k-ratings"),
    "movielens-1m": RatingLayout(
        "ratings.dat", "::", "movies.dat", "::", ("item", "title", "genres"), "movielens/1m-ratings"
    ),
    # He et al. (2016), eALS: https://github.com/hexiangnan/sigir16-eals
    "yelp": RatingLayout("*.rating", "\t"),
}
# Of one's own files, under any other name: named columns, or as Yelp's with or without the time.
_OWN = RatingLayout("*.rating", "\t", columns=(COLUMNS[:3], COLUMNS))


def load_ratings(
    dataset: str | pd.DataFrame | None = None,
    data_dir: str | pathlib.Path | None = None,
    split: RatingSplit | None = None,
    columns: str | Mapping[str, str] | None = None,
    *,
    titles: Names | None = None,
    name: str | None = None,
) -> RatingSet:
    """Loads ratings, from a folder, from the dataset's official address, or from a DataFrame.

    Args:
        dataset: a key of RATING_DATASETS, or a name for what is in your data_dir; default: see own_name. Or a DataFrame
            of ratings; see data.frames.
        data_dir: the folder with its files; default: through tensorflow-datasets. Of your own: see
            read_own_folder, or, of ratings that come split, rating_parts.parts_of.
        split: what to leave out and to hold out.
        columns: what the columns of your own files are called, such as {"user": "customer_id", "item": "sku"}.
        titles: of a DataFrame: what people call items.
        name: of a DataFrame: what to call the dataset.

    Raises:
        InputError: if the name is unknown, or the files or DataFrames cannot be used or downloaded.
    """
    if isinstance(dataset, pd.DataFrame):
        given = FrameData.of("ratings", dataset, names=titles, data_dir=data_dir, columns=columns)
        return ratings_of_frames(given, name, split)
    refuse_without_frame(dataset, titles=titles, name=name)
    dataset, split = dataset or own_name(data_dir), (split or RatingSplit()).with_columns(columns)
    if data_dir is None or dataset in RATING_DATASETS:
        split.refuse_columns(dataset)
    elif (folder := pathlib.Path(data_dir)).is_dir() and (parts := parts_of(folder)):
        if split.named and any(path.suffix == ".rating" for path in parts.values()):
            raise InputError(f"{folder}: has no tables whose columns {argument('columns')} could name.")
        frames = {part: _read_own(path, split.named) for part, path in parts.items()}
        titles = read_titles(folder, parts["train"], split.named)
        return rating_set_of_parts(dataset, frames, titles, split, str(folder.resolve()))
    frame, found, source = read_interactions(dataset, data_dir, functools.partial(read_own_folder, named=split.named))
    return make_rating_set(dataset, frame, found, split, source)


def ratings_of_frames(given: FrameData, name: str | None = None, split: RatingSplit | None = None) -> RatingSet:
    """The ratings of a DataFrame; see load_ratings."""
    split = split or RatingSplit()
    refuse_named_columns(split.columns)
    return make_rating_set(given.name(name, RATING_DATASETS), *interactions_of(given), split, IN_MEMORY)


def interactions_of(given: FrameData) -> tuple[pd.DataFrame, dict[str, str]]:
    """The rows of a DataFrame of ratings or choices, with numbers as such, and the titles by item."""
    titles = {} if given.names is None else labels_of("titles", given.names["item"], given.names["title"])
    return with_numbers(MAIN, given.main.copy()), titles


def own_name(data_dir: str | pathlib.Path | None) -> str:
    """What to call data of one's own: as their folder or file, but never as a published dataset."""
    name = pathlib.Path(data_dir or "").resolve().stem
    return f"own-{name}" if name in RATING_DATASETS else name


def read_interactions(
    dataset: str,
    data_dir: str | pathlib.Path | None,
    read_own: Callable[[pathlib.Path], tuple[pd.DataFrame, dict[str, str]]],
) -> tuple[pd.DataFrame, dict[str, str], str | None]:
    """Every rating of a dataset, columns COLUMNS, its titles by item, and where it came from; see load_ratings.

    From a folder in file order, from the official address in no order.

    Args:
        dataset, data_dir: see load_ratings.
        read_own: reads the folder or file of another than a published dataset.

    Raises:
        InputError: as load_ratings.
    """
    layout = RATING_DATASETS.get(dataset)
    if data_dir is not None:
        folder = pathlib.Path(data_dir)
        found = read_own(folder) if layout is None else read_rating_folder(folder, layout)
        return *found, str(folder.resolve())
    if layout is None:
        raise InputError(
            f"unknown dataset {short(dataset)}: want one of {', '.join(RATING_DATASETS)}, or the folder of your own "
            f"files with {argument('data_dir')}."
        )
    if layout.tfds is None:
        raise InputError(
            f"{dataset} is not downloaded: name the folder that has its files with {argument('data_dir')}."
        )
    return *download_with_tfds(layout.tfds), None


def read_rating_folder(folder: pathlib.Path, layout: RatingLayout) -> tuple[pd.DataFrame, dict[str, str]]:
    """The ratings of a folder in file order, columns COLUMNS, and the titles by item.

    Raises:
        InputError: naming file, line and value, if a file is absent or malformed.
    """
    found = sorted(folder.glob(layout.ratings))
    if len(found) != 1:
        what = "no file" if not found else f"{len(found)} files ({', '.join(path.name for path in found[:10])})"
        raise InputError(f"{folder}: has {what} named {layout.ratings}; want one.")
    frame = read_ratings(found[0], layout)
    return frame, {} if layout.titles is None else read_release_titles(folder, layout)


def read_release_titles(folder: pathlib.Path, layout: RatingLayout) -> dict[str, str]:
    """The titles by item of a release that has them.

    Raises:
        InputError: naming file and line, if the file is absent or malformed.
    """
    path = folder / str(layout.titles)
    titles = read_headless(path, layout.titles_fields, separator=layout.titles_separator, encoding="latin-1")
    refuse_empty(path, titles, ("item", "title"))
    return labels_of(path, titles["item"], titles["title"])


def read_own_folder(
    folder: pathlib.Path, named: Mapping[str, str] = types.MappingProxyType({})
) -> tuple[pd.DataFrame, dict[str, str]]:
    """One's own ratings in file order, columns COLUMNS or all but the time, and the titles by item.

    The ratings are in ratings.csv, .tsv or .parquet with columns user, item, rating and perhaps time (see
    data.named_tables), the titles, if any, in items.csv, .tsv or .parquet with columns item, title. Or the
    ratings are in one *.rating file of lines user<TAB>item<TAB>rating, or user<TAB>item<TAB>rating<TAB>time.

    Args:
        folder: the folder, or the file of ratings.
        named: the user's names of columns, see data.named_tables.places_of.

    Raises:
        InputError: naming file, line and value, if the ratings are absent, or a file is malformed.
    """
    path = folder if folder.is_file() else table_named(folder, "ratings")
    if named and (path is None or path.suffix == ".rating"):
        raise InputError(
            f"{path or folder}: has no table whose columns {argument('columns')} could name; want ratings.csv."
        )
    if path is None:
        return read_rating_folder(folder, _OWN)
    titles = {} if path.suffix == ".rating" else read_titles(folder, path, named)
    return _read_own(path, named), titles


def _read_own(path: pathlib.Path, named: Mapping[str, str]) -> pd.DataFrame:
    """The ratings of one's own file; see read_own_folder."""
    if path.suffix == ".rating":
        return read_ratings(path, _OWN)
    return with_numbers(path, read_named(path, COLUMNS[:3], COLUMNS[3:], named))


def read_titles(
    folder: pathlib.Path, path: pathlib.Path | None = None, named: Mapping[str, str] = types.MappingProxyType({})
) -> dict[str, str]:
    """The titles by item of a folder's items.csv, .tsv or .parquet; none if it has no such file, or is a file.

    Args:
        folder: the folder, or a file.
        path: the table of what users did with items, which has the titles if a column of it is named for them and
            there is no file of items.
        named: the user's names of columns, see data.named_tables.places_of; in a file of items, the item's may be as
            in `path`, or as usual.

    Raises:
        InputError: naming file, line and value, if it is malformed.
    """
    found = table_named(folder, "items")
    if found is not None:
        names = column_names(found) if named else ()
        named = {field: name for field, name in named.items() if field == "title" or name in names}
    elif path is not None and "title" in named:
        found = path
    else:
        return {}
    items = read_named(found, ("item", "title"), named=named)
    return labels_of(found, items["item"], items["title"])


def read_ratings(path: pathlib.Path, layout: RatingLayout) -> pd.DataFrame:
    """The ratings of a release's file in its order: user and item as text, rating float64, time int64, if it has one.

    Raises:
        InputError: naming file, line and value, if a line is not user, item, a finite rating, time.
    """
    frame = read_headless(path, *layout.columns, separator=layout.separator)
    refuse_empty(path, frame, COLUMNS[:2])
    return with_numbers(path, frame)


def with_numbers(path: pathlib.Path | str, frame: pd.DataFrame) -> pd.DataFrame:
    """A table of text by line with its ratings as float64 and its times as int64, where it has them.

    Raises:
        InputError: naming file, line and value, if a rating is no finite number or far from any scale of ratings, or a
            time no whole number of 64 bits, nor all of them dates.
    """
    for column, parse in (("rating", _ratings), ("time", _times)):
        if column in frame:
            frame[column] = parse(path, frame[column])
    return frame


def _ratings(path: pathlib.Path | str, texts: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(texts, errors="coerce").astype(np.float64)
    _refuse(path, "rating", texts, ~np.isfinite(numbers), "is not a finite number")
    _refuse(path, "rating", texts, numbers.abs() > _LARGEST_RATING, "is not from -1,000,000 to 1,000,000")
    return numbers


def _times(path: pathlib.Path | str, texts: pd.Series) -> pd.Series:
    if len(texts) and _DATE.match(texts.iloc[0]) and texts.str.match(_DATE).all():
        return _dates(path, texts)
    numbers = pd.to_numeric(texts, errors="coerce")
    _refuse(path, "time", texts, ~np.isfinite(numbers), "is not a finite number")
    _refuse(path, "time", texts, numbers % 1 != 0, "is not a whole number")
    if numbers.dtype == np.int64:
        return numbers
    # Floats of this size are not exact: the digits are read one by one.
    large = numbers.abs() >= _INEXACT
    exact = {line: int(text) if _DIGITS.fullmatch(text) else None for line, text in texts[large].items()}
    outside = [line for line, time in exact.items() if time is None or not _LEAST_TIME <= time <= _LAST_TIME]
    _refuse(path, "time", texts, texts.index.isin(outside), "is not a whole number of 64 bits")
    whole = numbers.mask(large, 0).astype(np.int64)
    whole[large.to_numpy()] = np.array(list(exact.values()), np.int64)
    return whole


def _dates(path: pathlib.Path | str, texts: pd.Series) -> pd.Series:
    """Dates such as 2024-01-19, 2024-01-19 10:30, or 2024-01-19T10:30:00+01:00, as nanoseconds; UTC if none is said."""
    times = pd.to_datetime(texts.str.strip(), format="ISO8601", errors="coerce", utc=True)
    _refuse(path, "time", texts, ~times.dt.year.between(1678, 2261), "is no date between 1678 and 2261")
    return times.dt.as_unit("ns").astype(np.int64)


def _refuse(path: pathlib.Path | str, column: str, texts: pd.Series, bad: pd.Series | np.ndarray, why: str) -> None:
    if bad.any():
        refused = texts[bad]
        raise InputError(f"{at(path, refused.index[0])}: the {column} {why}: {short(refused.iloc[0])}.")
