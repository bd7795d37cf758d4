"""From one's own files to answers."""

import pathlib

import pytest

from gr_tf.asking.graph import GraphAsker
from gr_tf.asking.opening import GRAPH, RATINGS, ask, graph_settings, kind_of
from gr_tf.asking.ratings import RatingAsker
from gr_tf.data.sources import load_triples
from gr_tf.errors import InputError
from gr_tf.stages import train
from tests.conftest import rating_lines, write_graph


@pytest.fixture
def triples_file(tmp_path: pathlib.Path) -> pathlib.Path:
    write_graph(tmp_path / "graph")
    path = tmp_path / "mine" / "train.csv"
    path.parent.mkdir()
    lines = (tmp_path / "graph" / "train.txt").read_text().replace("\t", ",")
    path.write_text("head,relation,tail\n" + lines)
    return path


@pytest.fixture
def ratings_file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "own" / "ratings.csv"
    path.parent.mkdir()
    rows = [line.split("\t")[:3] for line in rating_lines(num_users=10, num_items=10, num_ratings=100)]
    path.write_text("user,item,rating\n" + "".join(",".join(row) + "\n" for row in rows))
    return path


def test_kinds(triples_file: pathlib.Path, ratings_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for path in (triples_file, triples_file.parent):
        assert kind_of(path, None) == GRAPH
    for path in (ratings_file, ratings_file.parent):
        assert kind_of(path, "any name") == RATINGS
    assert kind_of(None, "movielens-100k") == RATINGS
    assert kind_of(None, "movielens") == kind_of(None, None) == GRAPH
    (tmp_path / "mine" / "u.rating").write_text("")
    with pytest.raises(InputError, match=r"has u.rating and train.csv, ratings and triples: name the file"):
        kind_of(triples_file.parent, None)


def test_a_file_of_triples(triples_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    asker = ask(triples_file, run_dir=run_dir, epochs=2)
    assert isinstance(asker, GraphAsker)
    assert asker.triples.split is not None
    config = asker.trained.trainer.config
    assert (config.epochs, config.num_negatives) == (2, len(asker.triples.entities) - 1)
    answer = asker.answer("e1,r1,?")
    # The same again, from the same files or from the folder alone.
    for again in (ask(triples_file, run_dir=run_dir, epochs=2), ask(run_dir=run_dir)):
        assert again.answer("e1,r1,?").value == answer.value
    with pytest.raises(InputError, match=r"was begun with split.seed = 0"):
        ask(triples_file, run_dir=run_dir, epochs=2, split_seed=1)
    other = ask(triples_file, run_dir=run_dir, epochs=2, split_seed=1, overwrite=True)
    assert isinstance(other, GraphAsker)
    assert other.triples.split is not None
    assert other.triples.split.seed == 1


@pytest.mark.parametrize("name", ["movielens", "fb15k237", "nations"])
def test_a_folder_named_as_a_dataset(triples_file: pathlib.Path, tmp_path: pathlib.Path, name: str) -> None:
    """Is one's own all the same."""
    folder = triples_file.parent.rename(tmp_path / name)
    asker = ask(folder, run_dir=tmp_path / "run", epochs=1, split_seed=5)
    again = ask(run_dir=tmp_path / "run")
    assert isinstance(asker, GraphAsker)
    assert isinstance(again, GraphAsker)
    assert again.triples.checksum == asker.triples.checksum
    assert again.triples.split == asker.triples.split


def test_files_that_changed_after_the_training(triples_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    ask(triples_file.parent, run_dir=run_dir, epochs=1)
    valid = triples_file.with_name("valid.tsv")
    valid.write_text("e1\tr1\te2\n")
    with pytest.raises(InputError, match=r"was trained on another valid.tsv than the one in .*: the SHA-256 differs"):
        ask(run_dir=run_dir)
    valid.unlink()
    ask(run_dir=run_dir)
    triples_file.rename(triples_file.with_suffix(".tsv"))
    with pytest.raises(InputError, match="train"):
        ask(run_dir=run_dir)


def test_a_training_of_another_kind(ratings_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    ask(ratings_file, run_dir=tmp_path / "run", steps=20)
    with pytest.raises(InputError, match="is no training on triples"):
        train.load(tmp_path / "run")


def test_a_folder_of_ratings(ratings_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    asker = ask(ratings_file.parent, run_dir=tmp_path / "run", steps=50)
    assert isinstance(asker, RatingAsker)
    assert asker.ratings.name == "own"
    again = ask(run_dir=tmp_path / "run")
    assert again.answer("u1,i2").value == asker.answer("u1,i2").value
    assert asker.answer("u1,i2").unit == "stars"


def test_what_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="has no finished training: name your data with data_dir, or a dataset"):
        ask(run_dir=tmp_path)
    with pytest.raises(InputError, match="name the data that"):
        ask(run_dir=tmp_path, overwrite=True)
    with pytest.raises(InputError, match="no such file or folder"):
        ask(tmp_path / "none.csv", run_dir=tmp_path)


def test_settings_by_size() -> None:
    """A dataset of a paper has the paper's, whatever it is called."""
    nations = load_triples("nations")
    assert graph_settings(nations) == {}
    own = graph_settings(load_triples(data_dir=pathlib.Path(__file__).parents[2] / "gr_tf" / "data" / "nations"))
    assert own == {}
