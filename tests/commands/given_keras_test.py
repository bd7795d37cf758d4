"""`gr_tf explain --model_dir` of a saved Keras model of users and items, or of histories."""

import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSet, SequenceSplit
from tests.commands.program import gr_tf
from tests.tasks.keras_models import NUM_USERS, pair_model, save, trained_pair_model, write_ratings

LENGTH = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_ratings(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def ratings(data: pathlib.Path) -> RatingSet:
    return load_ratings(data_dir=data, split=RatingSplit(min_interactions=1))


@pytest.fixture(scope="module")
def of_ratings(ratings: RatingSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, pathlib.Path]:
    folder = tmp_path_factory.mktemp("model")
    return trained_pair_model(ratings, folder), folder


def where(data: pathlib.Path, folder: pathlib.Path, loss: str = "mse") -> tuple[str, ...]:
    return f"--data_dir={data}", "--min_interactions=1", f"--model_dir={folder}", f"--model_loss={loss}"


def test_ratings_from_file_to_checked_answer(
    capsys: pytest.CaptureFixture[str],
    data: pathlib.Path,
    of_ratings: tuple[Any, pathlib.Path],
    ratings: RatingSet,
    tmp_path: pathlib.Path,
) -> None:
    model, folder = of_ratings
    asked = (*where(data, folder), "--query=u3,i5", "--k=3", "--verify", "--verify_seeds=3", "--epochs=2")
    page = tmp_path / "why.html"
    assert gr_tf("explain", *asked, "--output=json", f"--report={page}") == 0
    printed = capsys.readouterr()
    assert "items.txt: 1 of 31 names are not in the data: 'new'" in printed.err
    assert "input 'user' is the user, 'movie' the item" in printed.err
    told = json.loads(printed.out)
    user, item = ratings.users.ids["u3"], ratings.items.ids["i5"]
    outputs = model.predict([np.array([item + 1]), np.array([NUM_USERS - 1 - user])], verbose=0)
    assert told["stars"] == pytest.approx(float(outputs[0, 0]), rel=1e-5)
    assert told["method"] == "tracin"
    assert told["quality"]["model"]["test"]["rmse"] < 0.9 * told["quality"]["baseline"]["test"]["rmse"]
    steps = 2 * -(-ratings.num_examples // 32)
    sentence = f"Went on from the given model for {steps} steps, with all examples and without these"
    assert told["how_checked"] == sentence
    assert sentence in page.read_text(encoding="utf-8")
    assert max(told["checks"][1]["changes"]) < 0
    assert len(set(told["checks"][1]["before"])) == 3
    # The same to the bit.
    assert gr_tf("explain", *asked, "--output=json", f"--report={page}", "--jobs=1", "--overwrite") == 0
    assert json.loads(capsys.readouterr().out)["checks"] == told["checks"]


@pytest.mark.parametrize("method", ["fia", "cosine", "dot", "nh"])
def test_methods_of_ratings(
    capsys: pytest.CaptureFixture[str], data: pathlib.Path, of_ratings: tuple[Any, pathlib.Path], method: str
) -> None:
    damped = ["--damping=0.01"] if method == "fia" else []
    asked = (*where(data, of_ratings[1]), "--query=u3,i5", f"--method={method}", "--output=json", *damped)
    assert gr_tf("explain", *asked) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["method"] == method
    assert {one["connection"] for one in told["proponents"][:2]} <= {"same user", "same item"}


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("gr", "method 'gr' needs a training by gr_tf; the training of a given model is not known"),
        ("ia", "ia explains models with rows of users and items, not Keras models: use --method=fia."),
    ],
)
def test_methods_that_do_not_serve(
    capsys: pytest.CaptureFixture[str],
    data: pathlib.Path,
    of_ratings: tuple[Any, pathlib.Path],
    method: str,
    message: str,
) -> None:
    assert gr_tf("explain", *where(data, of_ratings[1]), "--query=u3,i5", f"--method={method}") == 1
    assert message in capsys.readouterr().err


def test_a_model_of_keras_rs_that_takes_names(
    capsys: pytest.CaptureFixture[str], data: pathlib.Path, ratings: RatingSet, tmp_path: pathlib.Path
) -> None:
    """StringLookups and a FeatureCross; the file itself is named."""
    keras_rs = pytest.importorskip("keras_rs", reason="keras-rs is not installed")
    keras.utils.set_random_seed(0)
    inputs = {name: keras.Input([1], dtype="string", name=name) for name in ("user_id", "movie_title")}
    words = {"user_id": ratings.users.names, "movie_title": ratings.items.names[1:]}
    rows = [keras.layers.StringLookup(vocabulary=list(words[name]))(part) for name, part in inputs.items()]
    looked_up = [keras.layers.Flatten()(keras.layers.Embedding(NUM_USERS + 1, 4)(row)) for row in rows]
    crossed = keras_rs.layers.FeatureCross()(keras.layers.Concatenate()(looked_up))
    model = keras.Model(inputs, keras.layers.Dense(1)(crossed))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    names = [
        np.array(vocabulary.names)[ids][:, None]
        for vocabulary, ids in zip((ratings.users, ratings.items), ratings.train.pairs.T, strict=True)
    ]
    batches = tf.data.Dataset.from_tensor_slices((dict(zip(inputs, names, strict=True)), ratings.train.values))
    model.fit(batches.shuffle(999, seed=0).batch(32), epochs=40, verbose=0)
    model.save(tmp_path / "cross.keras")
    asked = where(data, tmp_path / "cross.keras")
    for method in ("tracin", "cosine"):
        told = ("--query=u3,i5", f"--method={method}", "--output=json", "--k=3", "--verify", "--epochs=2")
        assert gr_tf("explain", *asked, *told) == 0
        printed = capsys.readouterr()
        left = ratings.items.names[0]
        assert f"1 of 30 items are not in the model's vocabulary: {left!r}" in printed.err
        answer = json.loads(printed.out)
        by_name = {"user_id": tf.constant([["u3"]]), "movie_title": tf.constant([["i5"]])}
        assert answer["stars"] == pytest.approx(float(model(by_name)[0, 0]), rel=1e-4)
        assert answer["quality"]["warning"] is None
        assert len(answer["checks"]) == 2


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Users who mostly choose the next of 12 items."""
    generator, lines = np.random.default_rng(0), []
    for user in range(30):
        items = [int(generator.integers(12))]
        for _ in range(9):
            items.append((items[-1] + 1) % 12 if generator.random() < 0.85 else int(generator.integers(12)))
        lines.append("\t".join([f"u{user}", *(f"i{item}" for item in items)]))
    folder = tmp_path_factory.mktemp("walks")
    (folder / "sequences.txt").write_text("\n".join(lines) + "\n")
    return folder


SPLIT = {"min_interactions": 3, "window": LENGTH + 3, "valid_share": 0.1}


@pytest.fixture(scope="module")
def sequences(walks: pathlib.Path) -> SequenceSet:
    return load_sequences(data_dir=walks, split=SequenceSplit(**SPLIT))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_histories_from_file_to_checked_answer(
    capsys: pytest.CaptureFixture[str],
    walks: pathlib.Path,
    sequences: SequenceSet,
    tmp_path: pathlib.Path,
    activation: str | None,
) -> None:
    """A GRU over the latest items; of logits with the padding among the outputs, of probabilities without."""
    keras.utils.set_random_seed(0)
    names = ["[PAD]", *reversed(sequences.items.names)]
    rows = np.array([0, *(names.index(name) for name in sequences.items.names)])
    history = keras.Input([LENGTH], dtype="int32")
    state = keras.layers.GRU(8)(keras.layers.Embedding(len(names), 6, mask_zero=True)(history))
    model = keras.Model(history, keras.layers.Dense(len(names) - bool(activation), activation)(state))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None)
    model.compile(keras.optimizers.Adam(0.03), loss)
    inputs = rows[sequences.train.histories][:, -LENGTH:]
    model.fit(inputs, rows[sequences.train.targets] - bool(activation), epochs=30, verbose=0)
    folder = save(tmp_path / "model", model, items=names)
    flags = [f"--{name}={value}" for name, value in SPLIT.items()]
    asked = (f"--data_dir={walks}", f"--model_dir={folder}", "--model_loss=softmax", *flags, "--order=file")
    told = ("--query=i3,i4,i5,?", "--k=3", "--output=json", "--verify", "--verify_seeds=2", "--epochs=2")
    assert gr_tf("explain", *asked, *told) == 0
    printed = capsys.readouterr()
    assert f"outputs are {'probabilities: they add up to 1' if activation else 'logits'}" in printed.err
    answer = json.loads(printed.out)
    assert answer["predicted"] == "i6"
    outputs = model(tf.constant([[0, *(names.index(name) for name in ("i3", "i4", "i5"))]]))[0].numpy()
    if activation is None:
        exponents = np.exp(outputs[1:])
        outputs = np.append(0, exponents / exponents.sum())
    place = names.index("i6") - bool(activation)
    assert answer["probability"] == pytest.approx(float(outputs[place]), rel=1e-4)
    assert answer["quality"]["model"]["test"]["mrr"] > 1.5 * answer["quality"]["baseline"]["test"]["mrr"]
    assert answer["how_checked"].startswith("Went on from the given model for ")
    assert max(answer["checks"][1]["changes"]) < 0


def drop(folder: pathlib.Path, name: str) -> None:
    (folder / name).unlink()


def replace(folder: pathlib.Path, name: str, old: str, new: str) -> None:
    path = folder / name
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("spoil", "loss", "message"),
    [
        (lambda folder: drop(folder, "model.keras"), "mse", "model: has no model.keras."),
        (
            lambda folder: drop(folder, "users.txt"),
            "mse",
            "users.txt: does not exist; want the names of the model's row",
        ),
        (lambda folder: replace(folder, "users.txt", "u3\n", "x3\n"), "mse", "users.txt: has no row for 1 of 40 users"),
        (lambda folder: replace(folder, "items.txt", "i3\n", "i3\ni3\n"), "mse", "items.txt: 'i3' is the name of rows"),
        (lambda folder: (folder / "model.keras").write_bytes(b"x"), "mse", "model.keras: Keras cannot load it: "),
        (lambda folder: replace(folder, "items.txt", "new\n", "a\nb\n"), "mse", "fails on the training examples: "),
        (lambda folder: None, "bce", "its outputs must be from 0 to 1 for bce; got "),
        (lambda folder: None, "bce_logits", "the ratings must be from 0 to 1 for bce_logits; got 5"),
        (
            lambda folder: None,
            "softmax",
            "name the loss of its training with --model_loss=mse, bce, or bce_logits; got 'soft",
        ),
        (
            lambda folder: keras.Sequential([keras.Input([3]), keras.layers.Dense(1)]).save(folder / "model.keras"),
            "mse",
            "want a user and an item.",
        ),
    ],
)
def test_models_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
    data: pathlib.Path,
    ratings: RatingSet,
    tmp_path: pathlib.Path,
    spoil: Callable[[pathlib.Path], object],
    loss: str,
    message: str,
) -> None:
    keras.utils.set_random_seed(0)
    model = pair_model()
    model.trainable_variables[-1].assign([-3.0])
    folder = save(tmp_path / "model", model, users=ratings.users.names, items=["new", *ratings.items.names])
    spoil(folder)
    assert gr_tf("explain", *where(data, folder, loss), "--query=u3,i5") == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--dim=3",), "--dim is not for a given model of ratings."),
        (("--model=mf",), "--model is not for a given model of ratings."),
        (("--convention=pykeen",), "--convention is not for a given model of ratings."),
        (("--retraining_steps=5",), "--retraining_steps is not for a given model: say --epochs."),
        (("--trainings=2",), "--trainings needs others like the model"),
    ],
)
def test_flags_that_do_not_suit(
    capsys: pytest.CaptureFixture[str],
    data: pathlib.Path,
    of_ratings: tuple[Any, pathlib.Path],
    flags: Sequence[str],
    message: str,
) -> None:
    assert gr_tf("explain", *where(data, of_ratings[1]), "--query=u3,i5", *flags) == 1
    assert message in capsys.readouterr().err


def test_a_package_that_is_not_installed(
    capsys: pytest.CaptureFixture[str],
    data: pathlib.Path,
    of_ratings: tuple[Any, pathlib.Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model's file has the word "movie"."""
    monkeypatch.setattr("gr_tf.models.keras_files._PACKAGES", ("movie",))
    assert gr_tf("explain", *where(data, of_ratings[1]), "--query=u3,i5") == 1
    assert "model.keras: has layers of movie, which is not installed." in capsys.readouterr().err
