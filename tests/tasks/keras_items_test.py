"""A saved Keras model of users and items as a Trained: its values, gradients, and how it goes on."""

import pathlib
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from gr_tf.attribution.methods import explainer
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit
from gr_tf.tasks.given import open_given
from gr_tf.tasks.keras import KerasTask
from tests.tasks.keras_models import NUM_USERS, pair_model, save, trained_pair_model, write_ratings


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
