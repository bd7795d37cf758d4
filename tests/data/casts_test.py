"""What is read as something else than it is written as: as a user would expect, and told where it is a guess."""

import datetime
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.rating_sources import load_ratings, read_own_folder
from gr_tf.data.ratings import RatingSplit
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSplit
from gr_tf.data.triple_files import read_triples

RATED = {"item": ["i", "j"], "rating": [3, 4.5]}


@pytest.mark.parametrize(
    ("users", "names"),
    [
        ([1.0, 2.0], ["1", "2"]),
        (np.array([1, 2**53 - 1], np.float64), ["1", "9007199254740991"]),
        (np.array([1, 2], np.float32), ["1", "2"]),
        (np.array([2**64 - 1, 2], np.uint64), ["18446744073709551615", "2"]),
        ([-1, -2], ["-1", "-2"]),
        (["1.0", " 01 "], ["1.0", " 01 "]),
        (pd.Categorical(["v", "u"]), ["v", "u"]),
        (pd.array([7, 8], "Int64"), ["7", "8"]),
    ],
)
def test_names_in_parquet(tmp_path: pathlib.Path, users: Any, names: list[str]) -> None:
    pd.DataFrame({"user": users, **RATED}).to_parquet(tmp_path / "ratings.parquet")
    frame, _ = read_own_folder(tmp_path)
    assert frame["user"].tolist() == names
    assert frame["rating"].tolist() == [3, 4.5]


@pytest.mark.parametrize(
    ("times", "numbers"),
    [
        ([1.0, 2.0], [1, 2]),
        (pd.to_datetime(["1970-01-01", "2020-01-01"]), [0, 1577836800 * 10**9]),
        (
            pd.to_datetime(["2020-01-01", "2020-01-02"]).tz_localize("US/Pacific"),
            [1577865600 * 10**9, 1577952000 * 10**9],
        ),
        ([datetime.date(1970, 1, 2), datetime.date(1969, 12, 31)], [86400 * 10**9, -86400 * 10**9]),
        ([2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
    ],
)
def test_times_in_parquet(tmp_path: pathlib.Path, times: Any, numbers: list[int]) -> None:
    pd.DataFrame({"user": ["u", "v"], **RATED, "time": times}).to_parquet(tmp_path / "ratings.parquet")
    assert read_own_folder(tmp_path)[0]["time"].tolist() == numbers


def test_large_times_beside_others_stay_exact(tmp_path: pathlib.Path) -> None:
    """A pair that is rated twice keeps its last rating, which floats could not tell."""
    lines = ["u\ti\t1\t9007199254740993", "u\ti\t2\t9007199254740992", "u\tj\t3\t7.0", "v\ti\t3\t+8", "v\tj\t1\t-9"]
    (tmp_path / "a.rating").write_text("".join(f"{line}\n" for line in lines))
    frame, _ = read_own_folder(tmp_path)
    assert frame["time"].tolist() == [9007199254740993, 9007199254740992, 7, 8, -9]
    ratings = load_ratings(None, tmp_path, RatingSplit(min_interactions=1))
    assert ratings.train_frame["rating"].tolist() == [1, 3, 3, 1]
    assert ratings.notes[0] == "1 ratings of a pair that is rated again later left out."


def test_notes_on_ratings(tmp_path: pathlib.Path) -> None:
    """Blank lines, names that look the same, and titles of other items."""
    (tmp_path / "ratings.tsv").write_text("user\titem\trating\nu\ti\t3\n\nu \ti\t4\n")
    (tmp_path / "items.csv").write_text("item,title\ni.0,A\n")
    notes = load_ratings(None, tmp_path, RatingSplit(min_interactions=1)).notes
    assert notes[0] == "ratings.tsv: 1 blank lines passed over."
    assert "1 names look like another user's and are taken for different ones, such as 'u' and 'u '." in notes
    assert notes[-1] == "none of the 1 titles is of an item that was chosen or rated."


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("user\titem", []),
        ("Item\tuser", []),
        (
            "userid\titemid",
            [
                "sequences.txt: the first line, 'userid', 'itemid', was taken for the names of columns, not for a user "
                "with items; a line user<TAB>item before it says so."
            ],
        ),
    ],
)
def test_the_first_line_of_sequences(tmp_path: pathlib.Path, first: str, told: list[str]) -> None:
    (tmp_path / "sequences.txt").write_text(f"{first}\nu\ti\nu\tj\nv\tj\nv\ti\n")
    sequences = load_sequences(None, tmp_path, SequenceSplit(min_interactions=1))
    assert list(sequences.notes) == told


def test_what_is_taken_for_a_name(tmp_path: pathlib.Path) -> None:
    """Text that only looks like another file's first bytes."""
    (tmp_path / "train.txt").write_text("PAR1\tBZh\tnull\nNaN\tTrue\t1.0\n")
    assert read_triples(tmp_path / "train.txt").to_numpy().tolist() == [["PAR1", "BZh", "null"], ["NaN", "True", "1.0"]]
