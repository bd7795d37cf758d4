"""Reading, filtering and splitting ratings; what is refused."""

import os
import pathlib

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.rating_sources import RATING_DATASETS, load_ratings, read_ratings
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit, make_rating_set
from gr_tf.errors import InputError
from tests.conftest import rating_lines

DATA = os.environ.get("GR_TF_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="GR_TF_DATA names no folder with the real datasets")


def frame_of(lines: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [(user, item, float(rating)) for user, item, rating, _ in (line.split("\t") for line in lines)],
        columns=["user", "item", "rating"],
    )


def test_every_rating_is_in_one_split(toy_ratings: RatingSet) -> None:
    parts = [toy_ratings.train, toy_ratings.valid, toy_ratings.test]
    assert len(toy_ratings.users) == len(toy_ratings.valid) == len(toy_ratings.test)
    for part in parts[1:]:
        np.testing.assert_array_equal(part.pairs[:, 0], np.arange(len(toy_ratings.users)))
    pairs = np.concatenate([part.pairs for part in parts])
    assert len(np.unique(pairs, axis=0)) == len(pairs) == 120
    read = {tuple(row[:2]): row[2] for row in frame_of(rating_lines()).itertuples(index=False)}
    for part in parts:
        for row in toy_ratings.names(part).itertuples(index=False):
            assert read[row.user, row.item] == row.rating


def test_order_of_the_file_does_not_matter(toy_ratings: RatingSet) -> None:
    shuffled = frame_of(rating_lines()).sample(frac=1, random_state=3)
    again = make_rating_set("again", shuffled, {}, RatingSplit(min_interactions=4))
    assert again.checksum == toy_ratings.checksum
    other = make_rating_set("other", shuffled, {}, RatingSplit(min_interactions=4, seed=1))
    assert other.checksum != toy_ratings.checksum


def test_filter_until_none_is_left() -> None:
    """b has two ratings only because of y, which goes: a single pass would keep b."""
    rows = [("a", "x"), ("a", "z"), ("b", "x"), ("b", "y"), ("c", "x"), ("c", "z")]
    frame = pd.DataFrame(rows, columns=["user", "item"]).assign(rating=3.0)
    kept = make_rating_set("core", frame, {}, RatingSplit(min_interactions=2))
    assert kept.users.names == ("a", "c")
    assert kept.items.names == ("x", "z")
    assert kept.notes == (
        "2 ratings left out with 1 users and 1 items of fewer than 2 ratings.",
        "2 users with fewer than three ratings have none held out.",
    )
    with pytest.raises(InputError, match="no rating is left with at least 7"):
        make_rating_set("none", frame, {}, RatingSplit(min_interactions=7))


def test_a_pair_rated_twice_keeps_its_last_rating() -> None:
    frame = pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "x", "x"], "rating": [1.0, 5.0, 2.0]})
    kept = make_rating_set("twice", frame, {}, RatingSplit(min_interactions=0))
    assert kept.train.values.tolist() == [5.0, 2.0]
    assert kept.notes[0] == "1 ratings of a pair that is rated again later left out."
    # By time where it is known, whatever the order.
    for order in ([0, 1, 2], [2, 1, 0]):
        timed = frame.assign(time=[2000, 1000, 0]).iloc[order]
        kept = make_rating_set("twice", timed, {}, RatingSplit(min_interactions=0))
        assert kept.train.values.tolist() == [1.0, 2.0]


def test_ones_own_files_need_no_time(tmp_path: pathlib.Path, toy_ratings: RatingSet) -> None:
    lines = rating_lines()
    for name, text in (("timed", "".join(lines)), ("plain", "".join(line.rsplit("\t", 1)[0] + "\n" for line in lines))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.rating").write_text(text + "\n\n")
        mine = load_ratings("mine", tmp_path / name, RatingSplit(min_interactions=4))
        assert mine.name == "mine"
        assert mine.checksum == toy_ratings.checksum
    (tmp_path / "plain" / "mine.rating").write_text("u\ti\t3\nu\tj\t3\t7\n")
    with pytest.raises(InputError, match=r"mine.rating:2: want user<TAB>item<TAB>rating, got 4 fields"):
        load_ratings("mine", tmp_path / "plain")
    (tmp_path / "plain" / "mine.rating").write_text("u,i,3\n")
    with pytest.raises(InputError, match=r"mine.rating:1: want user<TAB>item<TAB>rating<TAB>time, got 1 fields"):
        load_ratings("mine", tmp_path / "plain")


def test_related_ratings_are_the_users_and_the_items(toy_ratings: RatingSet) -> None:
    pairs = toy_ratings.train.pairs
    for user, item in (toy_ratings.test.pairs[0], pairs[17]):
        related = toy_ratings.related(RatingQuery(int(user), int(item)))
        assert len(set(related)) == len(related)
        assert set(related) == set(np.flatnonzero((pairs[:, 0] == user) | (pairs[:, 1] == item)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u1::i1::3::9\n", r"toy.rating:1: want user<TAB>item<TAB>rating<TAB>time, got 1 fields: 'u1::i1::3::9'"),
        ("u1\ti1\t3\t9\nu2\ti1\t4\n", r"toy.rating:2: want .*, got 3 fields"),
        ("u1\ti1\t3\t9\nu2\ti1\tfour\t9\n", r"toy.rating:2: the rating is not a finite number: .*'four'"),
        ("u1\ti1\tnan\t9\n", r"toy.rating:1: the rating is not a finite number"),
        ("u1\ti1\tinf\t9\n", r"toy.rating:1: the rating is not a finite number"),
        ("u1\ti1\t3\t\n", r"toy.rating:1: the time is not a finite number"),
        ("\ti1\t3\t9\n", r"toy.rating:1: empty user"),
        ("u1\ti1\t3\t9\n\nu2\ti1\t3\t9\n", r"toy.rating:2: want .*, got 1 fields: ''"),
        ("", r"toy.rating: empty"),
        ("\n", r"toy.rating: empty"),
    ],
)
def test_bad_lines_are_named(tmp_path: pathlib.Path, text: str, message: str) -> None:
    (tmp_path / "toy.rating").write_text(text)
    with pytest.raises(InputError, match=message):
        load_ratings("yelp", tmp_path)


def test_bad_sources_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"has no file named u\.data"):
        load_ratings("movielens-100k", tmp_path)
    with pytest.raises(InputError, match="unknown dataset 'ml': want one of movielens-100k"):
        load_ratings("ml")
    with pytest.raises(InputError, match="yelp is not downloaded"):
        load_ratings("yelp")
    for name in ("a.rating", "b.rating"):
        (tmp_path / name).write_text("u\ti\t3\t4\n")
    with pytest.raises(InputError, match=r"has 2 files \(a.rating, b.rating\)"):
        load_ratings("yelp", tmp_path)
    (tmp_path / "a.rating").write_bytes(b"u\xff\ti\t3\t4\n")
    with pytest.raises(InputError, match=r"a.rating:1: not UTF-8: byte 0xff"):
        read_ratings(tmp_path / "a.rating", RATING_DATASETS["yelp"])
    with pytest.raises(InputError, match="min_interactions must be a number of at least 0; got -1"):
        RatingSplit(min_interactions=-1)


def test_carriage_returns_are_no_part_of_a_field(tmp_path: pathlib.Path) -> None:
    (tmp_path / "crlf.rating").write_bytes(b"u\ti\t3\t4\r\nv\ti\t2\t5\r\n")
    frame = read_ratings(tmp_path / "crlf.rating", RATING_DATASETS["yelp"])
    assert frame.time.tolist() == [4, 5]


@needs_data
@pytest.mark.parametrize("dataset", ["movielens-100k", pytest.param("movielens-1m", marks=pytest.mark.slow)])
def test_movielens_and_its_titles(dataset: str) -> None:
    folder = pathlib.Path(str(DATA)) / dataset.replace("movielens", "ml")
    ratings = load_ratings(dataset, folder)
    counts = {"movielens-100k": (943, 1152, 97_953), "movielens-1m": (6040, 3260, 998_539)}
    total = len(ratings.train) + len(ratings.valid) + len(ratings.test)
    assert (len(ratings.users), len(ratings.items), total) == counts[dataset]
    query = ratings.query("1", "The Lion King (1994)")
    assert ratings.title(query.item) == "Lion King, The (1994)"
    with pytest.raises(
        InputError, match=r"unknown item 'Toy Stori \(1995\)'.*Did you mean '1' \('Toy Story \(1995\)'\)"
    ):
        ratings.query("1", "Toy Stori (1995)")
    with pytest.raises(InputError, match="unknown user '99999'"):
        ratings.query("99999", "Toy Story (1995)")
    if dataset == "movielens-100k":
        with pytest.raises(InputError, match="is the label of 2 names"):
            ratings.query("1", "Chasing Amy (1997)")
