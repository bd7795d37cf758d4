"""Explicit gradients, complete rollback and ensembles of triples against what defines them."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution import methods
from gr_tf.attribution.base import Explainer, Explanation
from gr_tf.attribution.complete_rollback import CompleteRollback
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.gradients import Gradients, GradientSimilarity, gradients_of
from gr_tf.attribution.replay import Replay
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.triple_influence import TripleInfluence
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig
from gr_tf.training.triple_steps import TripleSteps

QUERIES = [Query(0, 1, 2), Query(3, 0, 3), Query(8, 3, 1)]


@pytest.fixture(scope="module", params=["distmult", "complex"])
def model(request: pytest.FixtureRequest, toy: TripleSet) -> Trained:
    config = TripleConfig(model=request.param, dim=3, num_negatives=5, epochs=3, learning_rate=0.05)
    return train_in_memory(TripleTask(toy, config), tracking=False)


@pytest.fixture(scope="module")
def gradients(model: Trained) -> Gradients:
    return gradients_of(model)


@pytest.fixture(scope="module")
def short(toy: TripleSet) -> Trained:
    return train_in_memory(TripleTask(toy, TripleConfig(dim=3, num_negatives=4, epochs=2, learning_rate=0.05)))


def by_id(explanation: Explanation[Any], count: int) -> np.ndarray:
    found = np.zeros(count)
    found[explanation.example_ids] = explanation.influences
    return found


def test_hessian_equals_finite_differences(gradients: Gradients) -> None:
    losses, batch = gradients.losses, gradients.losses.train

    def gradient(table: np.ndarray) -> np.ndarray:
        variable = tf.Variable(table)
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(losses.losses(tf.gather(variable, losses.rows(batch)), (), batch))
        return np.asarray(tf.convert_to_tensor(tape.gradient(mean, variable))).reshape(-1)

    table = gradients.parameters.table
    np.testing.assert_allclose(gradients.train.mean(axis=0), gradient(table), rtol=1e-9, atol=1e-15)
    for place in (0, 7, table.size - 1):
        step = np.zeros(table.shape)
        step.flat[place] = 1e-5
        measured = (gradient(table + step) - gradient(table - step)) / 2e-5
        np.testing.assert_allclose(gradients.hessian[:, place], measured, rtol=1e-6, atol=1e-9)


def test_influence_with_much_damping_is_the_dot_product(model: Trained, gradients: Gradients) -> None:
    """H + d I is d I then; all parameters, or those of the query's rows, where they alone count."""
    count = model.task.num_examples
    everything = TripleInfluence(model, damping=1e9)
    rows_only = TripleInfluence(model, block="query", damping=1e9)
    for query in QUERIES:
        explanation = everything.rank(query)
        dot = by_id(GradientSimilarity(model, "dot").rank(query), count)
        wanted = dot * explanation.prediction / count / 1e9
        np.testing.assert_allclose(by_id(explanation, count), wanted, rtol=1e-6, atol=1e-25)
        rows = np.unique(model.task.model.rows_of(np.array([query.head, query.relation, query.tail])))
        own = np.zeros_like(gradients.parameters.table)
        own[rows] = gradients.of(query).reshape(own.shape)[rows]
        wanted = gradients.train @ own.reshape(-1) * explanation.prediction / count / 1e9
        np.testing.assert_allclose(by_id(rows_only.rank(query), count), wanted, rtol=1e-6, atol=1e-25)
    assert everything.negative_eigenvalues == 0
    assert TripleInfluence(model, damping=0).negative_eigenvalues > 0


def test_what_is_refused(model: Trained, gradients: Gradients, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="block must be one of all, query; got 'row'"):
        TripleInfluence(model, block="row")
    with pytest.raises(InputError, match="damping must be"):
        TripleInfluence(model, damping=-1)
    with pytest.raises(InputError, match="the damped Hessian is singular"):
        # An entity's row that no loss involves has no curvature.
        TripleInfluence(dataclasses.replace(model, parameters=Parameters(gradients.parameters.table * 0)), damping=0)
    # Too large for the memory that is free, before anything is computed; the Hessian is larger than the gradients.
    monkeypatch.setattr(methods, "available_memory", lambda: 16.0 * gradients.train.size)
    with pytest.raises(InputError, match=r"method 'influence' would need about .* of memory are free: use method='gr'"):
        methods.explainer(model, "influence")


def test_complete_rollback_undoes_every_row(short: Trained) -> None:
    """Against an explicit sum of what each example's steps changed."""
    task, config, count = short.task, short.task.config, short.task.num_examples
    assert isinstance(task, TripleTask)
    assert isinstance(task.steps, TripleSteps)
    rollback = CompleteRollback(short, segment=17)
    np.testing.assert_array_equal(rollback.table, short.parameters.table)
    initial, kernel, plan = task.initial_parameters.table, task.steps.kernel, task.steps.block_plan(0)
    changes = np.zeros((count, *initial.shape))
    rows = plan.numpy()
    state = kernel.start(initial, config.learning_rate)
    for _ in range(config.epochs):
        for example_id in range(count):
            before = kernel.table(state)
            state, _ = kernel.run(state, plan, tf.constant(np.full(count, example_id, np.int32)), tf.constant(1))
            touched = np.unique(rows[example_id])
            changes[example_id][touched] += (kernel.table(state) - before)[touched]
    np.testing.assert_array_equal(kernel.table(state), rollback.table)
    without = [task.value(Parameters(rollback.table - change), QUERIES) for change in changes]
    wanted = task.value(short.parameters, QUERIES)[:, None] - np.transpose(without)
    np.testing.assert_allclose(rollback.matrix(QUERIES), wanted, rtol=1e-9, atol=1e-14)


def test_complete_rollback_moves_more_rows_than_gradient_rollback(short: Trained) -> None:
    partial, complete = GradientRollback(short), CompleteRollback(short)
    for query in QUERIES:
        ids = partial.rank(query).example_ids
        found, own = (by_id(method.rank(query), short.task.num_examples)[ids] for method in (complete, partial))
        assert np.corrcoef(found, own)[0, 1] > 0.5
        assert not np.allclose(found, own)


def test_signs_of_noise_are_not_certain(toy: TripleSet) -> None:
    """Not even of the largest of many; those of real effects are."""
    generator = np.random.default_rng(0)
    called = []
    for _ in range(200):
        noise = generator.normal(size=(5, toy.num_examples))
        for effect in (0.0, 30.0):
            values = noise + effect * (np.arange(toy.num_examples) < 6)
            explanation = Explanation(
                QUERIES[0],
                np.arange(toy.num_examples),
                values.mean(axis=0),
                0.5,
                np.zeros(toy.num_examples),
                toy,
                standard_errors=values.std(axis=0, ddof=1) / np.sqrt(5),
                num_trainings=5,
            )
            assert explanation.sign_is_certain is not None
            called.append(explanation.sign_is_certain)
    assert np.any(called[0::2], axis=1).mean() < 0.1
    assert np.mean(called[1::2], axis=0)[:6].min() > 0.95


@pytest.mark.slow
def test_tails_that_cannot_be_predicted(toy: TripleSet) -> None:
    some = dataclasses.replace(toy, candidates=(0, 1, 2))
    trained = train_in_memory(TripleTask(some, TripleConfig(dim=3, num_negatives=4, epochs=1)))
    explainers: list[Explainer[Any]] = [
        GradientRollback(trained),
        CompleteRollback(trained),
        Replay(trained),
        GradientSimilarity(trained, "dot"),
        TripleInfluence(trained, damping=1),
    ]
    for explainer in explainers:
        assert np.isfinite(explainer.rank(Query(3, 0, 2)).influences).all()
        with pytest.raises(InputError, match="'e5' cannot be predicted: it is none of the candidate tails of toy"):
            explainer.rank(Query(3, 0, toy.entities.ids["e5"]))


def test_ensembles(toy: TripleSet) -> None:
    task = TripleTask(toy, TripleConfig(dim=6, num_negatives=5, epochs=2))
    members = [GradientRollback(train_in_memory(task.with_config(seed=seed))) for seed in range(3)]
    query = QUERIES[0]
    # Of one: the method itself.
    alone, itself = Ensemble(members[:1]).rank(query), members[0].rank(query)
    for name in ("example_ids", "influences", "without"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(itself, name))
    assert alone.prediction == itself.prediction
    assert alone.standard_errors is None
    assert alone.sign_is_certain is None
    assert "standard_error" not in alone.frame
    whole = Ensemble(members).rank(query)
    assert whole.standard_errors is not None
    each = np.stack([by_id(member.rank(query), toy.num_examples) for member in members])[:, whole.example_ids]
    np.testing.assert_allclose(whole.influences, each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(whole.standard_errors, each.std(axis=0, ddof=1) / np.sqrt(3), rtol=1e-12)
    assert whole.frame.standard_error.tolist() == list(whole.standard_errors)
    assert whole.sign_is_certain is not None
    errors = whole.first(2).standard_errors
    assert errors is not None
    assert len(errors) == 2
    with pytest.raises(InputError, match="at least one explainer"):
        Ensemble([])
