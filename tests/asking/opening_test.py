"""From one's own files to answers."""

import pathlib
from typing import Any

import pytest

from gr_tf.asking.opening import ask, kind_of, settings_of
from gr_tf.data.sources import load_triples
from gr_tf.errors import InputError
from gr_tf.tasks import kinds
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.triples import TripleTask
from tests.conftest import rating_lines, write_graph

SEQUENCES: dict[str, Any] = {"epochs": 2, "dim": 4, "hidden": 4, "min_interactions": 5, "window": 6}


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
        assert kind_of(path) == "triples"
        with pytest.raises(InputError, match=r"kind must be triples for .*; got 'ratings'"):
            kind_of(path, kind="ratings")
    for path in (ratings_file, ratings_file.parent):
        assert kind_of(path, "any name") == kind_of(path, model="mf") == "ratings"
        assert kind_of(path, kind="sequences") == kind_of(path, model="lstm") == "sequences"
        # The model is refused later, with the models that there are.
        assert kind_of(path, model="distmult") == "ratings"
    assert kind_of(None, "movielens-100k") == "ratings"
    assert kind_of(None, "movielens-100k", model="lstm") == "sequences"
    assert kind_of(None, "movielens") == kind_of(None, None) == "triples"
    for name, text in (
        ("sequences.txt", "u\ti\tj\n"),
        ("sequences.csv", "user,item\n"),
        ("clicks.csv", "item,userId\n"),
    ):
        path = tmp_path / name
        path.write_text(text)
        assert kind_of(path) == "sequences"
    for name, text in (("a.tsv", "a\tr\tb\n"), ("b.csv", "subject,predicate,object\n")):
        (tmp_path / name).write_text(text)
        assert kind_of(tmp_path / name) == "triples"
    (tmp_path / "mine" / "u.rating").write_text("")
    with pytest.raises(InputError, match=r"has train.csv and u.rating, triples and ratings: name the file"):
        kind_of(triples_file.parent)
    assert kind_of(triples_file.parent, kind="ratings") == "ratings"


def test_a_file_of_triples(triples_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    asker = ask(triples_file, run_dir=run_dir, epochs=2)
    assert isinstance(asker.task, TripleTask)
    assert asker.task.dataset.split is not None
    config = asker.task.config
    assert (config.epochs, config.num_negatives) == (2, len(asker.task.dataset.entities))
    answer = asker.answer("e1,r1,?")
    # The same again, from the same files or from the folder alone.
    for again in (ask(triples_file, run_dir=run_dir, epochs=2), ask(run_dir=run_dir)):
        assert again.answer("e1,r1,?").value == answer.value
    with pytest.raises(InputError, match=r"was begun with split.seed = 0"):
        ask(triples_file, run_dir=run_dir, epochs=2, split_seed=1)
    other = ask(triples_file, run_dir=run_dir, epochs=2, split_seed=1, overwrite=True)
    assert other.task.dataset.split.seed == 1


@pytest.mark.parametrize("name", ["movielens", "fb15k237", "nations"])
def test_a_folder_named_as_a_dataset(triples_file: pathlib.Path, tmp_path: pathlib.Path, name: str) -> None:
    """Is one's own all the same."""
    folder = triples_file.parent.rename(tmp_path / name)
    asker = ask(folder, run_dir=tmp_path / "run", epochs=1, split_seed=5)
    again = ask(run_dir=tmp_path / "run")
    assert again.task.dataset.checksum == asker.task.dataset.checksum
    assert again.task.dataset.split == asker.task.dataset.split


def test_files_that_changed_after_the_training(triples_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    ask(triples_file.parent, run_dir=run_dir, epochs=1)
    valid = triples_file.with_name("valid.tsv")
    valid.write_text("e1\tr1\te2\n")
    with pytest.raises(InputError, match=r"mine: is not the data that was trained on any more"):
        ask(run_dir=run_dir)
    valid.unlink()
    ask(run_dir=run_dir)
    triples_file.rename(triples_file.with_name("test.csv"))
    with pytest.raises(InputError, match=r"has none of train\.csv"):
        ask(run_dir=run_dir)


def test_a_folder_of_ratings(ratings_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    asker = ask(ratings_file.parent, run_dir=tmp_path / "run", steps=50)
    assert isinstance(asker.task, RatingTask)
    assert asker.task.dataset.name == "own"
    again = ask(run_dir=tmp_path / "run")
    assert again.answer("u1,i2").value == asker.answer("u1,i2").value
    assert asker.answer("u1,i2").unit == "stars"
    with pytest.raises(InputError, match=r"was begun with config.steps = 50, not 40"):
        ask(ratings_file.parent, run_dir=tmp_path / "run", training_steps=40)
    with pytest.raises(InputError, match=r"was begun with kind = 'ratings', not 'sequences'"):
        ask(ratings_file.parent, run_dir=tmp_path / "run", kind="sequences", **SEQUENCES)


@pytest.mark.parametrize("how", ["ratings.csv", "sequences.tsv", pytest.param("sequences.txt", marks=pytest.mark.slow)])
def test_sequences(tmp_path: pathlib.Path, how: str) -> None:
    """However they are written, they are the same sequences, read again from where they were."""
    rows = [line.split() for line in rating_lines()]
    data = tmp_path / "own"
    data.mkdir()
    if how == "ratings.csv":
        text = "user,item,rating,time\n" + "".join(",".join(row) + "\n" for row in reversed(rows))
    elif how == "sequences.tsv":
        text = "time\tuser\titem\n" + "".join(f"{time}\t{user}\t{item}\n" for user, item, _, time in rows[::-1])
    else:
        users = dict.fromkeys(row[0] for row in rows)
        text = "".join("\t".join([user, *(row[1] for row in rows if row[0] == user)]) + "\n" for user in users)
    (data / how).write_text(text)
    asker = ask(data, run_dir=tmp_path / "run", kind="sequences", **SEQUENCES)
    assert isinstance(asker.task, SequenceTask)
    sequences = asker.task.dataset
    chosen = [row[1] for row in rows if row[0] == "u1"]
    assert asker.task.names_of(sequences.query_of_user("u1", 1))[:-1] == tuple(chosen[-5:])
    assert len(sequences.valid)
    assert len(sequences.test)
    config = asker.task.config
    assert (config.train_embeddings, config.shuffle, config.patience) == (True, True, 5)
    assert (config.epochs, config.kept_epochs) == (2, (2,))
    again = ask(run_dir=tmp_path / "run")
    assert again.task.dataset.checksum == sequences.checksum
    assert again.answer("u1,?").value == asker.answer("u1,?").value


def test_what_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match="has no finished training: name your data with data_dir or dataset"):
        ask(run_dir=tmp_path)
    with pytest.raises(InputError, match="name the data that"):
        ask(run_dir=tmp_path, overwrite=True)
    with pytest.raises(InputError, match="no such file or folder"):
        ask(tmp_path / "none.csv", run_dir=tmp_path)
    with pytest.raises(InputError, match="TripleConfig has no hidden"):
        ask(dataset="nations", run_dir=tmp_path, hidden=3)


def test_settings_are_told_apart() -> None:
    asked = {"training_steps": 5, "seed": 1, "split_seed": 2, "min_interactions": 3}
    assert settings_of("ratings", asked) == ({"steps": 5, "seed": 1}, {"seed": 2, "min_interactions": 3})
    assert settings_of("triples", {"valid_share": 0.2, "steps": "rows"}) == ({"steps": "rows"}, {"valid_share": 0.2})


def test_settings_by_size() -> None:
    """A dataset of a paper has the paper's, whatever it is called."""
    folder = pathlib.Path(kinds.__file__).parents[1] / "data" / "nations"
    for triples in (load_triples("nations"), load_triples(data_dir=folder)):
        assert TripleTask.own_settings(triples, {}) == {}
