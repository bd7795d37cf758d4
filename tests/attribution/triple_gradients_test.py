import copy
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.complete_rollback import CompleteRollback
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.example_losses import Checkpoint
from gr_tf.attribution.replay import Replay
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.attribution.tracin_explainers import TripleTracIn
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.attribution.triple_gradients import GradientSimilarity, TripleGradients, TripleInfluence
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.prediction import tail_probability
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer
from tests.conftest import Trained

QUERIES = [Query(0, 1, 2), Query(3, 0, 3), Query(8, 3, 1)]


@pytest.fixture(scope="module", params=["distmult", "complex"])
def gradients(request: pytest.FixtureRequest, toy: TripleSet) -> TripleGradients:
    config = TrainConfig(model=request.param, dim=3, num_negatives=5, epochs=3, learning_rate=0.05)
    trainer = Trainer(toy, config)
    return TripleGradients(trainer.model, trainer.run().table, toy, config)


def by_id(explanation: object, count: int) -> np.ndarray:
    found = np.zeros(count)
    found[explanation.example_ids] = explanation.influences  # type: ignore[attr-defined]
    return found


def test_dot_products_are_tracin(gradients: TripleGradients) -> None:
    config = TrainConfig(model=type(gradients.model).__name__.lower(), dim=3, num_negatives=5)
    tracin = TripleTracIn(gradients.model, [Checkpoint.of(gradients.table, 1.0)], gradients.triples, config)
    dot, cosine = (GradientSimilarity(gradients, kind) for kind in ("dot", "cosine"))
    for query in QUERIES:
        wanted = by_id(tracin.rank(query), gradients.triples.num_examples)
        np.testing.assert_allclose(by_id(dot.rank(query), len(wanted)), wanted, rtol=1e-9, atol=1e-14)
        angles = by_id(cosine.rank(query), len(wanted))
        assert np.abs(angles).max() <= 1
        np.testing.assert_array_equal(np.sign(angles), np.sign(by_id(dot.rank(query), len(wanted))))


def test_hessian_equals_finite_differences(gradients: TripleGradients) -> None:
    losses, batch = gradients.losses, gradients.losses.train

    def gradient(table: np.ndarray) -> np.ndarray:
        variable = tf.Variable(table)
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(losses.losses(tf.gather(variable, losses.rows(batch)), (), batch))
        return np.asarray(tf.convert_to_tensor(tape.gradient(mean, variable))).reshape(-1)

    np.testing.assert_allclose(gradients.train.mean(axis=0), gradient(gradients.table), rtol=1e-9, atol=1e-15)
    for place in (0, 7, gradients.table.size - 1):
        step = np.zeros(gradients.table.shape)
        step.flat[place] = 1e-5
        measured = (gradient(gradients.table + step) - gradient(gradients.table - step)) / 2e-5
        np.testing.assert_allclose(gradients.hessian[:, place], measured, rtol=1e-6, atol=1e-9)


def test_influence_with_much_damping_is_the_dot_product(gradients: TripleGradients) -> None:
    """H + d I is d I then; all parameters, or those of the query's rows, where they alone count."""
    count = gradients.triples.num_examples
    everything = TripleInfluence(gradients, damping=1e9)
    rows_only = TripleInfluence(gradients, block="query", damping=1e9)
    for query in QUERIES:
        explanation = everything.rank(query)
        dot = by_id(GradientSimilarity(gradients).rank(query), count)
        wanted = dot * explanation.probability / count / 1e9
        np.testing.assert_allclose(by_id(explanation, count), wanted, rtol=1e-6, atol=1e-25)
        rows = np.unique(gradients.model.rows_of(np.array([query.head, query.relation, query.tail])))
        own = np.zeros_like(gradients.table)
        own[rows] = gradients.of([query])[0].reshape(own.shape)[rows]
        wanted = gradients.train @ own.reshape(-1) * explanation.probability / count / 1e9
        np.testing.assert_allclose(by_id(rows_only.rank(query), count), wanted, rtol=1e-6, atol=1e-25)
    assert everything.negative_eigenvalues == 0
    assert TripleInfluence(gradients, damping=0).negative_eigenvalues > 0


def test_what_is_refused(gradients: TripleGradients, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="similarity must be one of dot, cosine; got 'angle'"):
        GradientSimilarity(gradients, "angle")
    with pytest.raises(InputError, match="block must be one of all, query; got 'row'"):
        TripleInfluence(gradients, block="row")
    with pytest.raises(InputError, match="damping must be"):
        TripleInfluence(gradients, damping=-1)
    with pytest.raises(InputError, match="the damped Hessian is singular"):
        # An entity's row that no loss involves has no curvature.
        TripleInfluence(
            TripleGradients(gradients.model, gradients.table * 0, gradients.triples, TrainConfig()), damping=0
        )
    anew = copy.copy(gradients)
    anew.__dict__.pop("hessian", None)
    monkeypatch.setattr("gr_tf.attribution.triple_gradients._MOST_NUMBERS", 100)
    with pytest.raises(InputError, match="parameters is too large to be kept in one matrix"):
        TripleInfluence(anew)
    monkeypatch.setattr("gr_tf.attribution.triple_gradients._MOST_NUMBERS", 10)
    with pytest.raises(InputError, match="explicit gradients are for small graphs"):
        TripleGradients(gradients.model, gradients.table, gradients.triples, TrainConfig())


def test_complete_rollback_undoes_every_row(toy: TripleSet) -> None:
    """Against an explicit sum of what each example's steps changed."""
    config = TrainConfig(dim=3, num_negatives=4, epochs=2, learning_rate=0.05)
    trainer = Trainer(toy, config)
    rollback = CompleteRollback(trainer, segment=17)
    np.testing.assert_array_equal(rollback.table, trainer.run().table)
    changes = np.zeros((toy.num_examples, *trainer.initial_table.shape))
    rows = trainer.block_plan(0).numpy()
    state = trainer.steps.start(trainer.initial_table, config.learning_rate)
    for _ in range(config.epochs):
        for example_id in range(toy.num_examples):
            before = trainer.steps.table(state)
            order = np.full(toy.num_examples, example_id, np.int32)
            state, _ = trainer.steps.run(state, trainer.block_plan(0), order, tf.constant(1))
            touched = np.unique(rows[example_id])
            changes[example_id][touched] += (trainer.steps.table(state) - before)[touched]
    for query in QUERIES:
        whole = tail_probability(trainer.model, rollback.table, query)
        wanted = [whole - tail_probability(trainer.model, rollback.table - change, query) for change in changes]
        np.testing.assert_allclose(rollback.influences([query])[0], wanted, rtol=1e-9, atol=1e-14)


def test_complete_rollback_moves_more_rows_than_gradient_rollback(toy: TripleSet) -> None:
    trainer = Trainer(toy, TrainConfig(dim=3, num_negatives=4, epochs=2, learning_rate=0.05))
    store = RollbackStore(toy.num_examples, 3, "float64")
    partial = GradientRollback(trainer.model, trainer.run(store=store).table, store.to_numpy(), toy)
    complete = CompleteRollback(trainer)
    for query in QUERIES:
        ids = partial.rank(query).example_ids
        found = by_id(complete.rank(query), toy.num_examples)
        assert np.corrcoef(found[ids], by_id(partial.rank(query), toy.num_examples)[ids])[0, 1] > 0.5
        assert not np.allclose(found[ids], by_id(partial.rank(query), toy.num_examples)[ids])


def test_signs_of_noise_are_not_certain(toy: TripleSet) -> None:
    """Not even of the largest of many; those of real effects are."""
    generator = np.random.default_rng(0)
    called = []
    for _ in range(200):
        noise = generator.normal(size=(5, toy.num_examples))
        for effect in (0.0, 30.0):
            values = noise + effect * (np.arange(toy.num_examples) < 6)
            explanation = TripleExplanation(
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


def test_tails_that_cannot_be_predicted(toy: TripleSet) -> None:
    some = dataclasses.replace(toy, candidates=(0, 1, 2))
    config = TrainConfig(dim=3, num_negatives=4, epochs=1)
    trainer = Trainer(some, config)
    store = RollbackStore(toy.num_examples, 3, "float64")
    table = trainer.run(store=store).table
    gradients = TripleGradients(trainer.model, table, some, config)
    explainers: list[Explainer] = [
        GradientRollback(trainer.model, table, store.to_numpy(), some),
        CompleteRollback(trainer),
        Replay(trainer),
        GradientSimilarity(gradients),
        TripleInfluence(gradients, damping=1),
    ]
    for explainer in explainers:
        assert np.isfinite(explainer.rank(Query(3, 0, 2)).influences).all()
        with pytest.raises(InputError, match="'e5' cannot be predicted: it is none of the candidate tails of toy"):
            explainer.rank(Query(3, 0, toy.entities.ids["e5"]))


def test_ensembles(trained: Trained, toy: TripleSet) -> None:
    trainers = [Trainer(toy, TrainConfig(dim=6, num_negatives=5, epochs=2, seed=seed)) for seed in range(3)]
    members = []
    for trainer in trainers:
        store = RollbackStore(toy.num_examples, 6, "float64")
        members.append(GradientRollback(trainer.model, trainer.run(store=store).table, store.to_numpy(), toy))
    query = QUERIES[0]
    # Of one: the method itself.
    alone, itself = Ensemble(members[:1]).rank(query), members[0].rank(query)
    for name in ("example_ids", "influences", "rolled_back"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(itself, name))
    assert alone.probability == itself.probability
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
