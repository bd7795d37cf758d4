"""A model of a knowledge graph needs its score only: training, ranking, every method and the check are derived."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from gr_tf.attribution.criage import Criage
from gr_tf.attribution.methods import explainer, methods_of
from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Retraining
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.knowledge_graph_models import MODELS
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


@dataclasses.dataclass(frozen=True)
class Nearest(FactorModel):
    """A model of a test's own: the nearer the scaled head is to the tail, the better."""

    def score(self, heads: tf.Tensor, relations: tf.Tensor, tails: tf.Tensor) -> tf.Tensor:
        return -tf.reduce_sum(tf.square(heads * (1 + relations) - tails), axis=-1)


def in_numpy(name: str, head: np.ndarray, relation: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Scores of tails [n, width], as the papers write them."""
    if name == "nearest":
        scores: np.ndarray = -((head * (1 + relation) - tails) ** 2).sum(axis=1)
    elif name == "transe":
        scores = -np.linalg.norm(head + relation - tails, axis=1)
    else:
        dim = len(head) // 2
        numbers, turn = tails[:, :dim] + 1j * tails[:, dim:], np.exp(1j * relation[:dim])
        scores = -np.abs((head[:dim] + 1j * head[dim:]) * turn - numbers).sum(axis=1)
    return scores


@pytest.fixture(scope="module", params=["transe", "rotate", "nearest"])
def trained(request: pytest.FixtureRequest, toy: TripleSet) -> Iterator[Trained]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "nearest", Nearest)
        config = TripleConfig(model=request.param, dim=4, num_negatives=12, epochs=3, learning_rate=0.003)
        task = TripleTask(toy, config)
        # The usual initial values are so near each other that distances have kinks, and first-order methods fail.
        drawn = np.random.default_rng(0).normal(scale=0.6, size=task.initial_parameters.table.shape)
        yield train_in_memory(TripleTask(toy, config, Parameters(drawn)), validating=True)


def probabilities(trained: Trained, table: np.ndarray, query: Query) -> np.ndarray:
    """p of every tail, in NumPy."""
    count = len(trained.task.dataset.entities)
    scores = in_numpy(trained.task.config.model, table[query.head], table[count + query.relation], table[:count])
    exponentials = np.exp(scores - scores.max())
    shares: np.ndarray = exponentials / exponentials.sum()
    return shares


def test_it_learns_and_ranks_by_its_score(trained: Trained) -> None:
    task, table = trained.task, trained.parameters.table
    losses = [epoch.loss for epoch in task.train().history]
    assert losses[-1] < losses[0]
    ranks = []
    for head, relation, tail in task.dataset.test.tolist():
        query = Query(head, relation, tail)
        shares = probabilities(trained, table, query)
        count = len(shares)
        scores = in_numpy(task.config.model, table[head], table[count + relation], table[:count])
        (ours,) = task.model.score_all_tails(table, np.array([head]), np.array([relation]))
        np.testing.assert_allclose(ours, scores, rtol=0, atol=1e-14)
        known = known_from_train_and_valid(task.dataset).mask(np.array([head]), np.array([relation]))[0]
        assert task.value(trained.parameters, [query])[0] == pytest.approx(shares[tail], rel=1e-12)
        assert task.top(trained.parameters, query) == np.where(known, -1, shares).argmax()
        competing = ~known & (np.arange(count) != tail)
        ranks.append(1 + (shares[competing] > shares[tail]).sum())
    told = task.quality(trained.parameters)["test"]
    assert told is not None
    assert told["mrr"] == pytest.approx(np.mean(1 / np.array(ranks)))


@pytest.mark.slow
def test_dense_and_row_steps_agree(trained: Trained) -> None:
    rows = train_in_memory(trained.task.with_config(steps="rows"), length=trained.epoch)
    np.testing.assert_allclose(rows.parameters.table, trained.parameters.table, rtol=0, atol=1e-10)
    assert rows.deltas is not None
    assert trained.deltas is not None
    np.testing.assert_allclose(rows.deltas, trained.deltas, rtol=0, atol=1e-10)


@pytest.fixture(scope="module")
def changes(trained: Trained) -> np.ndarray:
    """How much the prediction of QUERY falls without each example, by retraining."""
    asked = [Retraining.of(trained, [i], "value", [QUERY]) for i in range(trained.task.num_examples)]
    before = trained.task.value(trained.parameters, [QUERY])[0]
    falls = np.zeros(len(asked))
    for place, outcome in retrain(asked, 2, known=[trained]):
        falls[place] = before - outcome.measured[0]
    return falls


QUERY = Query(2, 1, 5)


def test_gradient_rollback_undoes_the_changes(trained: Trained) -> None:
    """Wherever the example's rows are read: as the query's head or tail, or as a candidate."""
    task = trained.task
    assert trained.deltas is not None
    before = probabilities(trained, trained.parameters.table, QUERY)[QUERY.tail]
    ranked = explainer(trained, "gr").rank(QUERY)
    for example_id, influence in zip(ranked.example_ids, ranked.influences, strict=True):
        table = trained.parameters.table.copy()
        np.subtract.at(table, task.model.rows_of(task.dataset.train[example_id]), trained.deltas[example_id])
        after = probabilities(trained, table, QUERY)[QUERY.tail]
        assert influence == pytest.approx(before - after, abs=1e-14)
    own = explainer(trained, "gr").self_influence(np.array([3]))  # a self-loop
    table = trained.parameters.table.copy()
    np.subtract.at(table, task.model.rows_of(task.dataset.train[3]), trained.deltas[3])
    asked = task.query_of(3)
    falls = [probabilities(trained, one, asked)[asked.tail] for one in (trained.parameters.table, table)]
    assert own[0] == pytest.approx(falls[0] - falls[1], abs=1e-14)


# Spearman's correlation with retraining that each method has at least; influence functions want a minimum.
AGREEMENT = {"replay": 0.95, "cosine": 0.7, "dot": 0.7, "tracin": 0.7, "gr": 0.4, "rollback-all": 0.3}


@pytest.mark.slow
def test_every_method_explains_it(trained: Trained, changes: np.ndarray) -> None:
    for name, method in methods_of("triples").items():
        if method.averages:
            continue  # It asks another one of its trainings.
        if name == "criage":
            with pytest.raises(InputError, match="criage explains models that multiply vectors"):
                Criage(trained, any_loss=True)
            continue
        settings = {"first_epoch": 1} if name == "replay" else {}
        (values,) = explainer(trained, name, **settings).matrix([QUERY])
        assert np.isfinite(values).all()
        assert values.any()
        assert stats.spearmanr(values, changes).statistic > AGREEMENT.get(name, -1), name


def test_a_retraining_is_the_training_without(trained: Trained, changes: np.ndarray) -> None:
    removed = int(np.argmax(np.abs(changes)))
    parameters = trained.task.train(removed=[removed], length=trained.epoch).parameters
    fall = trained.task.value(trained.parameters, [QUERY])[0] - trained.task.value(parameters, [QUERY])[0]
    assert fall == changes[removed] != 0


def test_scores_in_parts(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory at a time is bounded; the parts are the whole."""
    task, (heads, relations, _) = trained.task, trained.task.dataset.train.T
    whole = task.model.score_all_tails(trained.parameters.table, heads, relations)
    sizes = []
    scores = task.model.scores

    def watch(heads: tf.Tensor, relations: tf.Tensor, tails: tf.Tensor) -> tf.Tensor:
        sizes.append(len(heads) * len(tails) * task.model.width)
        return scores(heads, relations, tails)

    monkeypatch.setattr("gr_tf.models.factor_model._NUMBERS_AT_ONCE", 500)
    monkeypatch.setattr(type(task.model), "scores", lambda self, *rows: watch(*rows))
    np.testing.assert_array_equal(task.model.score_all_tails(trained.parameters.table, heads, relations), whole)
    assert max(sizes) <= 500
    assert len(sizes) > 4


def test_at_no_distance_gradients_are_finite() -> None:
    """A norm has no derivative at 0; 0 is one of its subgradients."""
    for name in ("transe", "rotate"):
        model = MODELS[name](3, 1, 2)
        zero = tf.zeros([model.width], tf.float64)
        for rows in ([zero, zero, zero], [zero + 1, zero, zero + 1]):
            with tf.GradientTape() as outer, tf.GradientTape() as tape:
                tape.watch(rows)
                outer.watch(rows)
                score = model.score(*rows)
                gradients = tape.gradient(score, rows)
                total = tf.add_n([tf.reduce_sum(part) for part in gradients])
            assert score == 0
            np.testing.assert_array_equal(tf.concat(gradients, axis=0), np.zeros(3 * model.width))
            second = outer.gradient(total, rows, unconnected_gradients="zero")
            assert np.isfinite(tf.concat(second, axis=0)).all()
            assert np.isfinite(model.score_gradient_norms(*rows)).all()


def test_initial_values_of_rotations() -> None:
    """Entities as of every model; angles are uniform in a whole turn, in both precisions from one draw."""
    model = MODELS["rotate"](200, 300, 20)
    table = model.initial_parameters(1, "float64").table
    assert table.shape == (500, 40)
    np.testing.assert_array_equal(table[:200], FactorModel.initial_parameters(model, 1, "float64").table[:200])
    angles = table[200:, :20]
    assert 3.13 < np.abs(angles).max() <= np.pi
    assert angles.std() == pytest.approx(2 * np.pi / np.sqrt(12), rel=0.02)
    assert not table[200:, 20:].any()
    single = model.initial_parameters(1, "float32")
    np.testing.assert_array_equal(single.table, Parameters(table).astype("float32").table)
