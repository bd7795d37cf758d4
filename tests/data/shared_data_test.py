"""The readers on real data: the folder that GR_TF_DATA names."""

import dataclasses
import os
import pathlib
import tarfile
import zipfile

import numpy as np
import pytest

from gr_tf.data import download, sources
from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.sources import load_triples, published_name
from gr_tf.errors import InputError
from gr_tf.models.prediction import predict_top
from gr_tf.models.ranking import filtered_ranks
from gr_tf.runs import files
from gr_tf.training.triple_config import TripleConfig

DATA = os.environ.get("GR_TF_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="GR_TF_DATA names no folder with the real datasets")


@needs_data
def test_fb15k237_with_crlf_and_unseen_entities() -> None:
    triples = load_triples("fb15k237", pathlib.Path(str(DATA)) / "fb15k-237")
    assert len(triples.train) == 272_115
    assert (len(triples.entities), len(triples.relations)) == (14_505, 237)
    assert not any(name.endswith("\r") for name in triples.entities.names)
    assert triples.notes == (
        "valid: 9 triples with a name unknown in training skipped.",
        "test: 28 triples with a name unknown in training skipped.",
    )
    assert triples.labels["/m/0102t4"] == "Marshall"
    assert published_name(triples.checksums) == "fb15k237"


@needs_data
def test_movielens_as_triples() -> None:
    triples = load_triples("movielens", pathlib.Path(str(DATA)) / "ml-100k")
    assert (len(triples.train), len(triples.valid)) == (90_570, 4_999)
    # Two movies of ua.test never occur in ua.base.
    skipped = sum(int(note.split()[1]) for note in triples.notes)
    assert len(triples.test) + len(triples.valid) + skipped == 9_430
    assert (len(triples.entities), len(triples.relations)) == (943 + 5, 1_680)
    assert [triples.entities.names[i] for i in triples.candidates or ()] == ["r:1", "r:2", "r:3", "r:4", "r:5"]
    assert triples.train_frame.iloc[0].tolist() == ["u:1", "m:1", "r:5"]
    assert triples.labels["m:1"] == "Toy Story (1995)"
    assert published_name(triples.checksums) == "movielens"


@needs_data
def test_movielens_predicts_ratings_only() -> None:
    triples = load_triples("movielens", pathlib.Path(str(DATA)) / "ml-100k")
    model = TripleConfig().make_model(triples)
    table = model.initial_parameters(0, "float64").table
    heads, relations, _ = triples.test[:50].T
    scores = model.score_all_tails(table, heads, relations).numpy()
    assert np.isfinite(scores).sum(axis=1).tolist() == [5] * 50
    tails, probabilities = predict_top(model, table, known_from_train_and_valid(triples), heads, relations)
    assert set(tails.tolist()) <= set(triples.candidates or ())
    assert (probabilities > 1 / 5).all()
    ranks = filtered_ranks(model, table, triples.test[:50], known_from_train_and_valid(triples))
    assert ranks.max() <= 5


@needs_data
@pytest.mark.parametrize("dataset", [pytest.param("fb15k237", marks=pytest.mark.slow), "movielens"])
def test_downloads_are_checked_and_kept(dataset: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an archive on this disk, in the layout of the official one."""
    archive = {"fb15k237": sources.FB15K237, "movielens": sources.MOVIELENS_100K}[dataset]
    path = tmp_path / pathlib.PurePosixPath(archive.url).name
    members = [pathlib.Path(str(DATA)) / archive.name / name for name in archive.checksums]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            for member in members:
                packed.write(member, f"{archive.name}/{member.name}")
    else:
        with tarfile.open(path, "w:gz", compresslevel=1) as packed_tar:
            for member in members:
                packed_tar.add(member, member.name)
    monkeypatch.setenv("GR_TF_CACHE", str(tmp_path / "cache"))
    local = dataclasses.replace(archive, url=path.as_uri())
    folder = download.fetch(local)
    assert {name: files.sha256(folder / name) for name in archive.checksums} == archive.checksums
    path.unlink()
    assert download.fetch(local) == folder  # found again
    assert load_triples(dataset).train.shape[1] == 3


def test_a_download_that_is_not_the_published_one(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GR_TF_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "x.zip"
    archive = dataclasses.replace(sources.MOVIELENS_100K, url=path.as_uri())
    with pytest.raises(InputError, match=r"x.zip: cannot be downloaded: .* data_dir"):
        download.fetch(archive)
    path.write_bytes(b"not a zip")
    with pytest.raises(InputError, match=r"x.zip: not a whole archive"):
        download.fetch(archive)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("ml-100k/ua.base", "other")
    with pytest.raises(InputError, match=r"ua.base is not the published one"):
        download.fetch(archive)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [("1\t2\t6\t0", r"ua.base:2: want user, item and rating 1-5"), ("1\t2", r"ua.base"), ("x\t2\t3\t0", "ua.base:2")],
)
def test_malformed_ratings(tmp_path: pathlib.Path, line: str, message: str) -> None:
    for name in ("ua.base", "ua.test"):
        (tmp_path / name).write_text(f"1\t1\t5\t0\n{line}\n")
    with pytest.raises(InputError, match=message):
        load_triples("movielens", tmp_path)


@needs_data
def test_shipped_nations_is_the_upstream_copy() -> None:
    assert load_triples("nations", pathlib.Path(str(DATA)) / "nations").checksums == load_triples().checksums
