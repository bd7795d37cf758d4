"""IA on a toy: its products against second derivatives, its influences against the explicit system."""

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.hessian import explicit_hessian
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.attribution.training_loss import TrainingLoss
from gr_tf.data.ratings import RatingQuery
from gr_tf.errors import InputError
from gr_tf.tasks.trained import Trained
from gr_tf.training.rating_decay import RatingDecay

WEIGHT_DECAY = 0.002  # of trained_ratings.


def test_full_products_are_the_hessian(trained_ratings: Trained) -> None:
    """IA's products against second derivatives of the loss written plainly."""
    task, parameters = trained_ratings.task, trained_ratings.parameters
    loss = TrainingLoss(task.model, parameters, task.dataset, RatingDecay.of(task.config, task.model, task.dataset))
    vector = np.random.default_rng(0).normal(size=loss.size)
    rows = task.model.rows_of(task.dataset.train.pairs)
    penalty = loss.penalty

    def gradient(flat: np.ndarray) -> np.ndarray:
        parts = [tf.constant(flat[: loss.num_table].reshape(-1, task.model.width))]
        place = loss.num_table
        for array in parameters.shared:
            parts.append(tf.constant(flat[place : place + array.size].reshape(array.shape)))
            place += array.size
        with tf.GradientTape() as tape:
            tape.watch(parts)
            table = parts[0]
            predicted = task.model.predict(tf.gather(table, rows[:, 0]), tf.gather(table, rows[:, 1]), parts[1:])
            value = tf.reduce_mean(tf.square(predicted - task.dataset.train.values))
        gradients = [tf.convert_to_tensor(g).numpy().ravel() for g in tape.gradient(value, parts)]
        return np.concatenate(gradients) + penalty * flat

    step = 1e-6
    want = (gradient(loss.flat + step * vector) - gradient(loss.flat - step * vector)) / (2 * step)
    got = loss.product(tf.constant(vector)).numpy()
    # A ReLU may change sides within the step.
    np.testing.assert_allclose(got, want, atol=1e-6)
    network = loss.network_product(tf.constant(vector[loss.num_table :])).numpy()
    only = np.concatenate([np.zeros(loss.num_table), vector[loss.num_table :]])
    np.testing.assert_allclose(network, loss.product(tf.constant(only)).numpy()[loss.num_table :], atol=1e-13)


def test_full_influences_are_those_of_the_explicit_system(trained_ratings: Trained) -> None:
    task, parameters = trained_ratings.task, trained_ratings.parameters
    query = RatingQuery(*map(int, task.dataset.test.pairs[3]))
    damping = 0.5  # enough to make the toy's Hessian positive definite
    loss = TrainingLoss(task.model, parameters, task.dataset, RatingDecay.of(task.config, task.model, task.dataset))
    analysis = InfluenceAnalysis(trained_ratings, damping=damping, tolerance=1e-12, max_iterations=10_000, scope="all")
    explanation = analysis.rank(query)
    assert explanation.systems[0].converged
    hessian = explicit_hessian(loss.product, loss.size) + damping * np.eye(loss.size)
    solution = np.linalg.solve(hessian, loss.prediction_gradient(np.array([query.user, query.item])))
    errors = task.model.predict_pairs(parameters, task.dataset.train.pairs) - task.dataset.train.values
    along = np.array([loss.prediction_gradient(pair) @ solution for pair in task.dataset.train.pairs])
    want = -(2 * errors * along + loss.penalty @ (loss.flat * solution)) / len(task.dataset.train)
    np.testing.assert_allclose(explanation.influences[np.argsort(explanation.example_ids)], want, atol=1e-9)


def test_settings_out_of_range(trained_ratings: Trained) -> None:
    with pytest.raises(InputError, match="damping must be a number of at least 0; got nan"):
        InfluenceAnalysis(trained_ratings, damping=float("nan"))
    with pytest.raises(InputError, match="scope must be one of related, all; got 'some'"):
        InfluenceAnalysis(trained_ratings, scope="some")


@pytest.mark.slow
def test_related_ratings_have_the_influences_that_they_have_among_all(trained_ratings: Trained) -> None:
    """The mean is over all n training ratings, however few of them are ranked."""
    task = trained_ratings.task
    query = RatingQuery(*map(int, task.dataset.test.pairs[3]))
    of_scope = {
        scope: InfluenceAnalysis(trained_ratings, damping=0.5, scope=scope).influences([query])[0]
        for scope in ("related", "all")
    }
    related, everything = of_scope["related"], of_scope["all"]
    np.testing.assert_array_equal(related.example_ids, task.related(query))
    assert 0 < len(related.example_ids) < len(everything.example_ids) == task.num_examples
    np.testing.assert_allclose(related.values, everything.values[related.example_ids], rtol=1e-12)
    assert np.abs(related.values).max() > 1e-6
