"""Choices: what files they come from, what is taken for one, and how they are split."""

import pathlib
import shutil
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest

from gr_tf.asking.opening import could_be_choices, kind_of
from gr_tf.data.choice_sources import load_choices
from gr_tf.data.choices import CHOSE, ChoiceSplit, make_choice_set
from gr_tf.data.kind_of_files import kinds_of_data
from gr_tf.data.triples import HEAD, TAIL
from gr_tf.errors import InputError
from tests.conftest import rating_lines

EXAMPLE = pathlib.Path(__file__).parents[1] / "testdata" / "choices.csv"
SPLIT = ChoiceSplit(min_interactions=2)
RATED = "user,item,rating\n" + "".join(",".join(line.split("\t")[:3]) + "\n" for line in rating_lines())


def pairs_of(data_dir: pathlib.Path, split: ChoiceSplit = SPLIT) -> set[tuple[str, str]]:
    data = load_choices(data_dir=data_dir, split=split)
    frames = [data.names(part) for part in (data.train, data.valid, data.test)]
    return set(pd.concat(frames)[["user", "item"]].itertuples(index=False, name=None))


def num_skipped(notes: Iterable[str]) -> int:
    """How many held-out choices the notes say were skipped."""
    return sum(int(note.split()[1]) for note in notes if "without training choice skipped" in note)


def test_a_file(tmp_path: pathlib.Path) -> None:
    data = load_choices(data_dir=EXAMPLE, split=SPLIT)
    assert data.users.names == ("ann", "bob", "cem", "dee", "eve", "fay")
    assert data.items.names == ("coffee", "cup", "honey", "milk", "spoon", "tea")
    assert data.relations.names == (CHOSE,)
    # One choice is there twice; two of each user are held out.
    assert (len(data.train), len(data.valid) + len(data.test) + num_skipped(data.notes)) == (8, 12)
    assert data.notes[0] == "1 choices of an item that the user chose already left out."
    for part in (data.train, data.valid, data.test):
        assert (part[:, HEAD] >= len(data.items)).all()
        assert (part[:, TAIL] < len(data.items)).all()
    assert data.train_frame.columns.tolist() == ["user", "item", "title"]
    assert [data.user_name(data.user_of(name)) for name in data.users.names] == list(data.users.names)
    for part in (data.valid, data.test):
        assert len(np.unique(part[:, HEAD])) == len(part)
    # The order of the file changes nothing; its folder may have titles.
    lines = EXAMPLE.read_text().splitlines(keepends=True)
    (tmp_path / "choices.csv").write_text("".join([lines[0], *reversed(lines[1:])]))
    (tmp_path / "items.csv").write_text("item,title\ntea,Green tea\n")
    again = load_choices(data_dir=tmp_path, split=SPLIT)
    assert again.checksum == data.checksum
    assert again.title(again.item_of("Green tea")) == "Green tea"
    assert again.label("item tea") == "Green tea"


def test_every_source_of_the_same_choices(tmp_path: pathlib.Path) -> None:
    """Choices, ratings, and sequences, in a folder or as a file, in all their forms."""
    frame = pd.read_csv(EXAMPLE)[["user", "item"]]
    expected = load_choices(data_dir=EXAMPLE, split=SPLIT).checksum
    lines = "".join("\t".join([str(user), *of_user.item]) + "\n" for user, of_user in frame.groupby("user"))
    stars = frame.assign(rating=range(len(frame)))
    for name, text in (
        ("choices.csv", frame.to_csv(index=False)),
        ("choices.tsv", frame.to_csv(index=False, sep="\t")),
        ("ratings.csv", stars.to_csv(index=False)),
        ("mine.rating", stars.to_csv(index=False, header=False, sep="\t")),
        ("sequences.csv", frame.assign(when="May").to_csv(index=False)),
        ("sequences.txt", lines),
    ):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text(text)
        for place in (folder, folder / name):
            assert "choices" in kinds_of_data(place), place
            assert kind_of(place, kind="choices") == "choices"
            assert load_choices(data_dir=place, split=SPLIT).checksum == expected, place
    frame.to_parquet(tmp_path / "choices.parquet")
    assert load_choices(data_dir=tmp_path / "choices.parquet", split=SPLIT).checksum == expected


def test_kinds(tmp_path: pathlib.Path) -> None:
    """Nothing is taken for choices that is not called so; what could be is told."""
    assert kind_of(EXAMPLE) == "choices"
    shutil.copy(EXAMPLE, tmp_path / "clicks.csv")
    (tmp_path / "stars.csv").write_text(RATED)
    assert kind_of(tmp_path / "clicks.csv") == "sequences"
    assert could_be_choices(tmp_path / "clicks.csv")
    assert kind_of(tmp_path / "stars.csv") == kind_of(tmp_path / "stars.csv", model="distmult") == "ratings"
    assert not could_be_choices(tmp_path / "stars.csv")
    assert not could_be_choices(None)
    with pytest.raises(InputError, match=r"kind must be sequences or choices for .*clicks.csv; got 'ratings'\."):
        kind_of(tmp_path / "clicks.csv", kind="ratings")
    shutil.copy(EXAMPLE, tmp_path / "choices.csv")
    assert kind_of(tmp_path) == "choices"
    (tmp_path / "ratings.csv").write_text(RATED)
    with pytest.raises(InputError, match=r"ratings\.csv and choices\.csv, ratings and choices: name the file"):
        kind_of(tmp_path)
    assert kind_of(tmp_path, kind="ratings") == "ratings"


def test_ratings_as_choices(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATED)
    frame = pd.read_csv(tmp_path / "ratings.csv")
    split = ChoiceSplit(min_interactions=0)
    everything = set(frame[["user", "item"]].itertuples(index=False, name=None))
    assert pairs_of(tmp_path, split) == everything
    (note,) = [note for note in load_choices(data_dir=tmp_path, split=split).notes if "whatever its stars" in note]
    assert "min_rating=4" in note
    liked = frame[frame.rating >= 3.5]
    split = ChoiceSplit(min_interactions=0, min_rating=3.5)
    assert 0 < len(liked) < len(frame)
    data = load_choices(data_dir=tmp_path, split=split)
    expected = set(liked[["user", "item"]].itertuples(index=False, name=None))
    assert pairs_of(tmp_path, split) <= expected
    assert len(pairs_of(tmp_path, split)) + num_skipped(data.notes) == len(expected)
    assert data.notes[0] == f"{len(frame) - len(liked)} of {len(frame)} ratings are below 3.5: no choices."


def test_what_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"choices.csv: has no ratings, of which min_rating could take"):
        load_choices(data_dir=EXAMPLE, split=ChoiceSplit(min_rating=4))
    with pytest.raises(InputError, match=r"no choice is left with at least 9 .* a lower min_interactions keeps more"):
        load_choices(data_dir=EXAMPLE, split=ChoiceSplit(min_interactions=9))
    (tmp_path / "ratings.csv").write_text(RATED)
    with pytest.raises(InputError, match=r"min_interactions, or a lower min_rating, keeps more"):
        load_choices(data_dir=tmp_path, split=ChoiceSplit(min_rating=6))
    with pytest.raises(InputError, match="min_rating must be from -1000000 to 1000000; got nan"):
        ChoiceSplit(min_rating=float("nan"))
    for name, text, message in (
        ("choices.csv", "user,thing\na,b\n", r"choices.csv: has no column item; its columns are 'user', 'thing'"),
        ("choices.csv", "user,item\na,b\na\n", r"choices.csv:3: want 2 fields"),
        ("choices.csv", "user,item\na,\n", r"choices.csv:2: empty item"),
        ("choices.csv", "user,item,rating\na,b,x\n", r"choices.csv:2: the rating is not a finite number: 'x'"),
        ("choices.csv", "user,item\n", r"choices.csv: empty: no row in it"),
        ("choices.csv", "user,item\na,b\n", r"has 1 choices to train on; want at least 2"),
    ):
        folder = tmp_path / "bad"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        with pytest.raises(InputError, match=message):
            load_choices(data_dir=folder, split=ChoiceSplit(min_interactions=0))


def test_items_that_nobody_chose_in_training() -> None:
    """They cannot be predicted, and what is held out of them is skipped."""
    rows = [(f"u{user}", f"i{item}") for user in range(5) for item in range(4)] + [("u0", "rare"), ("u1", "odd")]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    for seed in range(30):
        data = make_choice_set("toy", frame, {}, ChoiceSplit(min_interactions=0, seed=seed))
        lost = [item for item in ("rare", "odd") if data.items.ids[item] not in data.train[:, TAIL]]
        for item in lost:
            number = data.items.ids[item]
            assert number not in (data.candidates or ())
            assert number not in np.concatenate([data.valid, data.test])[:, TAIL]
            with pytest.raises(InputError, match=f"nobody chose '{item}' in the training data: nothing explains it"):
                data.check_predictable([number])
        told = [note for note in data.notes if "without training choice skipped" in note]
        assert bool(told) == bool(lost)
        if lost:
            return
    pytest.fail("no seed holds out an item's only choice")
