"""Columns that the user names."""

import pathlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.columns import ITEM_FIELDS, TRIPLE_FIELDS, ColumnNames, named_columns
from gr_tf.data.kind_of_files import kinds_of_data
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSplit
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSplit
from gr_tf.data.sources import load_triples
from gr_tf.data.triple_split import TripleSplit
from gr_tf.errors import InputError
from gr_tf.tasks import kinds
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

TRIPLES = "head:src,relation:the edge,tail:dst"
SHOP = "user:customer_id,item:sku,rating:mark,time:when,title:product"


def graph(path: pathlib.Path, names: tuple[str, str, str], *, shuffled: bool = False) -> None:
    generator = np.random.default_rng(0)
    heads, relations, tails = ([f"{what}{i}" for i in generator.integers(4, size=40)] for what in "ere")
    frame = pd.DataFrame(dict(zip(names, (heads, relations, tails), strict=True)))
    frame = frame[frame.columns[::-1]] if shuffled else frame
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if path.suffix == ".csv" else "\t")


def shop(path: pathlib.Path, names: Mapping[str, str]) -> pathlib.Path:
    rows = [(f"u{u}", f"i{i}", 1 + (u * i) % 5, 100 + i, f"Item {i}") for u in range(6) for i in range(5)]
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "time", "title"])
    frame.rename(columns=names).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".parquet"])
def test_triples(tmp_path: pathlib.Path, suffix: str) -> None:
    for folder, names in (("usual", ("head", "relation", "tail")), ("own", ("dst", "the edge", "src"))):
        (tmp_path / folder).mkdir()
        for part in ("train", "valid", "test"):
            # In one's own, "dst" has the heads.
            graph(tmp_path / folder / f"{part}{suffix}", names, shuffled=folder == "own")
    usual = load_triples(data_dir=tmp_path / "usual")
    own = load_triples(data_dir=tmp_path / "own", columns={"head": "dst", "relation": "the edge", "tail": "src"})
    assert own.checksum == usual.checksum
    assert usual.split is None
    assert own.split == TripleSplit(columns="head:dst,relation:the edge,tail:src")
    # The reference is enough to read them again.
    task = TripleTask(own, TripleConfig())
    assert kinds.make(task.reference).dataset.checksum == usual.checksum
    swapped = load_triples(data_dir=tmp_path / "own", columns=TRIPLES)
    assert swapped.names(swapped.train)["tail"].tolist() == own.names(own.train)["head"].tolist()


def test_users_and_items(tmp_path: pathlib.Path) -> None:
    named = named_columns(SHOP)
    own, usual = shop(tmp_path / "own.csv", named), shop(tmp_path / "usual.csv", {"title": "about"})
    split = RatingSplit(min_interactions=2)
    ratings = load_ratings(data_dir=own, split=split, columns=named)
    assert ratings.checksum == load_ratings(data_dir=usual, split=split).checksum
    # A title beside the items is read if it is named.
    assert ratings.titles["i3"] == "Item 3"
    assert not load_ratings(data_dir=usual, split=split).titles
    choices = load_sequences(data_dir=own, columns=SHOP, split=SequenceSplit(min_interactions=2, order="time"))
    assert choices.titles["i3"] == "Item 3"
    usual_split = SequenceSplit(min_interactions=2, order="time")
    assert choices.checksum == load_sequences(data_dir=usual, split=usual_split).checksum


def test_a_file_of_items_has_the_same_name_or_the_usual_one(tmp_path: pathlib.Path) -> None:
    shop(tmp_path / "ratings.csv", {"item": "sku", "title": "other"})
    for item in ("sku", "item"):
        (tmp_path / "items.csv").write_text(f"{item},product,title\ni1,First,wrong\n")
        found = load_ratings(
            data_dir=tmp_path, split=RatingSplit(min_interactions=2), columns={"item": "sku", "title": "product"}
        )
        assert dict(found.titles) == {"i1": "First"}


def test_the_kind_is_found_from_named_columns(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "own.csv"
    for header, columns, kinds_found in (
        ("a,b,c", "head:a,relation:b,tail:c", ("triples",)),
        ("a,b,score", "head:a,relation:b,tail:score", ("triples",)),
        ("a,b,c", "user:a,item:b,rating:c", ("ratings", "sequences", "choices")),
        ("a,b,stars", "user:a,item:b", ("ratings", "sequences", "choices")),
        ("a,b,c", "user:a,item:b", ("sequences", "choices")),
        # Named for the items, it is no rating.
        ("a,score,c", "user:a,item:score", ("sequences", "choices")),
    ):
        path.write_text(f"{header}\n1,2,3\n")
        assert kinds_of_data(path, named=named_columns(columns)) == kinds_found
    with pytest.raises(InputError, match=r"or 'user:NAME,item:NAME'\.$"):
        kinds_of_data(path.with_name("own.csv") if path.write_text("x,y\n1,2\n") else path)
    for name in ("train.csv", "ratings.csv"):
        (tmp_path / name).write_text("a,b,c\n")
    with pytest.raises(InputError, match=r"train\.csv and ratings\.csv"):
        kinds_of_data(tmp_path)
    assert kinds_of_data(tmp_path, named={"tail": "c"}) == ("triples",)
    assert kinds_of_data(tmp_path, named={"item": "c"}) == ("ratings", "sequences", "choices")


@pytest.mark.parametrize(("file", "name"), [("u.data", "movielens-100k"), ("ratings.dat", "movielens-1m")])
def test_a_release_of_movielens_is_named(tmp_path: pathlib.Path, file: str, name: str) -> None:
    (tmp_path / file).write_text("1\t2\t3\t4\n")
    with pytest.raises(InputError) as caught:
        kinds_of_data(tmp_path)
    assert caught.value.on_command_line == f"{tmp_path}: has {file}, as {name} has: say --dataset={name}."
    assert kinds_of_data(tmp_path, name) == ("ratings", "sequences", "choices")
    # Own files come first.
    (tmp_path / "train.txt").write_text("a\tr\tb\n")
    assert kinds_of_data(tmp_path) == ("triples",)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("", "columns: want WHAT:NAME"),
        ("user", "columns: want WHAT:NAME"),
        ("user:a,", "columns: want WHAT:NAME"),
        ('user:a,"item:b', "columns: want WHAT:NAME"),
        ("user:", "columns: the user has no name of a column"),
        ("buyer:a", "columns: there is no 'buyer' in such data; want one of user, item, rating, time, title"),
        ("head:a", "columns: there is no 'head' in such data"),
        ("user:a,user:b", "columns: the user is named twice: 'a' and 'b'"),
        ("user:a,item:a", "columns: 'a' is named for the user and for the item"),
        (
            "user:a,item:x",
            "ratings.csv: has no column 'x', which columns names for the item; its columns are 'a', 'b",
        ),
        ("user:a,item:twice", "ratings.csv: several columns may be the item: 'twice', 'twice'"),
        ("user:a", "ratings.csv: has no column item; its columns are 'a', 'b', 'rating', 'twice', 'twice'. Say "),
        ("user:a,item:b,title:d", "ratings.csv: has no column 'd', which columns names for the title"),
    ],
)
def test_mistakes(tmp_path: pathlib.Path, told: str, message: str) -> None:
    (tmp_path / "ratings.csv").write_text("a,b,rating,twice,twice\n1,2,3,4,5\n")
    with pytest.raises(InputError) as caught:
        load_ratings(data_dir=tmp_path, columns=told)
    assert message in str(caught.value)


def test_published_data_and_files_without_names_have_no_columns_to_name(tmp_path: pathlib.Path) -> None:
    for load in (load_triples, load_ratings, load_sequences):
        field = "head" if load is load_triples else "user"
        with pytest.raises(InputError, match="columns are named of one's own files"):
            load("movielens-100k" if load is not load_triples else "nations", columns={field: "x"})
    (tmp_path / "a.rating").write_text("1\t2\t3\n")
    with pytest.raises(InputError, match=r"has no table whose columns columns could name"):
        load_ratings(data_dir=tmp_path, columns={"user": "a"})


def test_text_and_mapping_are_the_same_and_old_results_are_found() -> None:
    odd = {"user": "a, b", "item": 'say "x"'}
    assert RatingSplit(columns=odd) == RatingSplit().with_columns(odd)  # type: ignore[arg-type]
    split = RatingSplit().with_columns(odd)
    assert split.named == odd
    assert RatingSplit.of_dict(split.to_dict()) == split
    # What was written before there were columns.
    assert RatingSplit().to_dict() == {"min_interactions": 10, "seed": 0}
    assert repr(RatingSplit()) == "RatingSplit(min_interactions=10, seed=0)"
    assert repr(TripleSplit()) == "TripleSplit(valid_share=0.05, test_share=0.05, seed=0)"
    assert RatingSplit(columns={}).columns is None  # type: ignore[arg-type]
    for split_class, fields in ((TripleSplit, TRIPLE_FIELDS), (RatingSplit, ITEM_FIELDS), (SequenceSplit, ITEM_FIELDS)):
        assert issubclass(split_class, ColumnNames)
        assert split_class.fields == fields


def test_what_may_be_meant_too_is_told(tmp_path: pathlib.Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.csv").write_text("subject,relation,head,tail\nx,r,a,b\nx,r,b,a\nx,r,b,x\n")
    triples = load_triples(data_dir=tmp_path)
    assert "train.csv: column 'head' is the head; 'subject', which may be too, was passed over." in triples.notes
    assert triples.names(triples.train)["head"].tolist() == ["a", "b", "b"]
    named = load_triples(data_dir=tmp_path, columns={"head": "subject"})
    assert named.names(named.train)["head"].tolist() == ["x"] * 3
    assert not any("passed over" in note for note in named.notes)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_told(tmp_path: pathlib.Path, separator: str) -> None:
    """By the reader, and where the kind of the data is found by its columns."""
    path = tmp_path / "train.csv"
    path.write_text(f"head{separator}relation{separator}tail\na{separator}likes{separator}b\n")
    message = f"train.csv: its columns seem to be separated by {separator!r}, not by commas: "
    for call in (lambda: load_triples(data_dir=tmp_path), lambda: kinds_of_data(path)):
        with pytest.raises(InputError) as caught:
            call()
        assert message in str(caught.value)
