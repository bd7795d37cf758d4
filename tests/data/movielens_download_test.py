"""MovieLens through tensorflow-datasets: the same ratings as the folder's, checked whenever they are read."""

import io
import os
import pathlib
import shutil
import urllib.request
from unittest import mock

import pytest

from gr_tf.data import download, movielens_download, rating_sources
from gr_tf.data.rating_sources import RATING_DATASETS, load_ratings
from gr_tf.errors import InputError

DATA = os.environ.get("GR_TF_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="GR_TF_DATA names no folder with the real datasets")
NAME = "movielens/100k-ratings"


@pytest.fixture
def online(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and an official address that answers."""
    monkeypatch.setenv("GR_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "answer", lambda *_: io.BytesIO())


@pytest.mark.slow
@needs_data
@pytest.mark.usefixtures("online")
def test_the_same_ratings_until_they_are_damaged(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own reader on a tenth of the folder's ratings; only its download is replaced."""
    import tensorflow_datasets as tfds

    folder, cache = tmp_path / "ml-100k", tmp_path / "cache" / "tensorflow_datasets"
    shutil.copytree(pathlib.Path(str(DATA)) / "ml-100k", folder)
    lines = (folder / "u.data").read_text().splitlines(keepends=True)
    (folder / "u.data").write_text("".join(line for line in lines if int(line.split()[0]) < 95))
    with mock.patch.object(tfds.download.DownloadManager, "download_and_extract", return_value=str(tmp_path)):
        with pytest.raises(InputError, match=r"100k-ratings: damaged: its ratings are not those of the release"):
            load_ratings("movielens-100k")
        tenth = rating_sources.read_rating_folder(folder, RATING_DATASETS["movielens-100k"])
        monkeypatch.setitem(movielens_download.CHECKSUMS, NAME, movielens_download.checksum(*tenth))
        loaded = load_ratings("movielens-100k")
    read = load_ratings("movielens-100k", folder)
    assert read.num_examples > 5_000
    assert loaded.checksum == read.checksum
    assert loaded.titles == read.titles
    assert loaded.source is None
    (record,) = cache.glob(f"{NAME}/*/*.tfrecord*")
    content = record.read_bytes()
    for damaged in (content[:-7], content[:1000] + b"!" + content[1001:], b""):
        record.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"{NAME}: damaged: .*Delete the folder {cache}, and it is") as refused:
            load_ratings("movielens-100k")
        assert len(str(refused.value).splitlines()) == 1


@needs_data
@pytest.mark.parametrize(
    "dataset", [pytest.param("movielens-100k"), pytest.param("movielens-1m", marks=pytest.mark.slow)]
)
def test_checksums_are_of_the_releases(dataset: str) -> None:
    layout = RATING_DATASETS[dataset]
    folder = pathlib.Path(str(DATA)) / dataset.replace("movielens", "ml")
    frame, titles = rating_sources.read_rating_folder(folder, layout)
    assert movielens_download.checksum(frame[::-1], titles) == movielens_download.CHECKSUMS[str(layout.tfds)]
    frame.loc[frame.index[7], "rating"] = 6.0
    assert movielens_download.checksum(frame, titles) != movielens_download.CHECKSUMS[str(layout.tfds)]


@pytest.mark.usefixtures("online")
def test_what_cannot_be_downloaded() -> None:
    import tensorflow_datasets as tfds

    failing = mock.patch.object(tfds, "load", side_effect=ConnectionError("no route to host.\nTry this.\nOr that."))
    with (
        failing,
        pytest.raises(InputError, match=r"no route to host\. Name a folder that has its files with data_dir"),
    ):
        movielens_download.download_with_tfds(NAME)


def test_being_offline_is_told_before_anything_is_loaded(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GR_TF_CACHE", str(tmp_path))
    offline = mock.patch.object(urllib.request, "urlopen", side_effect=OSError("Network is unreachable"))
    with offline, pytest.raises(InputError, match=r"^https://files.grouplens.org/.*: Network is unreachable\. Name"):
        load_ratings("movielens-1m")
    assert not list(tmp_path.iterdir())
