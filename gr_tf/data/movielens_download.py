"""MovieLens from its official address with tensorflow-datasets, checked whenever it is read, and kept."""

import contextlib
import hashlib
import io
import logging
import sys
from collections.abc import Mapping

import numpy as np
import pandas as pd

from gr_tf.data import download
from gr_tf.errors import InputError, argument
from gr_tf.runs import engine

# The host that tensorflow-datasets downloads MovieLens from. Without it, it tries for minutes, and tells at length.
_HOME = "https://files.grouplens.org/datasets/movielens/"
# SHA-256 of the releases' ratings: see `checksum`.
CHECKSUMS = {
    "movielens/100k-ratings": "17ca5b114c1b88015988544c7aee2d55df317f7f794bd5d5f84c97f0433f6c2d",
    "movielens/1m-ratings": "9286cae0fc82fec5d968709c182156a34d54dc9927ac369f9d73c14f707934d3",
}


def download_with_tfds(name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """The ratings and titles of a MovieLens release from its official address, kept in the cache folder.

    Args:
        name: a key of CHECKSUMS.

    Raises:
        InputError: if it cannot be downloaded, or is not the release.
    """
    folder = download.cache_folder() / "tensorflow_datasets"
    again = f"Delete the folder {folder}, and it is downloaded again."
    prepared = any((folder / name).glob("*/dataset_info.json"))
    if not prepared:
        download.answer(_HOME, "HEAD").close()
        print(f"Downloading {name} to {folder}, and preparing it; this takes minutes.", file=sys.stderr)
    engine.start_quietly()
    import tensorflow_datasets as tfds  # here, because it is slow to import

    for logger in ("absl", "tensorflow_datasets"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where it tells what it does
            loaded = tfds.load(name, split="train", data_dir=str(folder), batch_size=-1)
        columns = {key: values.numpy() for key, values in loaded.items()}
    except Exception as error:  # tfds raises whatever its transport and its files' readers do
        reason = f"{download.one_line(error)}."
        if prepared:
            raise InputError(f"{folder / name}: damaged: {reason} {again}") from None
        raise InputError(
            f"{name} cannot be downloaded with tensorflow-datasets: {reason} Name a folder that has its files with "
            f"{argument('data_dir')}."
        ) from None
    user, item, title = ([text.decode() for text in columns[key]] for key in ("user_id", "movie_id", "movie_title"))
    rating = columns["user_rating"].astype(np.float64)
    frame = pd.DataFrame({"user": user, "item": item, "rating": rating, "time": columns["timestamp"]})
    titles = dict(zip(item, title, strict=True))
    if checksum(frame, titles) != CHECKSUMS[name]:
        raise InputError(f"{folder / name}: damaged: its ratings are not those of the release. {again}")
    return frame, titles


def checksum(frame: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """SHA-256 of a release's ratings in any order: of the sorted lines user, item, rating, time, title, with tabs."""
    rows = frame[["user", "item", "rating", "time"]].itertuples(index=False, name=None)
    lines = sorted(f"{user}\t{item}\t{rating:g}\t{time}\t{titles[item]}\n" for user, item, rating, time in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
