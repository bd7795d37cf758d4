"""Ratings that come split."""

import os
import pathlib

import numpy as np
import pytest

from gr_tf.data.kind_of_files import CHOICES, RATINGS, SEQUENCES, TRIPLES, kinds_of_data
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSplit
from gr_tf.errors import InputError

DATA = os.environ.get("GR_TF_DATA")
TRAIN = "u\ta\t3\nv\ta\t4\nv\tb\t1\nu\ta\t5\nv\td\t1\n"
VALID = "u\tb\t2\nv\tb\t2\n"
TEST = "u\td\t4\nu\tb\t2\nw\ta\t3\nu\tc\t3\n"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for part, text in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
        (tmp_path / f"some.{part}.rating").write_text(text)
    return tmp_path


def test_parts_stay_what_they_are(folder: pathlib.Path) -> None:
    found = load_ratings("mine", folder)
    assert found.users.names == ("u", "v")
    assert found.items.names == ("a", "b", "d")
    assert found.train.pairs.tolist() == [[0, 0], [1, 0], [1, 1], [1, 2]]
    assert found.train.values.tolist() == [5, 4, 1, 1]
    assert found.valid.pairs.tolist() == [[0, 1]]
    assert found.test.pairs.tolist() == [[0, 2]]
    assert found.notes == (
        "train: 1 ratings of a pair that is rated again later left out.",
        "valid: 1 ratings of a pair that is in training skipped.",
        "test: 2 ratings of a user or item without training rating skipped.",
        "test: 1 ratings of a pair that is in valid skipped.",
    )
    assert found.split is None
    assert kinds_of_data(folder) == kinds_of_data(folder, kind=RATINGS) == (RATINGS,)
    for kind in (SEQUENCES, CHOICES):
        with pytest.raises(InputError, match="ratings that come split are read as ratings only"):
            kinds_of_data(folder, kind=kind)
    (folder / "train.csv").write_text("head,relation,tail\na,b,c\n")
    assert kinds_of_data(folder, kind=TRIPLES) == (TRIPLES,)
    with pytest.raises(InputError, match=r"has train\.csv and some\.train\.rating, triples and ratings: name the file"):
        kinds_of_data(folder)
    (folder / "ratings.csv").write_text("user,item,rating\nu,a,1\n")
    with pytest.raises(InputError, match=r"has ratings\.csv, and some\.train\.rating and .*: want all ratings in one"):
        load_ratings("mine", folder)


def test_tables_with_columns_of_ones_own(tmp_path: pathlib.Path) -> None:
    for part in ("train", "valid", "test"):
        train = "x,k,4,1\nx,k,2,9\ny,k,1,5\ny,l,1,5\ny,m,1,5\n"
        rows = {"train": train, "valid": "x,l,3,7\n", "test": "x,m,3,7\n"}[part]
        name = {"train": "Ratings.Train.CSV"}.get(part, f"ratings.{part}.csv")
        (tmp_path / name).write_text(f"customer,sku,rating,time\n{rows}")
    (tmp_path / "items.csv").write_text("sku,title\nk,Kind Hearts\n")
    found = load_ratings(None, tmp_path, columns={"user": "customer", "item": "sku"})
    assert found.train.values.tolist() == [2, 1, 1, 1]
    assert found.title(0) == "Kind Hearts"
    assert found.split == RatingSplit(columns="user:customer,item:sku")
    assert load_ratings(None, tmp_path, found.split).checksum == found.checksum


def test_what_is_refused(folder: pathlib.Path) -> None:
    for split in (RatingSplit(seed=3), RatingSplit(min_interactions=2)):
        with pytest.raises(InputError, match=r"comes split, and as it is: (seed|min_interactions) has nothing to do"):
            load_ratings(None, folder, split)
    with pytest.raises(InputError, match="has no tables whose columns columns could name"):
        load_ratings(None, folder, columns={"user": "cust"})
    (folder / "some.valid.rating").write_text("w\ta\t1\n")
    with pytest.raises(InputError, match=r"valid: no rating is left\. .* valid: 1 ratings of a user or item without"):
        load_ratings(None, folder)
    (folder / "some.valid.rating").write_text("u\tb\n")
    with pytest.raises(InputError, match=r"some\.valid\.rating:1: "):
        load_ratings(None, folder)
    (folder / "other.test.rating").write_text(TEST)
    with pytest.raises(InputError, match=r"has other\.test\.rating and some\.test\.rating; want one of them"):
        load_ratings(None, folder)
    for name in ("other.test.rating", "some.test.rating"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"has some\.train\.rating and some\.valid\.rating, and no such file for test"):
        load_ratings(None, folder)


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="GR_TF_DATA names no folder with the real datasets")
def test_the_authors_split_of_movielens() -> None:
    found = load_ratings(None, pathlib.Path(str(DATA)) / "fia-ml-1m")
    assert found.name == "fia-ml-1m"
    assert (len(found.train), len(found.valid), len(found.test)) == (976_049, 12_080, 12_077)
    assert found.notes == ("test: 3 ratings of a user or item without training rating skipped.",)
    assert np.bincount(found.valid.pairs[:, 0]).tolist() == [2] * 6_040
