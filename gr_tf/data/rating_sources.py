"""Ratings by name: from tensorflow-datasets, or from a folder in the upstream layout."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from gr_tf.data.download import cache_folder
from gr_tf.data.named_tables import read_named, table_named
from gr_tf.data.ratings import RatingSet, RatingSplit, make_rating_set
from gr_tf.errors import InputError

COLUMNS = ("user", "item", "rating", "time")


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
        time_optional: whether the lines may all end with the rating.
    """

    ratings: str
    separator: str
    titles: str | None = None
    titles_separator: str = ""
    titles_fields: Sequence[str] = ()
    tfds: str | None = None
    time_optional: bool = False


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
_OWN = RatingLayout("*.rating", "\t", time_optional=True)


def load_ratings(
    dataset: str | None = None,
    data_dir: str | pathlib.Path | None = None,
    split: RatingSplit | None = None,
) -> RatingSet:
    """Loads ratings, from a folder or from the dataset's official address.

    Args:
        dataset: a key of RATING_DATASETS, or a name for what is in your data_dir; default: see own_name.
        data_dir: the folder with its files; default: through tensorflow-datasets. Of your own: see
            read_own_folder.
        split: what to leave out and to hold out.

    Raises:
        InputError: if the name is unknown, or the files cannot be used or downloaded.
    """
    dataset = dataset or own_name(data_dir)
    frame, titles, source = read_interactions(dataset, data_dir)
    return make_rating_set(dataset, frame, titles, split or RatingSplit(), source)


def own_name(data_dir: str | pathlib.Path | None) -> str:
    """What to call data of one's own: as their folder or file, but never as a published dataset."""
    name = pathlib.Path(data_dir or "").resolve().stem
    return f"own-{name}" if name in RATING_DATASETS else name


def read_interactions(
    dataset: str,
    data_dir: str | pathlib.Path | None,
    read_own: Callable[[pathlib.Path], tuple[pd.DataFrame, dict[str, str]]] | None = None,
) -> tuple[pd.DataFrame, dict[str, str], str | None]:
    """Every rating of a dataset, columns COLUMNS, its titles by item, and where it came from; see load_ratings.

    From a folder in file order, from the official address in no order.

    Args:
        dataset, data_dir: see load_ratings.
        read_own: reads the folder or file of another than a published dataset; default: read_own_folder.

    Raises:
        InputError: as load_ratings.
    """
    if dataset not in RATING_DATASETS and data_dir is None:
        raise InputError(
            f"unknown dataset {dataset!r}: want one of {', '.join(RATING_DATASETS)}, or the folder of your own files "
            "with --data_dir."
        )
    if data_dir is not None:
        folder = pathlib.Path(data_dir)
        if dataset in RATING_DATASETS:
            return *read_rating_folder(folder, RATING_DATASETS[dataset]), str(folder.resolve())
        return *(read_own or read_own_folder)(folder), str(folder.resolve())
    layout = RATING_DATASETS[dataset]
    if layout.tfds is None:
        raise InputError(f"{dataset} is not downloaded: name the folder that has its files with --data_dir.")
    return *download_with_tfds(layout.tfds), None


def read_rating_folder(folder: pathlib.Path, layout: RatingLayout) -> tuple[pd.DataFrame, dict[str, str]]:
    """The ratings of a folder in file order, columns COLUMNS, and the titles by item.

    Raises:
        InputError: naming file, line and value, if a file is absent or malformed.
    """
    found = sorted(folder.glob(layout.ratings))
    if len(found) != 1:
        what = "no file" if not found else f"{len(found)} files ({', '.join(path.name for path in found)})"
        raise InputError(f"{folder}: has {what} named {layout.ratings}; want one.")
    frame = read_ratings(found[0], layout.separator, time_optional=layout.time_optional)
    if layout.titles is None:
        return frame, {}
    titles = _fields(folder / layout.titles, layout.titles_separator, [layout.titles_fields], "latin-1")
    return frame, dict(zip(titles.item, titles.title, strict=True))


def read_own_folder(folder: pathlib.Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """One's own ratings in file order, columns COLUMNS or all but the time, and the titles by item.

    The ratings are in ratings.csv, .tsv or .parquet with columns user, item, rating and perhaps time (see
    data.named_tables), the titles, if any, in items.csv, .tsv or .parquet with columns item, title. Or the
    ratings are in one *.rating file of lines user<TAB>item<TAB>rating, or user<TAB>item<TAB>rating<TAB>time.

    Args:
        folder: the folder, or the file of ratings.

    Raises:
        InputError: naming file, line and value, if the ratings are absent, or a file is malformed.
    """
    path = folder if folder.is_file() else table_named(folder, "ratings")
    if path is None:
        return read_rating_folder(folder, _OWN)
    if path.suffix == ".rating":
        return read_ratings(path, "\t", time_optional=True), {}
    return read_choices(path, COLUMNS[:3]), read_titles(folder)


def read_choices(path: pathlib.Path, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of a table of what users chose, and its time if it has one, in file order.

    Args:
        path: see data.named_tables.read_named.
        columns: user, item and perhaps rating.

    Raises:
        InputError: naming file, line and value, if it is malformed.
    """
    frame, _ = read_named(path, columns, COLUMNS[3:])  # blank lines hold no choice
    for column, dtype in (("rating", np.float64), ("time", np.int64)):
        if column in frame:
            numbers = pd.to_numeric(frame[column], errors="coerce")
            bad = np.flatnonzero(~np.isfinite(numbers))
            if len(bad):
                where, value = frame.line.iloc[bad[0]], frame[column].iloc[bad[0]]
                raise InputError(f"{path}:{where}: the {column} is not a finite number: {value!r}.")
            if dtype is np.int64 and (numbers % 1 != 0).any():
                where = frame.line.iloc[int(np.flatnonzero(numbers % 1 != 0)[0])]
                raise InputError(f"{path}:{where}: the {column} is not a whole number.")
            frame[column] = numbers.astype(dtype)
    return frame.drop(columns="line")


def read_titles(folder: pathlib.Path) -> dict[str, str]:
    """The titles by item of a folder's items.csv, .tsv or .parquet; none if it has no such file, or is a file.

    Raises:
        InputError: naming file, line and value, if it is malformed.
    """
    path = table_named(folder, "items")
    if path is None:
        return {}
    items, _ = read_named(path, ("item", "title"))
    return dict(zip(items["item"], items["title"], strict=True))


def read_ratings(path: pathlib.Path, separator: str, *, time_optional: bool = False) -> pd.DataFrame:
    """The ratings of a file in its order: user and item as text, rating float64, time int64.

    Args:
        path: the file.
        separator: between its fields.
        time_optional: whether its lines may all end with the rating; there is no column time then.

    Raises:
        InputError: naming file, line and value, if a line is not user, item, a finite rating, time.
    """
    fields = _fields(path, separator, [COLUMNS[:3], COLUMNS] if time_optional else [COLUMNS], "utf-8")
    _refuse(path, (fields.user == "") | (fields.item == ""), "empty user or item", fields)
    rating = pd.to_numeric(fields.rating, errors="coerce")
    _refuse(path, ~np.isfinite(rating), "the rating is not a finite number", fields)
    fields["rating"] = rating.astype(np.float64)
    if "time" in fields:
        time = pd.to_numeric(fields.time, errors="coerce")
        _refuse(path, ~np.isfinite(time), "the time is not a finite number", fields)
        fields["time"] = time.astype(np.int64)
    return fields


def download_with_tfds(name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """The ratings and titles of a MovieLens release from its official address, kept in the cache folder.

    Raises:
        InputError: if it cannot be downloaded.
    """
    import tensorflow_datasets as tfds  # here, because it is slow to import

    try:
        loaded = tfds.load(name, split="train", data_dir=str(cache_folder() / "tensorflow_datasets"), batch_size=-1)
    except Exception as error:  # tfds raises whatever its transport does
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{name} cannot be downloaded with tensorflow-datasets: {reason} Name a folder that has its files with "
            "--data_dir."
        ) from None
    columns = {key: values.numpy() for key, values in loaded.items()}
    text = {key: [value.decode("utf-8") for value in columns[key]] for key in ("user_id", "movie_id", "movie_title")}
    frame = pd.DataFrame(
        {
            "user": text["user_id"],
            "item": text["movie_id"],
            "rating": columns["user_rating"].astype(np.float64),
            "time": columns["timestamp"],
        }
    )
    return frame, dict(zip(text["movie_id"], text["movie_title"], strict=True))


def _fields(path: pathlib.Path, separator: str, allowed: Sequence[Sequence[str]], encoding: str) -> pd.DataFrame:
    """The fields of every line as text, after a check that each line has them all.

    Args:
        path, separator: the file.
        allowed: the columns that it may have; the first line tells which, the last are the default.
        encoding: of the file.
    """
    try:
        text = path.read_text(encoding=encoding)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not {encoding} (byte {error.start}: {error.reason}).") from None
    if not text.strip():
        raise InputError(f"{path}: empty.")
    # pandas.read_csv cannot tell a missing last field from an empty one, nor lines from empty lines at the end.
    text = text.rstrip("\n")
    lines = text.split("\n")
    columns = {len(names) - 1: names for names in allowed}.get(lines[0].count(separator), allowed[-1])
    for line_number, line in enumerate(lines, start=1):
        if line.count(separator) != len(columns) - 1:
            want = separator.replace("\t", "<TAB>").join(columns)
            found = line.count(separator) + 1
            raise InputError(f"{path}:{line_number}: want {want}, got {found} fields: {line!r}.")
    one_letter = text if len(separator) == 1 else text.replace("\t", " ").replace(separator, "\t")
    return pd.read_csv(
        io.StringIO(one_letter),
        sep=separator if len(separator) == 1 else "\t",
        names=list(columns),
        index_col=False,
        dtype=str,
        keep_default_na=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
    )


def _refuse(path: pathlib.Path, bad: pd.Series, what: str, fields: pd.DataFrame) -> None:
    """Raises for the first line that is bad."""
    places = np.flatnonzero(bad)
    if len(places):
        raise InputError(f"{path}:{places[0] + 1}: {what}: {fields.iloc[places[0]].tolist()}.")
