"""Reading triples: names as they stand, and every mistake told by file, line and value."""

import pathlib

import numpy as np
import pytest

from gr_tf.data.named_tables import notes_of
from gr_tf.data.sources import load_triples, published_name
from gr_tf.data.triple_files import read_triples
from gr_tf.data.triples import read_folder
from gr_tf.errors import InputError

GOOD = "a\tr\tb\nb\tr\ta\n"


def write(folder: pathlib.Path, train: str = GOOD, valid: str = GOOD, test: str = GOOD) -> pathlib.Path:
    for split, text in (("train", train), ("valid", valid), ("test", test)):
        (folder / f"{split}.txt").write_bytes(text.encode())
    return folder


def test_names_stay_strings_in_any_line_ending(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes("\ufeff007\tNA\t1e5\r\n \u00e9 x\tnull\t007\n\"q\tr\t'".encode())
    triples = read_triples(path)
    assert triples.to_numpy().tolist() == [["007", "NA", "1e5"], [" é x", "null", "007"], ['"q', "r", "'"]]
    assert notes_of(triples) == []


def test_blank_lines_are_passed_over_and_counted(tmp_path: pathlib.Path) -> None:
    triples = read_folder(write(tmp_path, train="a\tr\tb\nb\tr\tc\n\n\r\n", valid="c\tr\ta\n", test="a\tr\ta\n"))
    assert triples.num_examples == 2
    assert triples.notes == ("train.txt: 2 blank lines passed over.",)


def test_triples_of_several_splits_are_counted(tmp_path: pathlib.Path) -> None:
    """Of those that can be scored."""
    test = "b\tr\ta\na\tr\ta\nnew\tr\ta\n"
    triples = read_folder(write(tmp_path, valid="b\tr\ta\nb\tr\tb\n", test=test))
    assert triples.notes == (
        "test: 1 triples with a name unknown in training skipped.",
        "valid: 1 triples are in train too.",
        "test: 1 triples are in train too.",
        "test: 1 triples are in valid too.",
    )


def test_names_that_look_the_same_are_told(tmp_path: pathlib.Path) -> None:
    triples = read_folder(write(tmp_path, train=GOOD + "b \tr\ta\n\ufeffb\tr\te\u0301\n\u00e9\tr\tb\n"))
    assert len(triples.entities) == 6
    told = "3 names look like another entity's and are taken for different ones, such as 'b' and 'b '."
    assert triples.notes[-1] == told


def test_labels_that_are_missing_or_twice(tmp_path: pathlib.Path) -> None:
    write(tmp_path)
    path = tmp_path / "entity_labels.tsv"
    path.write_text("a\tAlpha\nb\t \n")
    triples = load_triples(data_dir=tmp_path)
    assert (triples.label("a"), triples.label("b")) == ("Alpha", "b")
    assert triples.notes[-1] == "entity_labels.tsv: 1 empty labels passed over, the first in line 2."
    path.write_text("x\tAlpha\n")
    told = "entity_labels.tsv: no label in it is of a name in the training triples."
    assert load_triples(data_dir=tmp_path).notes[-1] == told
    path.write_text("a\tAlpha\na\tAlpha\na\tBeta\n")
    with pytest.raises(InputError, match=r"entity_labels.tsv:3: 'Beta' is the label of 'a', which is 'Alpha' in a"):
        load_triples(data_dir=tmp_path)


def test_vocabulary_is_sorted_and_of_train_only(tmp_path: pathlib.Path) -> None:
    triples = read_folder(
        write(tmp_path, train="b\tr2\ta\nc\tr1\ta\n", valid="b\tr1\tz\nb\tr1\tc\n", test="c\tr2\tb\n")
    )
    assert triples.entities.names == ("a", "b", "c")
    assert triples.relations.names == ("r1", "r2")
    np.testing.assert_array_equal(triples.train, [[1, 1, 0], [2, 0, 0]])
    np.testing.assert_array_equal(triples.valid, [[1, 0, 2]])
    assert triples.notes == ("valid: 1 triples with a name unknown in training skipped.",)


def test_kept_test_rows_know_their_line(tmp_path: pathlib.Path) -> None:
    triples = read_folder(write(tmp_path, test="z\tr\ta\nb\tr\ta\n"))
    np.testing.assert_array_equal(triples.test_lines, [1])


def test_repeated_training_triples_stay_and_are_told(tmp_path: pathlib.Path) -> None:
    triples = read_folder(write(tmp_path, train=GOOD + GOOD))
    assert triples.num_examples == 4
    assert "2 triples repeat an earlier one" in triples.notes[0]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("", "train.txt: empty"),
        ("\n\n", "train.txt: empty"),
        ("a\tr\tb\na\tr\n", r"train.txt:2: want head<TAB>relation<TAB>tail, got 2 fields: 'a\\tr'"),
        ("a\tr\tb\tc\n", "train.txt:1: .* got 4 fields"),
        ("a r b\n", "train.txt:1: .* got 1 fields: 'a r b'"),
        ("a\tr\tb\n\na\t\tb\n", r"train.txt:3: empty relation: \['a', '', 'b'\]"),
        ("a\tr\t \n", "train.txt:1: empty tail"),
    ],
)
def test_malformed_lines(tmp_path: pathlib.Path, train: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_folder(write(tmp_path, train=train))


def test_not_utf8(tmp_path: pathlib.Path) -> None:
    write(tmp_path)
    (tmp_path / "valid.txt").write_bytes(b"a\tr\tb\na\tr\tcaf\xe9\n")
    with pytest.raises(InputError, match=r"valid.txt:2: not UTF-8: byte 0xe9"):
        read_folder(tmp_path)


def test_missing_file_and_folder(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"has none of train.csv, train.tsv, train.txt, train.parquet"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="none: no such file or folder"):
        read_folder(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_triples(tmp_path)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_no_usable_row(tmp_path: pathlib.Path, split: str) -> None:
    with pytest.raises(InputError, match=rf"{split}: no usable row: all 1 have a name"):
        read_folder(write(tmp_path, **{split: "new\tr\ta\n"}))


def test_unknown_names_get_suggestions() -> None:
    nations = load_triples("nations")
    with pytest.raises(InputError, match=r"unknown entity 'polend'.*Did you mean 'poland'"):
        nations.entities.id_of("polend")
    with pytest.raises(InputError, match=r"unknown relation 'x'"):
        nations.relations.id_of("x")


def test_nations_ships_with_the_package() -> None:
    nations = load_triples()
    assert (len(nations.train), len(nations.valid), len(nations.test)) == (1592, 199, 201)
    assert (len(nations.entities), len(nations.relations)) == (14, 55)
    assert nations.notes == ()
    assert nations.train_frame.iloc[0].tolist() == list(
        (pathlib.Path(__file__).parents[2] / "gr_tf/data/nations/train.txt").read_text().split("\n")[0].split("\t")
    )


def test_unknown_dataset() -> None:
    with pytest.raises(InputError, match="unknown dataset 'natoins'"):
        load_triples("natoins")


def test_papers_figures_are_for_the_papers_triples(tmp_path: pathlib.Path) -> None:
    assert published_name(load_triples().checksums) == "nations"
    assert published_name(read_folder(write(tmp_path), "nations").checksums) is None
