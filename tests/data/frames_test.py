"""Data in DataFrames: the same as in files, and told by the frame's row what is wrong."""

import datetime
import pathlib
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.choice_sources import load_choices
from gr_tf.data.choices import ChoiceSplit
from gr_tf.data.dataset import Dataset
from gr_tf.data.frames import IN_MEMORY, FrameData
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSplit
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSplit
from gr_tf.data.sources import load_triples
from gr_tf.data.triple_split import TripleSplit
from gr_tf.errors import InputError

# Names that files make trouble of: quotes, commas, tabs, line ends, blanks, other scripts, "NA", "?".
HOSTILE = ['"a"', "b,c", "d\te", "f\ng", " h ", "\u0645\u0631\u062d", "NA", "?", "<b>", "x" * 300]


def triples(count: int = 60) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    heads, tails = (generator.choice(np.array(HOSTILE, object), count) for _ in range(2))
    return pd.DataFrame({"head": heads, "relation": [f"r{i % 3}" for i in range(count)], "tail": tails, "more": 1.5})


def ratings() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    rows = [(user, f"i{item}") for user in range(12) for item in generator.permutation(8)[:6]]
    frame = pd.DataFrame(rows, columns=["userId", "item"])
    return frame.assign(rating=generator.integers(1, 6, len(frame)), time=generator.permutation(len(frame)) + 1)


LOADED: dict[str, tuple[Callable[[], pd.DataFrame], Callable[..., Dataset], str, Any, str]] = {
    "triples": (triples, load_triples, "train", None, "labels"),
    "ratings": (ratings, load_ratings, "ratings", RatingSplit(min_interactions=2), "titles"),
    "choices": (ratings, load_choices, "choices", ChoiceSplit(min_interactions=2), "titles"),
    "sequences": (ratings, load_sequences, "sequences", SequenceSplit(min_interactions=2, order="time"), "titles"),
}


@pytest.mark.parametrize("kind", LOADED)
def test_a_frame_is_read_as_a_file_of_it(kind: str, tmp_path: pathlib.Path) -> None:
    made, load, stem, split, _ = LOADED[kind]
    frame = made()
    frame.to_parquet(tmp_path / f"{stem}.parquet")
    from_file, from_frame = load(data_dir=tmp_path, split=split), load(frame, split=split)
    assert from_frame.checksum == from_file.checksum
    assert from_frame.source == IN_MEMORY
    pd.testing.assert_frame_equal(from_frame.train_frame, from_file.train_frame)
    # Whatever the index and the order of the columns are; the frame stays as it was.
    other = frame[frame.columns[::-1]].set_axis([7] * len(frame), axis=0)
    before = other.copy()
    assert load(other, split=split).checksum == from_file.checksum
    pd.testing.assert_frame_equal(other, before)


@pytest.mark.parametrize("kind", LOADED)
def test_numbered_columns_are_in_order(kind: str) -> None:
    made, load, _, split, _ = LOADED[kind]
    frame = made().drop(columns="more", errors="ignore")
    if kind in ("sequences", "choices"):
        frame = frame.drop(columns="rating" if kind == "sequences" else "time")
    assert (
        load(frame.set_axis(range(frame.shape[1]), axis=1), split=split).checksum == load(frame, split=split).checksum
    )


def test_parts_and_labels() -> None:
    frame = triples()
    known = load_triples(frame.iloc[:40], valid=frame.iloc[40:50], test=frame.iloc[50:], labels={"?": "who", "NA": "x"})
    assert (len(known.train), len(known.valid), len(known.test)) == (40, 10, 10)
    assert known.split is None
    assert known.label("?") == "who"
    table = pd.DataFrame({"label": ["who", "x"], "entity": ["?", "NA"]})
    assert load_triples(frame, labels=table).labels == load_triples(frame, labels={"?": "who", "NA": "x"}).labels
    titled = load_ratings(
        ratings(), split=RatingSplit(min_interactions=2), titles=pd.Series({"i1": "One"}), name="mine"
    )
    assert (titled.title(titled.items.ids["i1"]), titled.name) == ("One", "mine")


def test_the_fingerprint_is_of_every_cell() -> None:
    frame = triples()
    whole = FrameData.of("triples", frame).fingerprint
    assert FrameData.of("triples", frame.assign(more=2)).fingerprint == whole
    others = [frame.iloc[::-1], frame.iloc[1:], frame.rename(columns={"head": "tail", "tail": "head"})]
    changed = frame.copy()
    changed.iloc[17, 1] = "r9"
    # The same letters in other cells.
    moved = frame.assign(head=frame["head"] + "r", relation=frame.relation.str[1:])
    told = {FrameData.of("triples", other).fingerprint for other in (*others, changed, moved)}
    told.add(FrameData.of("triples", frame, valid=frame).fingerprint)
    told.add(FrameData.of("triples", frame, names={"?": "a"}).fingerprint)
    assert len(told | {whole}) == 8


def with_cell(frame: pd.DataFrame, row: int, column: str, value: Any) -> pd.DataFrame:
    changed = frame.astype(object)
    changed.iloc[row, list(changed.columns).index(column)] = value
    return changed.set_axis(range(100, 100 + len(changed)), axis=0)


NAN = float("nan")
REFUSED = [
    (lambda: load_triples(with_cell(triples(), 17, "head", NAN)), "train.iloc[17]: empty head: ['', 'r2', "),
    (lambda: load_triples(with_cell(triples(), 3, "tail", " \t")), "train.iloc[3]: empty tail"),
    (lambda: load_triples(with_cell(triples(), 3, "tail", 1.5)), "train.iloc[3]: the tail is not a whole number: 1.5;"),
    (lambda: load_triples(with_cell(triples(), 3, "tail", True)), "train.iloc[3]: the tail is a truth value: True;"),
    (lambda: load_triples(with_cell(triples(), 3, "tail", "a\0")), "train.iloc[3]: the tail has a NUL character"),
    (
        lambda: load_triples(with_cell(triples(), 3, "tail", "\ud800")),
        "train.iloc[3]: the tail is no Unicode text: '\\ud8",
    ),
    (
        lambda: load_triples(with_cell(triples(), 3, "tail", datetime.date(2020, 1, 1))),
        "train.iloc[3]: the tail is a date",
    ),
    (lambda: load_triples(triples().iloc[:0]), "train: empty: no row in it."),
    (
        lambda: load_triples(pd.DataFrame()),
        "train: has no column head, relation, tail; its columns are none. Rename them w",
    ),
    (lambda: load_triples(triples().drop(columns="tail")), "train: has no column tail; its columns are 'head', 'rel"),
    (lambda: load_triples(triples().assign(Tail="x")), "train: several columns may be the tail: 'tail', 'Tail'; keep"),
    (
        lambda: load_triples(triples().set_axis(range(4), axis=1)),
        "train: its columns are numbered, so that they must be",
    ),
    (lambda: load_triples(triples(), valid=triples().drop(columns="tail")), "valid: has no column tail"),
    (
        lambda: load_triples(triples(), valid=triples().to_dict()),  # type: ignore[arg-type]
        "valid must be a DataFrame of pandas; got dict: try pan",
    ),
    (lambda: load_triples(triples(), labels={"a": "x", "b": None}), "labels.iloc[1]: empty label: ['b', '']."),
    (
        lambda: load_triples(triples(), labels=pd.DataFrame({"entity": ["a", "a"], "label": ["x", "y"]})),
        "labels.iloc[1]: 'y' is the label of 'a', which is 'x' in a row before.",
    ),
    (
        lambda: load_triples(triples(), "folder"),
        "the data are train, a DataFrame, or in data_dir, not both; got 'folder'.",
    ),
    (lambda: load_triples(triples(), name="nations"), "'nations' is the name of a published dataset"),
    (
        lambda: load_triples("nations", valid=triples()),
        "valid goes with a DataFrame; data in files have a file valid.csv",
    ),
    (
        lambda: load_triples(triples().iloc[:2]),
        "a DataFrame: no triple can be held out for valid: each names something that no other triple names. Give "
        "valid, another DataFrame.",
    ),
    (
        lambda: load_ratings(with_cell(ratings(), 5, "rating", "good")),
        "train.iloc[5]: the rating is not a finite number: 'g",
    ),
    (
        lambda: load_ratings(with_cell(ratings(), 5, "time", 1.5)),
        "train.iloc[5]: the time is not a whole number: '1.5'.",
    ),
    (lambda: load_ratings(ratings()), "a DataFrame: no rating is left with at least 10 a user and item"),
    (lambda: load_sequences(ratings().drop(columns="item")), "train: has no column item"),
    (lambda: load_ratings(ratings(), columns={"user": "x"}), "columns are named of files; of a DataFrame, rename them"),
    (
        lambda: load_triples(triples(), split=TripleSplit(columns="head:x")),
        "columns are named of files; of a DataFrame",
    ),
    (lambda: load_sequences(ratings(), name="yelp"), "'yelp' is the name of a published dataset"),
    (
        lambda: load_triples(triples().to_numpy()),  # type: ignore[arg-type]
        "data in memory are a pandas DataFrame with named columns; got a ndarray: array(",
    ),
    (
        lambda: load_sequences([("u", "i")]),  # type: ignore[arg-type]
        "data in memory are a pandas DataFrame with named columns; got a list: [('u', 'i')].",
    ),
    (
        lambda: load_ratings("movielens-100k", titles={}),
        "titles goes with a DataFrame; data in files have a file items.csv",
    ),
    (
        lambda: FrameData.of("ratings", ratings(), valid=ratings()),
        "valid is for triples; of ratings, some of each user's",
    ),
    (
        lambda: FrameData.of("triples", types.SimpleNamespace(to_pandas=1)),  # type: ignore[arg-type]
        "train must be a DataFrame of pandas; got types.SimpleNamespace: try train.to_pandas().",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_what_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
