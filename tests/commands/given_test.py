"""`gr_tf explain --model_dir`: a knowledge graph's model that was trained elsewhere, from files to a checked answer."""

import io
import json
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gr_tf.asking.opening import ask_given
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks.given import open_given
from tests.commands.program import gr_tf
from tests.tasks.elsewhere import train_complex

WHERE = ("--dataset=nations", "--model=complex", "--convention=pykeen")
QUESTION = "--query=china,exports3,?"


def write(folder: pathlib.Path, triples: TripleSet, entities: np.ndarray, relations: np.ndarray) -> None:
    """A model's files; entities in their order, with their ids, relations in reverse."""
    folder.mkdir(parents=True)
    np.save(folder / "entities.npy", entities)
    np.save(folder / "relations.npy", relations[::-1])
    names = enumerate(triples.entities.names)
    (folder / "entities.tsv").write_text("".join(f"{place}\t{name}\n" for place, name in names))
    (folder / "relations.txt").write_text("\n".join(reversed(triples.relations.names)))


@pytest.fixture(scope="module")
def nations() -> TripleSet:
    return load_triples("nations")


@pytest.fixture(scope="module")
def arrays(nations: TripleSet) -> tuple[np.ndarray, np.ndarray]:
    return train_complex(nations.train, len(nations.entities), len(nations.relations))


@pytest.fixture
def folder(tmp_path: pathlib.Path, nations: TripleSet, arrays: tuple[np.ndarray, np.ndarray]) -> pathlib.Path:
    write(tmp_path / "model", nations, *arrays)
    return tmp_path / "model"


def probabilities(arrays: tuple[np.ndarray, np.ndarray], query: Query) -> np.ndarray:
    """By PyKEEN's formula."""
    entities, relations = (array.astype(complex) for array in arrays)
    scores = (entities[query.head] * relations[query.relation] * entities.conj()).sum(axis=1).real
    exponents = np.exp(scores - scores.max())
    return np.asarray(exponents / exponents.sum())


def test_from_files_to_a_checked_answer(
    capsys: pytest.CaptureFixture[str],
    folder: pathlib.Path,
    nations: TripleSet,
    arrays: tuple[np.ndarray, np.ndarray],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = (f"--model_dir={folder}", *WHERE, QUESTION, "--k=3", "--verify", "--verify_seeds=2", "--epochs=2")
    assert gr_tf("explain", *asked, "--output=json", "--report=why.html") == 0
    printed = capsys.readouterr()
    assert "model: its training is not known; gradients are of the loss softmax over all entities" in printed.err
    told = json.loads(printed.out)
    # What it predicts is what PyKEEN's formula says.
    china, exports = nations.entities.ids["china"], nations.relations.ids["exports3"]
    tail = nations.entities.ids[told["predicted"]]
    assert told["probability"] == pytest.approx(probabilities(arrays, Query(china, exports, tail))[tail], rel=1e-5)
    assert told["method"] == "tracin"
    # It was trained: better than counting, and the page, JSON and text say how it was checked.
    assert told["quality"]["model"]["test"]["mrr"] > 1.2 * told["quality"]["baseline"]["test"]["mrr"]
    assert told["quality"]["warning"] is None
    sentence = "Went on from the given model for 100 steps, with all examples and without these"
    assert told["how_checked"] == sentence
    assert sentence in (tmp_path / "why.html").read_text(encoding="utf-8")
    assert told["model"]["given model"] == str(folder)
    assert len(told["model"]["SHA-256 of entities.npy"]) == 64
    assert "epoch" not in told["model"]
    # The prediction falls when the model goes on without the examples; both trainings start at the given model.
    first, three, *_ = told["checks"]
    assert len(set(first["before"])) == 2
    assert first["before"] == three["before"]
    assert max(three["changes"]) < 0
    assert gr_tf("explain", *asked[:-3], "--verify", "--epochs=2") == 0
    assert f"Is it true? {sentence}:" in capsys.readouterr().out
    # Nothing is written but what was asked for.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "why.html"]


def test_a_check_goes_on_from_the_given_model(folder: pathlib.Path) -> None:
    """At a learning rate of almost 0 it stays the given one; from Python."""
    settings: dict[str, Any] = {"model": "complex", "convention": "pykeen", "learning_rate": 1e-12, "epochs": 1}
    asker = ask_given(folder, dataset="nations", **settings)
    trained = asker.trained
    answer = asker.answer("china,exports3,?", k=2)
    for check in asker.check(answer, seeds=2):
        np.testing.assert_allclose([*check.before, *check.after], answer.value, rtol=1e-6)
    with pytest.raises(InputError, match="the training of a given model is not known: there are no others like it"):
        asker.answer("china,exports3,?", trainings=2)
    with pytest.raises(InputError, match="TripleConfig has no colour"):
        ask_given(folder, dataset="nations", colour="blue", **settings)
    # And the given parameters are never changed.
    assert answer.value == pytest.approx(asker.task.value(trained.parameters, [answer.explanation.query])[0])


@pytest.mark.slow
def test_predictions_fall_without_what_explains_them(folder: pathlib.Path) -> None:
    """Of several predictions, by TracIn at the given parameters; random neighbours do not do it."""
    asker = ask_given(folder, dataset="nations", model="complex", convention="pykeen", epochs=2)
    predictions = asker.task.test_predictions(asker.trained.parameters)[::20]
    falls = {}
    for method in ("tracin", "nh"):
        questions = [",".join(asker.task.row_of(prediction.query).values()) for prediction in predictions]
        checks = [asker.check(asker.answer(question, method, k=2), controls=False)[-1] for question in questions]
        falls[method] = [check.changes[0] < 0 for check in checks]
    assert len(predictions) > 5
    assert np.mean(falls["tracin"]) == 1
    assert np.mean(falls["nh"]) < 1


@pytest.mark.parametrize("method", ["cosine", "dot", "nh", "overlap", "tracin"])
def test_methods_that_need_no_training(capsys: pytest.CaptureFixture[str], folder: pathlib.Path, method: str) -> None:
    assert gr_tf("explain", f"--model_dir={folder}", *WHERE, QUESTION, f"--method={method}", "--output=csv") == 0
    assert len(pd.read_csv(io.StringIO(capsys.readouterr().out))) > 5


@pytest.mark.parametrize("method", ["gr", "gr-o", "replay", "rollback-all"])
def test_methods_that_need_the_training(capsys: pytest.CaptureFixture[str], folder: pathlib.Path, method: str) -> None:
    assert gr_tf("explain", f"--model_dir={folder}", *WHERE, QUESTION, f"--method={method}") == 1
    told = (
        f"method '{method}' needs a training by gr_tf; the training of a given model is not known: use --method=tracin"
    )
    assert told in capsys.readouterr().err


def test_a_folder_that_says_what_it_is(
    capsys: pytest.CaptureFixture[str], folder: pathlib.Path, nations: TripleSet, arrays: tuple[np.ndarray, np.ndarray]
) -> None:
    """model.json; names and rows that no triple has are left out, and told."""
    entities, _ = arrays
    np.save(folder / "entities.npy", np.append(entities, np.ones_like(entities[:1]), axis=0))
    names = [*nations.entities.names, "atlantis"]
    (folder / "entities.tsv").write_text("".join(f"{name}\t{place}\n" for place, name in enumerate(names)))
    (folder / "model.json").write_text(json.dumps({"model": "complex", "convention": "pykeen"}))
    assert gr_tf("explain", "--dataset=nations", f"--model_dir={folder}", QUESTION, "--output=json") == 0
    printed = capsys.readouterr()
    assert "entities.tsv: 1 of 15 names are in no training triple, and left out: 'atlantis'" in printed.err
    tail = nations.entities.ids[json.loads(printed.out)["predicted"]]
    query = Query(nations.entities.ids["china"], nations.relations.ids["exports3"], tail)
    value = json.loads(printed.out)["probability"]
    assert value == pytest.approx(probabilities(arrays, query)[tail], rel=1e-5)


def test_dglke_names_its_files_itself(nations: TripleSet, tmp_path: pathlib.Path) -> None:
    """And config.json has gamma."""
    generator = np.random.default_rng(0)
    folder = tmp_path / "ckpts"
    folder.mkdir()
    for kind, names, width in (("entity", nations.entities.names, 8), ("relation", nations.relations.names, 4)):
        np.save(folder / f"Nations_RotatE_{kind}.npy", generator.normal(size=(len(names), width)).astype(np.float32))
        plural = {"entity": "entities", "relation": "relations"}[kind]
        (folder / f"{plural}.dict").write_text("".join(f"{i}\t{name}\n" for i, name in enumerate(names)))
    (folder / "config.json").write_text('{"gamma": 9.0, "emb_size": 4}')
    asked = {"model": "rotate", "convention": "dglke"}
    trained = open_given("triples", nations, folder, asked, {})
    phases = np.load(folder / "Nations_RotatE_relation.npy").astype(float) / ((9.0 + 2) / 4 / np.pi)
    np.testing.assert_allclose(trained.parameters.table[14:, :4], phases, rtol=1e-12)
    assert trained.task.config.model == "rotate"


def test_inverse_relations(nations: TripleSet, tmp_path: pathlib.Path) -> None:
    """PyKEEN's rows in turn: heads are asked as tails of the inverse; a check trains both directions."""
    generator = np.random.default_rng(0)
    entities, relations = generator.normal(size=(14, 3)), generator.normal(size=(110, 3))
    write(tmp_path / "model", nations, entities, relations)
    np.save(tmp_path / "model" / "relations.npy", relations.reshape(55, 2, 3)[::-1].reshape(110, 3))
    asked = {"model": "distmult", "convention": "pykeen"}
    trained = open_given("triples", nations, tmp_path / "model", asked, {"epochs": 1})
    task = trained.task
    assert task.config.reciprocal
    for query, (start, relation, end) in ((Query(1, 5, 3), (1, 10, 3)), (Query(1, 5, 3, 0), (3, 11, 1))):
        scores = (entities[start] * relations[relation] * entities).sum(axis=1)
        exponents = np.exp(scores - scores.max())
        value = task.value(trained.parameters, [query])[0]
        assert value == pytest.approx(exponents[end] / exponents.sum(), rel=1e-6)
    moved = np.abs(task.train().parameters.table - trained.parameters.table).max(axis=1)
    assert moved[:14].min() > 0
    assert moved[14:69].min() > 0
    assert moved[69:].min() > 0


def break_array(folder: pathlib.Path) -> None:
    array = np.load(folder / "entities.npy")
    array[3, 2] = np.nan
    np.save(folder / "entities.npy", array)


def cut(folder: pathlib.Path, name: str, count: int) -> None:
    np.save(folder / name, np.load(folder / name)[:count])


def replace(folder: pathlib.Path, name: str, old: str, new: str) -> None:
    path = folder / name
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (break_array, "entities.npy: row 3 is not finite, nor are 0 others."),
        (lambda folder: cut(folder, "entities.npy", 13), "entities.npy: has 13 rows; entities.tsv has 14 names."),
        (lambda folder: cut(folder, "relations.npy", 54), "relations.npy: has 54 rows for 55 relations."),
        (
            lambda folder: replace(folder, "entities.tsv", "china", "cathay"),
            "entities.tsv: has no row for 1 of 14 names of kind entity in train: 'china'.",
        ),
        (lambda folder: replace(folder, "relations.txt", "exports3", "exports3\nexports3"), "is the name of rows"),
        (lambda folder: replace(folder, "relations.txt", "exports3", ""), "relations.txt:"),
        (lambda folder: replace(folder, "entities.tsv", "7\t", "8\t"), "no column of ids has the row numbers 0 to 13"),
        (lambda folder: (folder / "entities.npy").unlink(), "model: has no entities.npy (nor *_entity.npy)."),
        (lambda folder: (folder / "relations.txt").unlink(), "model: has no relations.tsv or relations.txt with the"),
        (lambda folder: (folder / "entities.npy").write_bytes(b"x"), "entities.npy: is no array of numbers"),
        (lambda folder: np.save(folder / "entities.npy", np.arange(14)), "entities.npy: want an array of floating"),
        (lambda folder: np.save(folder / "entities.npy", np.ones(14)), "entities.npy: want rows of numbers, [n, k];"),
        (lambda folder: shutil.copy(folder / "entities.tsv", folder / "entities.txt"), "want one of them"),
        (lambda folder: (folder / "model.json").write_text('{"dim": 3}'), "model.json: has no setting 'dim'"),
        (lambda folder: (folder / "model.json").write_text("3"), "model.json: want an object such as"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json: is no JSON"),
        (
            lambda folder: (folder / "model.json").write_text('{"model": "distmult"}'),
            "model.json: says model is 'distmult'; --model says 'complex'.",
        ),
    ],
)
def test_files_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], folder: pathlib.Path, spoil: Callable[[pathlib.Path], object], message: str
) -> None:
    spoil(folder)
    assert gr_tf("explain", f"--model_dir={folder}", *WHERE, QUESTION) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--model=complex", "--convention=pykeen"), "name the data that the model was trained on, with --data_dir"),
        (
            ("--dataset=nations", "--model=complex"),
            "name its convention, with --convention=pykeen, libkge, or dglke, or in",
        ),
        (
            ("--dataset=nations", "--convention=dglke"),
            "name its model, with --model=distmult, complex, transe, or rotate",
        ),
        (
            ("--dataset=nations", "--convention=dglke", "--model=simple"),
            "--model must be one of distmult, complex, trans",
        ),
        ((*WHERE, "--dim=3"), "dim is what the given model has: leave --dim out."),
        ((*WHERE, "--reciprocal"), "the given model has no inverse relations: leave --reciprocal out."),
        ((*WHERE, "--norm=1"), "norm is of transe and rotate; complex has none."),
        ((*WHERE, "--run_dir=x"), "--run_dir is for a training; --model_dir names a model that is trained already."),
        ((*WHERE, "--overwrite"), "--overwrite is for a training"),
        ((*WHERE, "--tune_minutes=1"), "--tune_minutes is for a training"),
        (
            (*WHERE, "--patience=2"),
            "--patience is for a training that validates; going on from a given model does not.",
        ),
        ((*WHERE, "--minimal"), "--minimal needs trainings without examples; the training of a given model is not kn"),
        ((*WHERE, "--trainings=3"), "--trainings needs others like the model; the training of a given model is not k"),
        ((*WHERE, "--query=mars,exports3,?"), "unknown entity 'mars'"),
    ],
)
def test_flags_that_do_not_suit(
    capsys: pytest.CaptureFixture[str], folder: pathlib.Path, flags: Sequence[str], message: str
) -> None:
    assert gr_tf("explain", f"--model_dir={folder}", QUESTION, *flags) == 1
    assert message in capsys.readouterr().err


def test_flags_without_a_given_model(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    assert gr_tf("explain", "--dataset=nations", QUESTION, "--convention=pykeen") == 1
    assert "--convention is for --model_dir." in capsys.readouterr().err
    assert gr_tf("explain", *WHERE, QUESTION, f"--model_dir={tmp_path / 'nowhere'}") == 1
    assert "nowhere: does not exist." in capsys.readouterr().err
