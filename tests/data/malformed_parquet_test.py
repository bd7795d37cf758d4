"""Malformed Parquet files of every kind, each with the line that tells it."""

import datetime
import decimal
import pathlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSplit
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSplit
from gr_tf.data.sources import load_triples
from tests.data.malformed import Files, refused

READ: dict[str, Callable[[pathlib.Path], object]] = {
    "train": lambda folder: load_triples(data_dir=folder),
    "ratings": lambda folder: load_ratings(None, folder, RatingSplit(min_interactions=1)),
    "sequences": lambda folder: load_sequences(None, folder, SequenceSplit(min_interactions=1, order="auto")),
}

TABLE: list[tuple[Files, str]] = [
    ({"train.parquet/": ""}, "train.parquet: is a folder; want one Parquet file."),
    ({"train.parquet": b""}, "train.parquet: not a Parquet file:"),
    ({"train.parquet": b"PAR1PAR1"}, "train.parquet: not a Parquet file:"),
    ({"train.parquet": "head,relation,tail\na,r,b\n"}, "train.parquet: not a Parquet file:"),
    (
        {"train.parquet": {"head": ["a"], "relation": ["r"]}},
        "train.parquet: has no column tail; its columns are 'head', 'relation'.",
    ),
    ({"train.parquet": {"head": [], "relation": [], "tail": []}}, "train.parquet: empty: no row in it."),
    (
        {"train.parquet": {"head": ["a", None], "relation": ["r", "r"], "tail": ["b", "c"]}},
        "train.parquet:2: empty head: ['', 'r', 'c'].",
    ),
    (
        {"train.parquet": {"head": [1.5], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is not a whole number: 1.5; want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [True], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is a truth value: True; want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [["a"]], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is a list: array(['a'], dtype=object); want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [b"a"], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is bytes: b'a'; want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [{"a": 1}], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is no text: {'a': 1}; want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [datetime.date(2020, 1, 1)], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is a date: datetime.date(2020, 1, 1); want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [pd.Timestamp("2020-01-01")], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is a date: Timestamp('2020-01-01 00:00:00'); want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [1e17], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is a number too large to be exact: 1e+17; want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [np.inf], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is not a whole number: inf; want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": ["a\x00b"], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head has a NUL character: 'a\\x00b'.",
    ),
    (
        {"train.parquet": {"head": [decimal.Decimal("1.5")], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is not a whole number: Decimal('1.5'); want text or whole numbers.",
    ),
    (
        {"train.parquet": {"head": [" "], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: empty head: [' ', 'r', 'b'].",
    ),
    (
        {"train.parquet": {"head": ["a"], "Head": ["a"], "relation": ["r"], "tail": ["b"]}},
        "train.parquet: several columns may be the head: 'head', 'Head'; keep one of them.",
    ),
    (
        {"train.parquet": {"head": [pd.Timedelta("1s")], "relation": ["r"], "tail": ["b"]}},
        "train.parquet:1: the head is no text: Timedelta('0 days 00:00:01'); want text or whole numbers.",
    ),
    ({"ratings.parquet": b"x"}, "ratings.parquet: not a Parquet file:"),
    (
        {"ratings.parquet": {"user": [1.5], "item": ["i"], "rating": [3]}},
        "ratings.parquet:1: the user is not a whole number: 1.5; want text or whole numbers.",
    ),
    (
        {"ratings.parquet": {"user": [1e300], "item": ["i"], "rating": [3]}},
        "ratings.parquet:1: the user is a number too large to be exact: 1e+300; want text or whole numbers.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": [True], "rating": [3]}},
        "ratings.parquet:1: the item is a truth value: True; want text or whole numbers.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [True]}},
        "ratings.parquet:1: the rating is a truth value: True; want a number.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": ["good"]}},
        "ratings.parquet:1: the rating is not a finite number: 'good'.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [None]}},
        "ratings.parquet:1: empty rating: ['u', 'i', ''].",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [np.inf]}},
        "ratings.parquet:1: the rating is not a finite number: 'inf'.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [[3]]}},
        "ratings.parquet:1: the rating is a list: array([3]); want a number.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [3], "time": [1.5]}},
        "ratings.parquet:1: the time is not a whole number: '1.5'.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [3], "time": [pd.NaT]}},
        "ratings.parquet:1: empty time: ['u', 'i', '3', ''].",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [3], "time": [18446744073709551615]}},
        "ratings.parquet:1: the time is not a whole number of 64 bits: '18446744073709551615'.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [3], "time": [datetime.time(1, 0)]}},
        "ratings.parquet:1: the time is no text: datetime.time(1, 0); want a number.",
    ),
    (
        {"ratings.parquet": {"user": ["u"], "item": ["i"], "rating": [3], "time": ["monday"]}},
        "ratings.parquet:1: the time is not a finite number: 'monday'.",
    ),
    (
        {"sequences.parquet": {"user": [1.5], "item": [1]}},
        "sequences.parquet:1: the user is not a whole number: 1.5; want text or whole numbers.",
    ),
    ({"sequences.parquet": {"user": [1], "item": [None]}}, "sequences.parquet:1: empty item: ['1', '']."),
    (
        {"sequences.parquet": {"user": [1], "item": [["i", "j"]]}},
        "sequences.parquet:1: the item is a list: array(['i', 'j'], dtype=object); want text or whole numbers.",
    ),
    (
        {"sequences.parquet": {"user": [1], "item": ["i"], "time": [None]}},
        "sequences.parquet:1: empty time: ['1', 'i', ''].",
    ),
    (
        {"sequences.parquet": {"user": [1], "item": ["i"], "time": [False]}},
        "sequences.parquet:1: the time is a truth value: False; want a number.",
    ),
]


@pytest.mark.parametrize(("contents", "message"), TABLE)
def test_parquet(tmp_path: pathlib.Path, contents: Files, message: str) -> None:
    refused(tmp_path, contents, READ[next(iter(contents)).partition(".")[0]], message)
