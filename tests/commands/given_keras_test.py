"""`gr_tf explain --model_dir` of a saved Keras model of users and items, or of histories."""

import json
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from gr_tf.attribution.methods import explainer
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSet, SequenceSplit
from gr_tf.tasks.given import open_given
from gr_tf.tasks.keras import KerasTask
from tests.commands.program import gr_tf

NUM_USERS, NUM_ITEMS, LENGTH = 40, 30, 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Ratings of users and items with two factors; names that are no row numbers."""
    generator = np.random.default_rng(0)
    users, items = generator.normal(size=(NUM_USERS, 2)), generator.normal(size=(NUM_ITEMS, 2))
    rows = [
        (f"u{u}", f"i{i}", float(np.round(2 * np.clip(3 + users[u] @ items[i], 1, 5)) / 2))
        for u in range(NUM_USERS)
        for i in range(NUM_ITEMS)
        if generator.random() < 0.7
    ]
    folder = tmp_path_factory.mktemp("data")
    pd.DataFrame(rows, columns=["user", "item", "rating"]).to_csv(folder / "ratings.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def ratings(data: pathlib.Path) -> RatingSet:
    return load_ratings(data_dir=data, split=RatingSplit(min_interactions=1))


def pair_model(activation: str | None = None) -> Any:
    """A factorization; the item's input comes first."""
    item, user = (keras.Input([], dtype="int32", name=name) for name in ("movie", "user"))
    looked_up = [keras.layers.Embedding(count, 4)(ids) for ids, count in ((item, NUM_ITEMS + 1), (user, NUM_USERS))]
    return keras.Model([item, user], keras.layers.Dense(1, activation)(keras.layers.Multiply()(looked_up)))


def save(folder: pathlib.Path, model: Any, **names: Sequence[str]) -> pathlib.Path:
    """Model and vocabularies."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    for stem, of_rows in names.items():
        (folder / f"{stem}.txt").write_text("\n".join(of_rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def of_ratings(ratings: RatingSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, pathlib.Path]:
    """A trained model; its users are in reverse order, its items behind one that is not in the data."""
    keras.utils.set_random_seed(0)
    model = pair_model()
    model.compile(keras.optimizers.Adam(0.02), "mse")
    users, items = ratings.train.pairs.T
    model.fit([items + 1, NUM_USERS - 1 - users], ratings.train.values, epochs=60, verbose=0)
    names = {"users": ratings.users.names[::-1], "items": ["new", *ratings.items.names]}
    return model, save(tmp_path_factory.mktemp("model"), model, **names)


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
    assert gr_tf("explain", *asked, "--output=json", f"--report={page}", "--jobs=1") == 0
    assert json.loads(capsys.readouterr().out)["checks"] == told["checks"]


def test_influences_are_products_of_gradients(of_ratings: tuple[Any, pathlib.Path], ratings: RatingSet) -> None:
    """TracIn at one checkpoint, by Keras's own gradients of the model that was saved."""
    model, folder = of_ratings
    trained = open_given("ratings", ratings, folder, {"model_loss": "mse"}, {"learning_rate": 0.5})
    (found,) = explainer(trained, "tracin").influences([RatingQuery(2, 7)])

    def gradient(user: int, item: int, target: float | None) -> np.ndarray:
        with tf.GradientTape() as tape:
            output = model([tf.constant([item + 1]), tf.constant([NUM_USERS - 1 - user])])[0, 0]
            value = -output if target is None else (output - target) ** 2
        parts = tape.gradient(value, [variable.value for variable in model.trainable_variables])
        return np.concatenate([np.reshape(tf.convert_to_tensor(part), -1) for part in parts])

    asked = gradient(2, 7, None)
    for example_id in (0, 11, 60):
        user, item = map(int, ratings.train.pairs[example_id])
        expected = 0.5 * asked @ gradient(user, item, float(ratings.train.values[example_id]))
        assert found.values[example_id] == pytest.approx(expected, rel=1e-4, abs=1e-5)


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


def test_going_on_is_adam_on_the_kept_examples(of_ratings: tuple[Any, pathlib.Path], ratings: RatingSet) -> None:
    """One step on all examples but some, by Keras's own gradient, and Adam's first step."""
    model, folder = of_ratings
    settings = {"batch_size": ratings.num_examples, "epochs": 1, "learning_rate": 0.01}
    trained = open_given("ratings", ratings, folder, {"model_loss": "mse"}, settings)
    removed = np.array([3, 40, 41])
    after = trained.task.train(removed=removed).parameters
    kept = ratings.train.only(np.delete(np.arange(ratings.num_examples), removed))
    users, items = kept.pairs.T
    with tf.GradientTape() as tape:
        outputs = model([tf.constant(items + 1), tf.constant(NUM_USERS - 1 - users)])[:, 0]
        loss = tf.reduce_mean((outputs - kept.values.astype(np.float32)) ** 2)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    for before, moved, part in zip(trained.parameters.shared, after.shared, gradients, strict=True):
        gradient = np.asarray(tf.convert_to_tensor(part), np.float64)
        # The first step: both moments corrected are the gradient and its square (epsilon scaled as in the kernel).
        expected = before - 0.01 * gradient / (np.abs(gradient) + 1e-8 / np.sqrt(0.001))
        np.testing.assert_allclose(moved, expected, atol=2e-5)
    # The saved model is as it was.
    for own, given in zip(model.trainable_variables, trained.parameters.shared, strict=True):
        np.testing.assert_array_equal(own.numpy(), given)


@pytest.mark.parametrize(("loss", "activation"), [("bce", "sigmoid"), ("bce_logits", None)])
def test_interactions(loss: str, activation: str | None, ratings: RatingSet, tmp_path: pathlib.Path) -> None:
    """Probabilities of 0 and 1, from a sigmoid or from logits."""
    liked = ratings._with_values((ratings.train.values > 3).astype(float))
    keras.utils.set_random_seed(0)
    model = pair_model(activation)
    folder = save(tmp_path / "model", model, users=ratings.users.names[::-1], items=["new", *ratings.items.names])
    trained = open_given("ratings", liked, folder, {"model_loss": loss}, {})
    task, query = trained.task, RatingQuery(2, 7)
    assert task.unit == "probability"
    (value,) = task.value(trained.parameters, [query])
    output = float(model([tf.constant([8]), tf.constant([NUM_USERS - 3])])[0, 0])
    assert value == pytest.approx(output if activation else 1 / (1 + np.exp(-output)), rel=1e-5)
    # A like supports its own prediction, and its absence speaks against it.
    for example_id in (0, 1, 2, 50):
        (found,) = explainer(trained, "tracin").influences([liked.query_of(example_id)])
        assert np.sign(found.values[example_id]) == (1 if liked.train.values[example_id] else -1)
    losses = task.losses()
    weights = [tf.constant(array) for array in trained.parameters.shared]
    batch = [tf.constant(array[:3]) for array in losses.train]
    predictions = task.model.predict_pairs(trained.parameters, liked.train.pairs[:3])
    wanted = [-np.log(p if target else 1 - p) for p, target in zip(predictions, liked.train.values, strict=False)]
    np.testing.assert_allclose(losses.losses(tf.zeros([]), weights, batch), wanted, rtol=1e-4)


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
            "name the loss of its training with --model_loss=mse|bce|bce_logits; got 'soft",
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


def test_numbers_are_row_numbers_without_a_vocabulary(
    of_ratings: tuple[Any, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    """As MovieLens' users and items, which a model is often given as they are."""
    rows = [(str(user), str(item), 3.0) for user in range(1, 6) for item in range(1, 5)]
    (tmp_path / "data").mkdir()
    pd.DataFrame(rows, columns=["user", "item", "rating"]).to_csv(tmp_path / "data" / "ratings.csv", index=False)
    ratings = load_ratings(data_dir=tmp_path / "data", split=RatingSplit(min_interactions=1))
    model = of_ratings[0]
    trained = open_given("ratings", ratings, save(tmp_path / "model", model), {"model_loss": "mse"}, {})
    assert trained.given is not None
    assert any("there is no users.txt: the names of users, which are numbers" in note for note in trained.given.notes)
    (value,) = trained.task.value(trained.parameters, [ratings.query("4", "2")])
    assert value == pytest.approx(float(model([tf.constant([2]), tf.constant([4])])[0, 0]), rel=1e-5)
    assert trained.parameters.shared[0].shape == KerasTask.parameters_of(model.get_weights()).shared[0].shape


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
