"""FIA on a toy: against explicit Hessians, and against real removal."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.base import Explanation
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.fia import Fia
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.hessian import SOLVERS, _compiled_conjugate_gradients, explicit_hessian
from gr_tf.attribution.influence_analysis import InfluenceAnalysis
from gr_tf.attribution.tracin import TracInExplainer
from gr_tf.attribution.training_loss import TrainingLoss
from gr_tf.data.ratings import RatingQuery, Ratings, RatingSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import Trained
from gr_tf.training.rating_config import RATING_MODELS, RatingConfig
from gr_tf.training.rating_decay import RatingDecay
from gr_tf.types import Rows, Tensor

WEIGHT_DECAY = 0.002  # of trained_ratings.
QueryOf = Callable[[Trained], RatingQuery]


def held_out(trained: Trained) -> RatingQuery:
    return RatingQuery(*map(int, trained.task.dataset.test.pairs[3]))


def rated(trained: Trained) -> RatingQuery:
    """A query whose own pair is a training rating."""
    return RatingQuery(*map(int, trained.task.dataset.train.pairs[5]))


def fia_of(trained: Trained, *, network: bool = False, **settings: Any) -> Fia:
    return Fia(trained, FiaSettings(**({"decay": "published"} | settings)), network=network)


def without_decay(trained: Trained) -> Trained:
    return trained.with_task(trained.task.with_config(weight_decay=0.0))


def by_example(explanation: Explanation[RatingQuery]) -> np.ndarray:
    return explanation.influences[np.argsort(explanation.example_ids)]


@pytest.mark.parametrize("query_of", [held_out, rated])
def test_block_is_the_hessian(trained_ratings: Trained, query_of: QueryOf) -> None:
    """The closed form, column by column the automatic one; float64 leaves 1e-12 of values near 1."""
    fia, query = fia_of(trained_ratings), query_of(trained_ratings)
    closed = fia.hessian(query)
    automatic = explicit_hessian(lambda vector: fia.hessian_product(query, vector.numpy()), len(closed))
    np.testing.assert_allclose(closed, automatic, atol=1e-12)


@pytest.mark.parametrize("query_of", [pytest.param(held_out, marks=pytest.mark.slow), rated])
def test_block_as_trained_is_that_of_the_training_loss(trained_ratings: Trained, query_of: QueryOf) -> None:
    """decay="trained": H n'/n is the two rows' block of the whole loss's Hessian; the solvers see the same H."""
    task, parameters = trained_ratings.task, trained_ratings.parameters
    fia, query = fia_of(trained_ratings, decay="trained"), query_of(trained_ratings)
    loss = TrainingLoss(task.model, parameters, task.dataset, RatingDecay.of(task.config, task.model, task.dataset))
    rows = task.model.rows_of(np.array([query.user, query.item]))
    places = (rows[:, None] * task.model.width + np.arange(task.model.width)).ravel()
    units = np.eye(loss.size)[places]
    block = np.stack([loss.product(tf.constant(unit)).numpy()[places] for unit in units])
    share = len(task.dataset.related(query)) / task.dataset.num_examples
    np.testing.assert_allclose(fia.hessian(query) * share, block, atol=1e-12)
    automatic = explicit_hessian(lambda vector: fia.hessian_product(query, vector.numpy()), len(block))
    np.testing.assert_allclose(fia.hessian(query), automatic, atol=1e-12)


@pytest.mark.parametrize("query_of", [pytest.param(held_out, marks=pytest.mark.slow), rated])
def test_solvers_agree(trained_ratings: Trained, query_of: QueryOf) -> None:
    query = query_of(trained_ratings)
    found = {solver: fia_of(trained_ratings, solver=solver, damping=0.05).rank(query) for solver in SOLVERS}
    want = by_example(found["direct"])
    assert not any(explanation.systems[0].warnings for explanation in found.values())
    assert np.abs(want).max() > 0.005
    np.testing.assert_allclose(by_example(found["cg"]), want, atol=1e-8)
    # Newton-CG's tolerance is 1e-3 of the mean step.
    np.testing.assert_allclose(by_example(found["newton_cg"]), want, atol=1e-5)
    assert found["cg"].systems[0].residual < 1e-9


def test_many_large_queries_are_ranked_in_parts(trained_ratings: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    fia = fia_of(trained_ratings)
    queries = [RatingQuery(int(user), int(item)) for user, item in trained_ratings.task.dataset.test.pairs[:5]]
    whole = fia.rank_many(queries)
    monkeypatch.setattr("gr_tf.attribution.fia._NUMBERS_AT_ONCE", 2 * (2 * trained_ratings.task.model.width) ** 2)
    for first, second in zip(fia.rank_many(queries), whole, strict=True):
        assert first.query == second.query
        np.testing.assert_allclose(by_example(first), by_example(second), atol=1e-12)


@pytest.mark.slow
def test_weak_systems_are_solved_as_well_by_conjugate_gradients(trained_ratings: Trained) -> None:
    """Without weight decay the condition number is that of the damping, some 1e6."""
    task = trained_ratings.task
    for pair in task.dataset.test.pairs[:4]:
        found = {
            solver: fia_of(without_decay(trained_ratings), solver=solver).rank(RatingQuery(int(pair[0]), int(pair[1])))
            for solver in ("direct", "cg")
        }
        assert found["cg"].systems[0].converged
        np.testing.assert_allclose(by_example(found["cg"]), by_example(found["direct"]), atol=1e-6)


@pytest.mark.parametrize("penalty", [True, False])
def test_influence_is_the_formula(trained_ratings: Trained, penalty: bool) -> None:
    """-1/n' grad y . H^-1 . grad L(z), every gradient by a tape of its own."""
    task, parameters = trained_ratings.task, trained_ratings.parameters
    query = rated(trained_ratings)
    fia = fia_of(trained_ratings, penalty_in_gradient=penalty, damping=0.01)
    explanation = fia.rank(query)
    rows = tf.constant(parameters.table[task.model.rows_of(np.array([query.user, query.item]))])
    network = [tf.constant(array) for array in parameters.shared]
    solution = None
    for example in [None, *explanation.example_ids]:
        with tf.GradientTape() as tape:
            tape.watch(rows)
            user, item = (query.user, query.item) if example is None else task.dataset.train.pairs[example]
            table_rows = task.model.rows_of(np.array([user, item]))
            user_row = rows[0] if user == query.user else tf.constant(parameters.table[table_rows[0]])
            item_row = rows[1] if item == query.item else tf.constant(parameters.table[table_rows[1]])
            value = task.model.predict(user_row[None], item_row[None], network)[0]
            if example is not None:
                decay = WEIGHT_DECAY / 2 * tf.reduce_sum(tf.square(rows) * task.model.row_penalty)
                value = tf.square(value - task.dataset.train.values[example]) + (decay if penalty else 0)
        gradient = tape.gradient(value, rows).numpy().ravel()
        if example is None:
            size = len(gradient)
            solution = np.linalg.solve(fia.hessian(query) + 0.01 * np.eye(size), gradient)
        else:
            want = -gradient @ solution / len(explanation.example_ids)
            (got,) = explanation.influences[explanation.example_ids == example]
            assert got == pytest.approx(want, abs=1e-9)


def test_sign_and_size_are_those_of_a_real_removal(toy_ratings: RatingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one item, removal is exact: a rating above the prediction supports it, and by so much.

    All ratings of an item whose row alone moves: least squares, whose leave-one-out has the closed
    form e / (1 - leverage); without that factor the influence function's e * leverage is within the leverage.
    """
    generator = np.random.default_rng(0)

    class Mean(RatingModel):
        """A prediction is the item's one number."""

        width = 1
        row_penalty = np.zeros(1)
        network_penalty = ()

        def initial_parameters(self, seed: int) -> Parameters:
            return Parameters(np.zeros((self.num_rows, 1)), ())

        def predict(self, user_rows: Rows, item_rows: Rows, network: Sequence[Tensor]) -> Tensor:
            return item_rows[:, 0] + 0 * user_rows[:, 0]

    values = generator.integers(1, 6, 40).astype(float)
    pairs = np.stack([np.arange(40) % len(toy_ratings.users), np.zeros(40, int)], axis=1).astype(np.int32)
    ratings = dataclasses.replace(toy_ratings, train=Ratings(pairs, values))
    monkeypatch.setitem(RATING_MODELS, "mf", Mean)
    task = RatingTask(ratings, RatingConfig(model="mf", dim=1, weight_decay=0.0, dtype="float64"))
    table = np.zeros((task.model.num_rows, 1))
    table[task.model.num_users] = values.mean()
    trained = Trained(task, Parameters(table), 1)
    explanation = fia_of(trained, damping=1e-9).rank(RatingQuery(0, 0))
    for example, influence in zip(explanation.example_ids, explanation.influences, strict=True):
        without = np.delete(values, example).mean()
        assert influence == pytest.approx((values.mean() - without) * 39 / 40, abs=1e-6)
        assert (influence > 0) == (values[example] > values.mean())


def test_many_queries_are_each_query(trained_ratings: Trained) -> None:
    fia = fia_of(trained_ratings)
    queries = [held_out(trained_ratings), rated(trained_ratings), held_out(trained_ratings)]
    for whole, query in zip(fia.rank_many(queries), queries, strict=True):
        single = fia.rank(query)
        np.testing.assert_array_equal(whole.example_ids, single.example_ids)
        np.testing.assert_allclose(whole.influences, single.influences, atol=1e-13)
    assert fia.rank_many([]) == []


def test_explanation_by_name(trained_ratings: Trained) -> None:
    query = held_out(trained_ratings)
    ratings = trained_ratings.task.dataset
    explanation = fia_of(trained_ratings).rank(query)
    assert sorted(explanation.example_ids) == sorted(ratings.related(query))
    assert (np.diff(explanation.influences) <= 0).all()
    frame = explanation.frame
    np.testing.assert_allclose(frame.prediction_without, frame.prediction - frame.influence)
    np.testing.assert_array_equal(frame.prediction_without, explanation.without)
    pairs = ratings.train.pairs[explanation.example_ids]
    by_item = explanation.only(pairs[:, 0] == query.user).by_size().first(3)
    by_user = explanation.only(pairs[:, 1] == query.item).by_size().first(3)
    assert set(by_item.frame.user) == {ratings.users.names[query.user]}
    assert set(by_user.frame.item) == {ratings.items.names[query.item]}
    assert len(by_item.influences) == 3
    assert (np.diff(np.abs(by_item.influences)) <= 0).all()
    largest = np.abs(explanation.influences[np.isin(explanation.example_ids, ratings.of_user(query.user))]).max()
    assert np.abs(by_item.influences[0]) == largest
    # Not in descending order, those that support are told by sign.
    assert (by_item.first(None).influences >= 0).all()
    assert len(by_item.first(None).influences) == by_item.num_supporting
    for k in (0, -1):
        with pytest.raises(InputError, match=f"k must be at least 1; got {k}"):
            by_user.first(k)


@pytest.mark.slow
def test_network_part_is_that_of_the_explicit_system(trained_ratings: Trained) -> None:
    task, parameters = trained_ratings.task, trained_ratings.parameters
    query, damping = held_out(trained_ratings), 0.3
    whole = fia_of(trained_ratings, network=True, damping=damping).rank(query)
    rows_only = fia_of(trained_ratings, damping=damping).rank(query)
    loss = TrainingLoss(task.model, parameters, task.dataset, RatingDecay.of(task.config, task.model, task.dataset))
    size = loss.size - loss.num_table
    hessian = explicit_hessian(loss.network_product, size) + damping * np.eye(size)
    gradient = loss.prediction_gradient(np.array([query.user, query.item]))[loss.num_table :]
    solution = np.concatenate([np.zeros(loss.num_table), np.linalg.solve(hessian, gradient)])
    examples = np.sort(whole.example_ids)
    train = task.dataset.train
    errors = task.model.predict_pairs(parameters, train.pairs[examples]) - train.values[examples]
    along = np.array([loss.prediction_gradient(pair) @ solution for pair in train.pairs[examples]])
    part = -(2 * errors * along + loss.penalty @ (loss.flat * solution)) / len(train)
    # The network's system is solved to 1e-6.
    np.testing.assert_allclose(by_example(whole) - by_example(rows_only), part, atol=1e-6)
    assert whole.systems[1].converged
    assert len(rows_only.systems) == 1


@pytest.mark.slow
def test_conjugate_gradients_are_traced_once(trained_ratings: Trained) -> None:
    """Queries with R_t of several sizes share a graph."""
    task = trained_ratings.task
    queries = [RatingQuery(int(user), int(item)) for user, item in task.dataset.test.pairs[:6]]
    explainers = (
        fia_of(trained_ratings, solver="cg"),
        fia_of(trained_ratings, network=True, damping=0.3),
        InfluenceAnalysis(trained_ratings, damping=0.3),
    )
    for explainer in explainers:
        # For one size, and for any size.
        for query in queries[:2]:
            explainer.rank(query)
        before = _compiled_conjugate_gradients().experimental_get_tracing_count()
        for query in queries[2:]:
            explainer.rank(query)
        assert _compiled_conjugate_gradients().experimental_get_tracing_count() == before


def test_what_cannot_be_explained(trained_ratings: Trained, toy_ratings: RatingSet) -> None:
    task, parameters = trained_ratings.task, trained_ratings.parameters
    with pytest.raises(InputError, match=r"damping must be a number of at least 0; got -1"):
        fia_of(trained_ratings, damping=-1.0)
    with pytest.raises(InputError, match="damping must be a number of at least 0; got nan"):
        fia_of(trained_ratings, damping=float("nan"))
    with pytest.raises(InputError, match="solver must be one of direct, cg, newton_cg; got 'lu'"):
        fia_of(trained_ratings, solver="lu")
    with pytest.raises(InputError, match="decay must be one of published, trained; got 'none'"):
        fia_of(trained_ratings, decay="none")
    empty = dataclasses.replace(toy_ratings, train=toy_ratings.train.only(toy_ratings.train.pairs.min(axis=1) > 0))
    unexplained = fia_of(trained_ratings.with_task(task.with_dataset(empty)))
    with pytest.raises(InputError, match="user 'u0' and item 'i0' have no training rating"):
        unexplained.rank(RatingQuery(0, 0))
    with pytest.raises(InputError, match="k must be at least 1; got 0"):
        fia_of(trained_ratings).explain(held_out(trained_ratings), 0)
    collapsed = Parameters(np.zeros_like(parameters.table), parameters.shared)
    with pytest.raises(InputError, match=r"the Hessian of user 'u\d+' and item 'i\d+' is singular .* use some damping"):
        fia_of(dataclasses.replace(without_decay(trained_ratings), parameters=collapsed), damping=0.0).rank(
            held_out(trained_ratings)
        )


def test_systems_are_solved_in_float64_whatever_the_training(trained_ratings: Trained) -> None:
    query = held_out(trained_ratings)
    single = trained_ratings.parameters.astype("float32")
    in_float32 = Trained(trained_ratings.task.with_config(dtype="float32"), single, 1)
    in_float64 = Trained(trained_ratings.task, single.astype("float64"), 1)
    got, want = fia_of(in_float32).rank(query), fia_of(in_float64).rank(query)
    np.testing.assert_array_equal(got.example_ids, want.example_ids)
    np.testing.assert_array_equal(got.influences, want.influences)
    assert got.prediction == want.prediction


def test_ensembles_of_ratings_and_of_one(trained_ratings: Trained) -> None:
    """Means of influences and predictions over trainings, a rating that one of them does not consider counting as 0."""
    task = trained_ratings.task
    other = Trained(task, task.train(length=300, seed=1).parameters, 300)
    query, members = held_out(trained_ratings), [fia_of(trained_ratings), fia_of(other)]
    assert members[0].rank(query).prediction != members[1].rank(query).prediction
    alone = Ensemble(members[:1]).rank(query)
    assert alone.standard_errors is None
    np.testing.assert_array_equal(alone.influences, members[0].rank(query).influences)
    whole, ranked = Ensemble(members).rank(query), [member.rank(query) for member in members]
    assert whole.prediction == pytest.approx(np.mean([explanation.prediction for explanation in ranked]))
    assert len(whole.systems) == sum(len(explanation.systems) for explanation in ranked)
    both = np.stack([by_example(explanation) for explanation in ranked])
    np.testing.assert_allclose(by_example(whole), both.mean(axis=0), rtol=1e-12)
    assert whole.standard_errors is not None
    errors = np.abs(both[0] - both[1])[np.searchsorted(np.sort(whole.example_ids), whole.example_ids)] / 2
    np.testing.assert_allclose(whole.standard_errors, errors, rtol=1e-9)
    assert whole.frame.standard_error.tolist() == whole.standard_errors.tolist()
    assert whole.by_size().first(2).sign_is_certain is not None
    # TracIn considers all ratings, FIA those that are related.
    of_all = TracInExplainer(trained_ratings)
    mixed = Ensemble([members[0], of_all]).rank(query)
    unrelated = ~np.isin(mixed.example_ids, ranked[0].example_ids)
    tracin = by_example(of_all.rank(query))
    np.testing.assert_allclose(mixed.influences[unrelated], tracin[mixed.example_ids[unrelated]] / 2, rtol=1e-12)
    assert unrelated.any()
