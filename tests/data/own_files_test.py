"""Files of one's own: named columns in CSV, TSV and Parquet, and triples held out where files are missing."""

import collections
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.named_tables import notes_of, read_named
from gr_tf.data.rating_sources import read_own_folder
from gr_tf.data.sequence_sources import load_sequences, read_own_sequences
from gr_tf.data.sequences import SequenceSplit
from gr_tf.data.triple_files import read_triples
from gr_tf.data.triple_split import TripleSplit, hold_out
from gr_tf.data.triples import read_folder
from gr_tf.errors import InputError

TRIPLES = [("a, b", "r", 'say "x"'), ("007", "r", "a, b"), ("NA", "q", "007")]


def triples_of(path: pathlib.Path) -> tuple[list[tuple[str, ...]], list[str]]:
    frame = read_triples(path)
    return list(frame.itertuples(index=False, name=None)), notes_of(frame)


def write(path: pathlib.Path, columns: Mapping[str, Sequence[object]]) -> pathlib.Path:
    frame = pd.DataFrame(columns)
    if path.suffix.lower() == ".parquet":
        frame.to_parquet(path)
    elif path.suffix.lower() == ".csv":
        frame.to_csv(path, index=False)
    else:
        rows = [list(columns), *frame.astype(str).to_numpy().tolist()]
        path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["train.csv", "train.CSV", "train.tsv", "train.txt", "train.Parquet"])
def test_named_columns_in_any_order(tmp_path: pathlib.Path, name: str) -> None:
    heads, relations, tails = ([triple[i] for triple in TRIPLES] for i in range(3))
    columns = {"source": ["x"] * 3, "Tail": tails, "head": heads, "relation": relations}
    assert triples_of(write(tmp_path / name, columns)) == (TRIPLES, [])
    subjects = {"subject": heads, "predicate": relations, "object": tails}
    found, notes = triples_of(write(tmp_path / name, subjects))
    assert found == TRIPLES
    assert bool(notes) == (name in ("train.tsv", "train.txt"))


def test_blanks_around_cells_and_lines(tmp_path: pathlib.Path) -> None:
    (tmp_path / "train.csv").write_bytes(b'\xef\xbb\xbfHead, relation ,tail\r\n\r\n a, r ," b, c"\r\n')
    assert triples_of(tmp_path / "train.csv") == ([("a", "r", "b, c")], ["train.csv: 1 blank lines passed over."])
    # Other common names; without three of them the first line is a triple.
    (tmp_path / "train.tsv").write_text("h\tpredicate\ttail\na\tr\tb\n")
    told = "train.tsv: the first line, 'h', 'predicate', 'tail', was taken for the names of columns, not for a triple; "
    told += "a line head<TAB>relation<TAB>tail before it says so."
    assert triples_of(tmp_path / "train.tsv") == ([("a", "r", "b")], [told])
    (tmp_path / "train.tsv").write_text("head\tr\tb\n")
    told = "train.tsv: the first line, 'head', 'r', 'b', was taken for a triple, not for the names of columns."
    assert triples_of(tmp_path / "train.tsv") == ([("head", "r", "b")], [told])
    (tmp_path / "train.tsv").write_text("r\tq\tb\n")
    assert triples_of(tmp_path / "train.tsv") == ([("r", "q", "b")], [])


def test_parquet_numbers_are_names(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "train.parquet", {"head": [1, 2], "relation": ["r", "r"], "tail": [2, 3]})
    assert triples_of(path)[0] == [("1", "r", "2"), ("2", "r", "3")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "train.csv",
            "from,rel,to\na,r,b\n",
            "train.csv: has no column head, tail; its columns are 'from', 'rel', 'to'",
        ),
        ("train.csv", "head,relation,tail\na,r,b\na,r\n", r"train.csv:3: want 3 fields .*, got 2: \['a', 'r'\]"),
        ("train.csv", 'head,relation,tail\n"a\nb",r,\n', "train.csv:3: empty tail"),
        ("train.csv", 'head,relation,tail\n"a,r,b\n', "train.csv:2: unexpected end of data"),
        ("train.csv", "head,relation,tail\n", "train.csv: empty: no row in it"),
        ("train.csv", 'head,"relation,tail\na,r,b\n', "train.csv:2: unexpected end of data"),
        ("train.csv", "", "train.csv: has no column head, relation, tail; its columns are none"),
        ("train.tsv", "head\trelation\ttail\na\tr\tb\tc\n", "train.tsv:2: want 3 fields .*, got 4"),
        ("train.tsv", "a\tr\tb\na\tr\n", "train.tsv:2: want head<TAB>relation<TAB>tail"),
        ("train.parquet", "head,relation,tail\n", "train.parquet: not a Parquet file"),
    ],
)
def test_what_is_refused(tmp_path: pathlib.Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_triples(tmp_path / name)


def test_aliases_and_what_is_optional(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "ratings.csv", {"userId": [1], "movieId": [2], "rating": [3.5], "timestamp": [9]})
    frame = read_named(path, ["user", "item", "rating"], ["time", "title"])
    assert frame.to_dict("index") == {2: {"user": "1", "item": "2", "rating": "3.5", "time": "9"}}


def random_triples(count: int) -> list[tuple[str, str, str]]:
    drawn = np.random.default_rng(0).integers([12, 3, 12], size=(count, 3))
    return [(f"e{head}", f"r{relation}", f"e{tail}") for head, relation, tail in drawn]


def test_what_stays_names_everything() -> None:
    triples = random_triples(200)
    repeats = collections.Counter(triples)
    held = hold_out(triples, ["valid", "test"], TripleSplit(valid_share=0.1, test_share=0.2))
    assert [len(held[part]) for part in ("valid", "test")] == [20, 40]
    gone = {int(place) for places in held.values() for place in places}
    assert len(gone) == 60
    stay = [triple for place, triple in enumerate(triples) if place not in gone]
    for columns in ((0, 2), (1,)):
        assert {t[i] for t in stay for i in columns} == {t[i] for t in triples for i in columns}
    assert all(repeats[triples[place]] == 1 for place in gone)
    again = hold_out(triples, ["valid", "test"], TripleSplit(valid_share=0.1, test_share=0.2))
    other = hold_out(triples, ["valid", "test"], TripleSplit(valid_share=0.1, test_share=0.2, seed=1))
    np.testing.assert_array_equal(held["valid"], again["valid"])
    assert held["valid"].tolist() != other["valid"].tolist()


def test_train_alone_is_split(tmp_path: pathlib.Path) -> None:
    triples = random_triples(100)
    path = tmp_path / "train.tsv"
    path.write_text("".join("\t".join(triple) + "\n" for triple in triples))
    split = TripleSplit(valid_share=0.1, test_share=0.05, seed=3)
    whole = read_folder(tmp_path, split=split)
    assert (len(whole.train), len(whole.valid), len(whole.test)) == (85, 10, 5)
    assert whole.split == split
    assert "valid: no file; 10 of 100 triples held out (seed 3)." in whole.notes
    assert list(whole.checksums) == ["train.tsv"]
    every = pd.concat([whole.names(part) for part in (whole.train, whole.valid, whole.test)])
    assert sorted(every.itertuples(index=False, name=None)) == sorted(triples)
    # A file instead of its folder is the same; a test file is taken as it is.
    file = read_folder(path, split=split)
    np.testing.assert_array_equal(file.train, whole.train)
    assert (file.name, whole.name) == ("train", tmp_path.name)
    write(tmp_path / "test.csv", {"head": ["e1"], "relation": ["r1"], "tail": ["e2"]})
    half = read_folder(tmp_path, split=split)
    assert (len(half.train), len(half.valid), len(half.test)) == (90, 10, 1)
    (tmp_path / "train.csv").write_text("")
    with pytest.raises(InputError, match=r"has train.csv and train.tsv; want one of them"):
        read_folder(tmp_path)


def test_nothing_to_hold_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "train.tsv").write_text("a\tr\tb\nc\tr\td\n")
    with pytest.raises(InputError, match="no triple can be held out for valid"):
        read_folder(tmp_path)
    for share in (0, 0.6):
        with pytest.raises(InputError, match=r"valid_share must be above 0 and at most 0.5"):
            TripleSplit(valid_share=share)


@pytest.mark.parametrize("suffix", [".csv", ".TSV", ".parquet"])
def test_ratings_with_named_columns(tmp_path: pathlib.Path, suffix: str) -> None:
    users, items, ratings = ["u1", "u1", "u2"], ["a,b", "c", "c"], [4.5, 1, 3]
    path = write(tmp_path / f"ratings{suffix}", {"rating": ratings, "user_id": users, "item": items})
    write(tmp_path / f"items{suffix}", {"item": ["a,b", "c"], "title": ["A", "C"], "year": [1, 2]})
    frame, titles = read_own_folder(tmp_path)
    assert frame.to_dict("list") == {"user": users, "item": items, "rating": ratings}
    assert titles == {"a,b": "A", "c": "C"}
    assert read_own_folder(path)[1] == {}
    timed = write(tmp_path / f"timed{suffix}", {"user": users, "item": items, "rating": ratings, "time": [3, 2, 1]})
    assert read_own_folder(timed)[0].time.tolist() == [3, 2, 1]


def test_ratings_that_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"has no file named \*.rating"):
        read_own_folder(tmp_path)
    path = tmp_path / "ratings.csv"
    for text, message in (
        ("user,item,rating\nu,i,4\nu,j,good\n", "ratings.csv:3: the rating is not a finite number: 'good'"),
        ("user,item,rating,time\nu,i,4,1.5\n", "ratings.csv:2: the time is not a whole number"),
        ("user,item,rating,time\nu,i,4,inf\n", "ratings.csv:2: the time is not a finite number: 'inf'"),
        ("user,item,stars,rating\nu,,4,5\n", "ratings.csv:2: empty item"),
        ("user,film,rating\nu,i,4\n", "ratings.csv: has no column item; its columns are 'user', 'film', 'rating'"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_own_folder(tmp_path)
    (tmp_path / "ratings.tsv").write_text("")
    with pytest.raises(InputError, match=r"has ratings.csv and ratings.tsv; want one of them"):
        read_own_folder(tmp_path)


@pytest.mark.parametrize("name", ["sequences.csv", "sequences.tsv", "sequences.txt", "sequences.parquet"])
def test_sequences_with_named_columns(tmp_path: pathlib.Path, name: str) -> None:
    users, items = ["u1", "u1", "u2"], ["a b", "c", "c"]
    path = write(tmp_path / name, {"item_id": items, "UserID": users, "place": [1, 2, 3]})
    write(tmp_path / "items.csv", {"item": ["a b", "c"], "title": ["A", "C"]})
    frame, titles = read_own_sequences(tmp_path)
    assert frame[["user", "item"]].to_dict("list") == {"user": users, "item": items}
    assert titles == {"a b": "A", "c": "C"}
    assert read_own_sequences(path)[1] == {}
    write(path, {"user": users, "item": items, "timestamp": [3, 2, 1]})
    assert read_own_sequences(path)[0].time.tolist() == [3, 2, 1]


def test_sequences_in_a_line_a_user(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sequences.txt"
    path.write_text("u2\tb\ta b\tb\r\n\nu1\tc\n")
    frame, titles = read_own_sequences(tmp_path)
    assert list(frame.itertuples(index=False, name=None)) == [("u2", "b"), ("u2", "a b"), ("u2", "b"), ("u1", "c")]
    assert titles == {}
    # Only the ends of lines end lines.
    path.write_text("u1\tc\u2028d\x0b\u0085e\n", encoding="utf-8")
    assert read_own_sequences(tmp_path)[0].item.tolist() == ["c\u2028d\x0b\u0085e"]


def test_order_of_sequences(tmp_path: pathlib.Path) -> None:
    """By time where there are times, else as in the file; also if nothing is said of one's own data."""
    path = tmp_path / "sequences.csv"
    split = SequenceSplit(min_interactions=1, window=5, order="auto")
    for times, order in (([3, 1, 2], ["b", "c", "a"]), ([0, 0, 0], ["a", "b", "c"]), (None, ["a", "b", "c"])):
        timed: dict[str, Sequence[object]] = {} if times is None else {"time": times}
        sequences = load_sequences(None, write(path, {"user": ["u"] * 3, "item": ["a", "b", "c"], **timed}), split)
        assert sequences.name == "sequences"
        assert [sequences.title(target) for target in sequences.train.targets] == order


def test_nothing_need_be_said_of_the_order_of_ones_own(tmp_path: pathlib.Path) -> None:
    """It is that of time, and some are held out for validation; a published dataset's split is the published one."""
    items, users = [f"i{place}" for place in range(12)], ["u"] * 12
    shuffled = pd.DataFrame({"user": users, "item": items, "time": range(1, 13)}).sample(frac=1, random_state=0)
    shuffled.to_csv(tmp_path / "sequences.csv", index=False)
    for made in (load_sequences(shuffled), load_sequences(data_dir=tmp_path)):
        told = [made.title(target) for part in (made.train, made.valid, made.test) for target in part.targets]
        assert told == items
        assert (len(made.valid), len(made.test)) == (1, 1)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"])
def test_times_may_be_dates(tmp_path: pathlib.Path, form: str) -> None:
    """They mean what a DataFrame's do."""
    days = pd.Series(pd.to_datetime(["2024-02-01", "2023-12-31", "2024-01-19"]))
    table = pd.DataFrame({"user": ["u"] * 3, "item": ["a", "b", "c"], "time": days})
    table.assign(time=days.dt.strftime(form)).to_csv(tmp_path / "sequences.csv", index=False)
    split = SequenceSplit(min_interactions=1, order="time")
    of_file, of_frame = load_sequences(data_dir=tmp_path, split=split), load_sequences(table, split=split)
    assert [of_file.title(target) for target in of_file.train.targets] == ["b", "c", "a"]
    assert read_own_sequences(tmp_path)[0].time.tolist() == days.astype("datetime64[ns]").astype(np.int64).tolist()
    np.testing.assert_array_equal(of_file.train.targets, of_frame.train.targets)


def test_sequences_that_are_refused(tmp_path: pathlib.Path) -> None:
    for name, text, message in (
        ("sequences.txt", "u\n", "sequences.txt:1: want user<TAB>item<TAB>item..., none of them empty; got 'u'"),
        ("sequences.txt", "u\ti\t\tj\n", "sequences.txt:1: want user<TAB>item"),
        ("sequences.txt", "u\ti\nv\ti\nu\tj\n", "sequences.txt:3: user 'u' has a line already, line 1"),
        ("sequences.txt", "\n", "sequences.txt: empty"),
        ("sequences.csv", "user,time\nu,1\n", "sequences.csv: has no column item; its columns are 'user', 'time'"),
        ("sequences.csv", "user,item,time\nu,i,1\nu,j,1.5\n", "sequences.csv:3: the time is not a whole number"),
        ("sequences.csv", "user,item\nu,\n", "sequences.csv:2: empty item"),
    ):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_own_sequences(path)
