"""FIA, IA and TracIn on models whose ratings each have the weight decay of their own rows; Gradient Rollback too."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.attribution.methods import explainer, method_of
from gr_tf.attribution.training_loss import TrainingLoss
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Retraining
from gr_tf.tasks.kinds import own_config
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.training.rating_config import RATING_MODELS, RatingConfig
from gr_tf.training.rating_decay import RatingDecay
from gr_tf.types import Tensor

DATA = os.environ.get("GR_TF_DATA")
DECAY, DAMPING = 0.05, 0.2
CONFIG = {
    "dim": 4,
    "optimizer": "sgd",
    "epochs": 150,
    "batch_size": 10,
    "learning_rate": 0.02,
    "weight_decay": DECAY,
    "initial_deviation": 0.3,
    "dtype": "float64",
}


@pytest.fixture(scope="module", params=list(RATING_MODELS))
def shared(request: pytest.FixtureRequest, toy_ratings: RatingSet) -> Trained:
    return train_in_memory(RatingTask(toy_ratings, RatingConfig(model=request.param, **CONFIG)))  # type: ignore[arg-type]


def written_losses(trained: Trained, flat: Tensor, examples: np.ndarray) -> Tensor:
    """The losses of ratings as rating_share_steps writes them, as a function of all parameters in one vector."""
    model, ratings = trained.task.model, trained.task.dataset.train
    shapes = [array.shape for array in trained.parameters.arrays]
    parts = tf.split(flat, [int(np.prod(shape)) for shape in shapes])
    table, *network = [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
    rows = tf.gather(table, model.rows_of(ratings.pairs[examples]))
    errors = model.predict(rows[:, 0], rows[:, 1], network) - ratings.values[examples]
    return tf.square(errors) + DECAY / 2 * tf.reduce_sum(tf.square(rows), axis=(1, 2))


def flat_of(trained: Trained) -> Tensor:
    return tf.constant(np.concatenate([array.ravel() for array in trained.parameters.arrays]))


def gradients(trained: Trained, examples: np.ndarray) -> np.ndarray:
    """Of each rating's loss by all parameters, [n, size]."""
    flat = flat_of(trained)
    with tf.GradientTape() as tape:
        tape.watch(flat)
        losses = written_losses(trained, flat, examples)
    found: np.ndarray = tape.jacobian(losses, flat).numpy()
    return found


def hessian_of_all(trained: Trained) -> np.ndarray:
    """Of the mean loss by all parameters."""
    flat = flat_of(trained)
    with tf.GradientTape() as outer:
        outer.watch(flat)
        with tf.GradientTape() as inner:
            inner.watch(flat)
            mean = tf.reduce_mean(written_losses(trained, flat, np.arange(trained.task.num_examples)))
        gradient = inner.gradient(mean, flat)
    found: np.ndarray = outer.jacobian(gradient, flat).numpy()
    return found


def prediction_gradient(trained: Trained, query: RatingQuery) -> np.ndarray:
    model, shapes = trained.task.model, [array.shape for array in trained.parameters.arrays]
    flat = flat_of(trained)
    with tf.GradientTape() as tape:
        tape.watch(flat)
        table, *network = [
            tf.reshape(part, shape)
            for part, shape in zip(tf.split(flat, [int(np.prod(s)) for s in shapes]), shapes, strict=True)
        ]
        rows = tf.gather(table, model.rows_of(np.array([[query.user, query.item]])))
        predicted = model.predict(rows[:, 0], rows[:, 1], network)
    found: np.ndarray = tf.convert_to_tensor(tape.gradient(predicted, flat)).numpy()
    return found


@pytest.mark.parametrize("rated", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_fia_is_the_written_formula(shared: Trained, rated: bool) -> None:
    """-1/n' grad y . H^-1 . grad L(z), all by automatic differentiation of the written loss."""
    task = shared.task
    query = RatingQuery(*map(int, (task.dataset.train if rated else task.dataset.test).pairs[4]))
    fia = Fia(shared, FiaSettings(damping=DAMPING))
    explained, related = fia.rank(query), task.related(query)
    width = task.model.width
    rows = task.model.rows_of(np.array([query.user, query.item]))
    places = (rows[:, None] * width + np.arange(width)).ravel()
    block = hessian_of_all(shared)[np.ix_(places, places)] * task.num_examples / len(related)
    np.testing.assert_allclose(fia.hessian(query), block, atol=1e-10)
    solution = np.linalg.solve(block + DAMPING * np.eye(len(block)), prediction_gradient(shared, query)[places])
    # What is removed with a rating pulls the prediction the other way: its gradient, and not minus it.
    want = -(gradients(shared, related)[:, places] @ solution) / len(related)
    order = np.argsort(explained.example_ids)
    np.testing.assert_array_equal(explained.example_ids[order], related)
    np.testing.assert_allclose(explained.influences[order], want, atol=1e-10)
    assert np.abs(want).max() > 0.005
    for solver in ("cg", "newton_cg"):
        other = Fia(shared, FiaSettings(damping=DAMPING, solver=solver)).rank(query)
        np.testing.assert_allclose(other.influences[np.argsort(other.example_ids)], want, atol=1e-4)


def test_published_decay_is_the_whole_one(shared: Trained) -> None:
    query = shared.task.query_of(4)
    published, trained = (Fia(shared, FiaSettings(decay=decay)).hessian(query) for decay in ("published", "trained"))
    counts = [len(shared.task.dataset.of_user(query.user)), len(shared.task.dataset.of_item(query.item))]
    share = np.repeat(counts, shared.task.model.width) / len(shared.task.related(query))
    np.testing.assert_allclose(published - trained, np.diag(DECAY * (1 - share)), atol=1e-12)


@pytest.mark.slow
def test_ia_is_the_written_formula(shared: Trained) -> None:
    """With all parameters; damped enough for conjugate gradients."""
    task, damping = shared.task, 1.0
    loss = TrainingLoss(
        task.model, shared.parameters, task.dataset, RatingDecay.of(task.config, task.model, task.dataset)
    )
    hessian = hessian_of_all(shared)
    vector = np.random.default_rng(0).normal(size=loss.size)
    np.testing.assert_allclose(loss.product(tf.constant(vector)).numpy(), hessian @ vector, atol=1e-10)
    query = RatingQuery(*map(int, task.dataset.test.pairs[3]))
    found = InfluenceAnalysis(shared, damping=damping, tolerance=1e-12, max_iterations=5_000).rank(query)
    solution = np.linalg.solve(hessian + damping * np.eye(loss.size), prediction_gradient(shared, query))
    want = -gradients(shared, task.related(query)) @ solution / task.num_examples
    np.testing.assert_allclose(found.influences[np.argsort(found.example_ids)], want, atol=1e-9)


def test_losses_have_the_own_decay(shared: Trained) -> None:
    """What TracIn differentiates is what a removal removes."""
    losses, table = shared.task.losses(), tf.constant(shared.parameters.table)
    batch = losses.train
    found = losses.losses(tf.gather(table, losses.rows(batch)), [*map(tf.constant, shared.parameters.shared)], batch)
    want = written_losses(shared, flat_of(shared), np.arange(shared.task.num_examples))
    np.testing.assert_allclose(found, want, atol=1e-12)


@pytest.mark.slow
def test_fia_estimates_what_retraining_measures(toy_ratings: RatingSet) -> None:
    """FIA keeps all other rows; the retraining moves them too. The sign of most, and about the size."""
    task = RatingTask(toy_ratings, RatingConfig(**CONFIG))  # type: ignore[arg-type]
    trained = train_in_memory(task)
    queries = [RatingQuery(*map(int, pair)) for pair in toy_ratings.test.pairs[:5]]
    explained = explainer(trained).rank_many(queries)
    assert method_of("ratings", None).name == "fia"
    before = task.value(trained.parameters, queries)
    ends = [(i, one.example_ids[place], one.influences[place]) for i, one in enumerate(explained) for place in (0, -1)]
    asked = [Retraining.of(trained, [int(example)], "value", [queries[i]]) for i, example, _ in ends]
    assert all(not one.start and one.length == CONFIG["epochs"] for one in asked)
    after = dict(retrain(asked, 1, known=[trained]))
    observed = np.array([before[i] - after[place].measured[0] for place, (i, *_) in enumerate(ends)])
    estimated = np.array([influence for *_, influence in ends])
    assert (np.sign(observed) == np.sign(estimated)).sum() >= 9
    assert np.corrcoef(observed, estimated)[0, 1] > 0.8


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="GR_TF_DATA names no folder with the real datasets")
def test_two_items_of_a_user_get_different_explanations() -> None:
    """With the settings of one's own ratings, on MovieLens-100k: of the user's own ratings others stand first."""
    ratings = load_ratings("movielens-100k", pathlib.Path(str(DATA)) / "ml-100k")
    trained = train_in_memory(RatingTask(ratings, own_config("ratings", ratings, {"epochs": 35})), validating=True)
    items = [int(item) for item in np.argsort(np.bincount(ratings.train.pairs[:, 1]))[[-1, -40]]]
    shared_first = []
    for user in range(10):
        firsts = []
        for explanation in explainer(trained).rank_many([RatingQuery(user, item) for item in items]):
            own = np.isin(explanation.example_ids, ratings.of_user(user))
            firsts.append(set(explanation.example_ids[own][:5].tolist()))
        shared_first.append(len(firsts[0] & firsts[1]))
    # The same explanation for every item would share all five.
    assert np.mean(shared_first) < 3
    assert 5 not in shared_first
