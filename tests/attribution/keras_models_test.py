"""Models that somebody trained with Keras: the same answers as for our own, and as by hand."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.embedding_fia import EmbeddingFia
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.tracin import TracIn, TracInExplainer
from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.keras import Examples, KerasConfig, KerasTask
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import Checkpoint, Trained, train_in_memory
from gr_tf.training.rating_config import RatingConfig


class Recommender(keras.Model):
    """Our model of ratings as somebody might have written it."""

    def __init__(self, model: Any, parameters: Parameters) -> None:
        super().__init__(dtype="float64")
        self._ours = model
        self._network = [tf.constant(array) for array in parameters.shared]
        users, items = np.split(parameters.table, [model.num_users])
        # Of one name, as layers of two towers may be.
        self.users = keras.layers.Embedding(*users.shape, weights=[users], dtype="float64", name="ids")
        self.items = keras.layers.Embedding(*items.shape, weights=[items], dtype="float64", name="ids")

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self._ours.predict(self.users(inputs["user"]), self.items(inputs["item"]), self._network)


def squared_error(targets: Any, outputs: Any) -> Any:
    return tf.square(targets - outputs)


def given(model: keras.Model, train: Examples, loss: Any, **settings: float) -> Trained:
    """The model as it is, as a finished training."""
    task = KerasTask(model, train, loss, KerasConfig(**settings))
    return Trained(task, task.initial_parameters, epoch=0)


@pytest.fixture(scope="module")
def ratings_case(toy_ratings: RatingSet) -> tuple[Trained, Recommender, Examples]:
    config = RatingConfig(dim=3, steps=500, batch_size=40, learning_rate=0.01, dtype="float64")
    trained = train_in_memory(RatingTask(toy_ratings, config))
    pairs = toy_ratings.train.pairs
    train = Examples({"user": pairs[:, 0], "item": pairs[:, 1]}, toy_ratings.train.values)
    model = Recommender(trained.task.model, trained.parameters)
    model(train.inputs)
    return trained, model, train


@pytest.fixture(scope="module")
def text_case() -> tuple[keras.Model, Examples]:
    """A functional model with sequences of ids, a pooled embedding, and a dense layer; classes."""
    keras.utils.set_random_seed(0)
    ids = keras.Input([5], dtype="int32")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(12, 4)(ids))
    model = keras.Model(ids, keras.layers.Dense(3)(keras.layers.Dense(6, activation="tanh")(pooled)))
    generator = np.random.default_rng(0)
    train = Examples(generator.integers(12, size=(70, 5)), generator.integers(3, size=70))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(train.inputs, train.targets, epochs=2, verbose=0)
    return model, train


def cross_entropy(targets: Any, outputs: Any) -> Any:
    return keras.losses.sparse_categorical_crossentropy(targets, outputs, from_logits=True)


def test_fia_is_ours(ratings_case: Any, toy_ratings: RatingSet) -> None:
    ours, model, train = ratings_case
    damping = 0.01
    undecayed = dataclasses.replace(ours, task=ours.task.with_config(weight_decay=0.0))
    fia = Fia(undecayed, FiaSettings(damping=damping, decay="trained"))
    of_keras = EmbeddingFia(given(model, train, squared_error), damping=damping)
    for user, item in toy_ratings.test.pairs[:4]:
        query = Examples({"user": np.array([user]), "item": np.array([item])}, np.zeros(1))
        got = of_keras.rank(query)
        want = fia.rank(toy_ratings.query(toy_ratings.users.names[user], toy_ratings.items.names[item]))
        assert got.prediction == pytest.approx(want.prediction)
        by_id = dict(zip(want.example_ids, want.influences, strict=True))
        assert set(got.example_ids) == set(by_id)
        np.testing.assert_allclose(got.influences, [by_id[i] for i in got.example_ids], rtol=1e-6, atol=1e-9)
        assert got.systems[0].condition_number == pytest.approx(want.systems[0].condition_number, rel=1e-6)


@pytest.mark.slow
def test_a_penalty_is_in_the_hessian(ratings_case: Any, toy_ratings: RatingSet) -> None:
    """By the definition: the rows' block of the Hessian of the training's loss, times n/n'."""
    _, model, train = ratings_case
    l2, damping = 0.05, 0.01
    explainer = EmbeddingFia(given(model, train, squared_error, l2=l2), damping=damping)
    explanation = explainer.rank(train.only(slice(3, 4)))
    user, item = int(train.inputs["user"][3]), int(train.inputs["item"][3])
    tables = [np.asarray(layer.embeddings) for layer in (model.users, model.items)]

    def row_losses(theta: Any, inputs: Any, targets: Any) -> Any:
        width = tables[0].shape[1]
        rows = [
            tf.tensor_scatter_nd_update(table, [[place]], theta[None, first : first + width])
            for table, place, first in zip(tables, (user, item), (0, width), strict=True)
        ]
        looked_up = [tf.gather(table, ids) for table, ids in zip(rows, (inputs["user"], inputs["item"]), strict=True)]
        return squared_error(targets, model._ours.predict(*looked_up, model._network))

    theta = tf.constant(np.concatenate([tables[0][user], tables[1][item]]))
    with tf.GradientTape() as outer:
        outer.watch(theta)
        with tf.GradientTape() as inner:
            inner.watch(theta)
            # The mean over all, and the penalty of these rows.
            loss = tf.reduce_mean(row_losses(theta, train.inputs, train.targets)) + l2 * tf.reduce_sum(theta**2)
        gradient = inner.gradient(loss, theta)
    hessian = outer.jacobian(gradient, theta).numpy() * len(train) / len(explanation.example_ids)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(theta)
        own = train.only(explanation.example_ids)
        losses = row_losses(theta, own.inputs, own.targets)
        error = row_losses(theta, train.only(slice(3, 4)).inputs, np.zeros(1))[0]  # the output squared
    solved = np.linalg.solve(hessian + damping * np.eye(len(hessian)), tape.gradient(error, theta).numpy())
    of_output = 2 * explanation.prediction
    want = -tape.jacobian(losses, theta).numpy() @ solved / of_output / len(explanation.example_ids)
    np.testing.assert_allclose(explanation.influences, want, rtol=1e-6, atol=1e-9)


def test_tracin_by_hand(text_case: tuple[keras.Model, Examples]) -> None:
    model, train = text_case
    now = [np.asarray(variable) for variable in model.trainable_variables]
    other = [array + 0.1 for array in now]
    trained = given(model, train, cross_entropy, learning_rate=0.1)
    task = trained.task
    moved, as_it_is = (KerasTask.parameters_of(weights) for weights in (other, now))
    tracin = TracIn(task.losses(), [Checkpoint(moved, 0.3), Checkpoint(as_it_is, 0.1)])
    query = Examples(np.array([[1, 2, 3, 4, 5]]), np.array([2]))

    def gradient(weights: list[np.ndarray], examples: Examples) -> np.ndarray:
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(cross_entropy(examples.targets, model(examples.inputs)))
        parts = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
        return np.concatenate([tf.convert_to_tensor(part).numpy().ravel() for part in parts])

    influences, own = tracin.pairwise(query.arrays)[0], tracin.self_influences()
    for example_id in (0, 13, 69):
        want, of_itself = 0.0, 0.0
        for weights, rate in ((other, 0.3), (now, 0.1)):
            of_example = gradient(weights, train.query_of(example_id))
            want += rate * of_example @ gradient(weights, query)
            of_itself += rate * of_example @ of_example
        assert influences[example_id] == pytest.approx(want, rel=1e-3, abs=1e-7)
        assert own[example_id] == pytest.approx(of_itself, rel=1e-3)
    gradient(now, query)  # puts the weights back
    # The weights as they are, and those of kept epochs.
    alone = TracInExplainer(trained)
    kept = TracInExplainer(dataclasses.replace(trained, kept={1: moved, 2: as_it_is}))
    value = float(cross_entropy(query.targets, model(query.inputs))[0])
    assert alone.rank(query).prediction == pytest.approx(value, rel=1e-5)
    sums = TracIn(task.losses(), [Checkpoint(moved, 0.1), Checkpoint(as_it_is, 0.1)]).pairwise(query.arrays)
    np.testing.assert_allclose(kept.matrix([query]), sums, rtol=1e-6, atol=1e-9)
    assert len(kept.explain(query, 3).frame) == 3
    both = Ensemble([kept, alone]).rank(query)
    assert both.frame.standard_error.gt(0).any()


def test_what_is_refused(text_case: tuple[keras.Model, Examples], ratings_case: Any) -> None:
    model, train = text_case
    with pytest.raises(InputError, match="inputs and targets must be of one length; got"):
        Examples(train.inputs, train.targets[:3])
    with pytest.raises(InputError, match="a checkpoint's weights have shapes"):
        KerasTask(model, train, cross_entropy).checked([np.zeros(3)])
    with pytest.raises(InputError, match="the model has no trainable weights: build it"):
        KerasTask(keras.Sequential([keras.layers.Dense(2)]), train, cross_entropy)
    with pytest.raises(InputError, match="the loss must give a number an example"):
        KerasTask(model, train, lambda y, x: tf.reduce_mean(cross_entropy(y, x)))
    one = keras.Sequential([keras.Input([5]), keras.layers.Dense(1)])
    with pytest.raises(InputError, match=r"the loss must give a number an example, \[n\]; got shape \(2, 2\) for two"):
        KerasTask(one, Examples(np.ones((4, 5)), np.ones(4)), lambda y, x: tf.square(y - x))
    with pytest.raises(InputError, match="the model's output must be one number an example"):
        EmbeddingFia(given(model, train, cross_entropy)).rank(train.only(slice(1)))
    dense = keras.Sequential([keras.Input([5]), keras.layers.Dense(1)])
    with pytest.raises(InputError, match="FIA needs a model that looks up embeddings"):
        EmbeddingFia(given(dense, train, cross_entropy))
    _, recommender, ratings = ratings_case
    fia = EmbeddingFia(given(recommender, ratings, squared_error))
    with pytest.raises(InputError, match="a query is one example; got 2"):
        fia.rank(ratings.only(slice(2)))
    few = ratings.only(np.asarray(ratings.inputs["user"]) > 3)
    few = few.only(np.asarray(few.inputs["item"]) > 3)
    with pytest.raises(InputError, match="no training example looks up what the query does"):
        EmbeddingFia(given(recommender, few, squared_error)).rank(
            Examples({"user": np.array([0]), "item": np.array([0])}, np.zeros(1))
        )
    # Nothing is left on the layers.
    assert "call" not in vars(recommender.users)
