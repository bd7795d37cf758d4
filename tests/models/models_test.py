"""Models and rankings against their definitions."""

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.known_tails import KnownTails
from gr_tf.data.triples import Query
from gr_tf.models.complex import ComplEx
from gr_tf.models.distmult import DistMult
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.knowledge_graph_models import MODELS
from gr_tf.models.prediction import NO_TAIL, predict_top, tail_probabilities
from gr_tf.models.ranking import filtered_ranks, ranking_metrics, scored_together

MODEL = DistMult(num_entities=7, num_relations=3, dim=5)


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(MODEL.num_rows, MODEL.width))


def test_initial_values_are_uniform_and_the_same_in_both_precisions() -> None:
    model = DistMult(num_entities=400, num_relations=100, dim=20)
    table = model.initial_parameters(3, "float64").table
    assert np.abs(table).max() <= 0.05
    # The standard deviation of uniform(-0.05, 0.05); 10,000 draws give it to about 1%.
    assert table.std() == pytest.approx(0.1 / np.sqrt(12), rel=0.02)
    np.testing.assert_array_equal(model.initial_parameters(3, "float32").table, table.astype(np.float32))
    assert not np.array_equal(model.initial_parameters(4, "float64").table, table)


def test_scoring_all_tails_is_scoring_each_triple(table: np.ndarray) -> None:
    heads, relations = np.array([0, 6, 3]), np.array([2, 0, 0])
    scores = MODEL.score_all_tails(table, heads, relations).numpy()
    for i, (head, relation) in enumerate(zip(heads, relations, strict=True)):
        for tail in range(7):
            expected = (table[head] * table[7 + relation] * table[tail]).sum()
            assert scores[i, tail] == pytest.approx(expected, rel=1e-12)
            one = MODEL.score(table[head], table[7 + relation], table[tail]).numpy()
            assert one == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("model", [model(7, 3, 4) for model in MODELS.values()], ids=list(MODELS))
def test_all_is_derived_from_the_score(model: FactorModel) -> None:
    """Whatever a model computes in a way of its own is what its score says."""
    generator = np.random.default_rng(2)
    head, relation = (tf.constant(generator.normal(size=model.width)) for _ in range(2))
    tails, deltas = (tf.constant(generator.normal(size=(6, model.width))) for _ in range(2))
    each = tf.stack([model.score(head, relation, tail) for tail in tails])
    np.testing.assert_allclose(model.score(head, relation, tails), each, rtol=1e-12)
    np.testing.assert_allclose(model.scores_of_one(head, relation, tails), each, rtol=1e-12)
    np.testing.assert_allclose(model.scores(head[None], relation[None], tails)[0], each, rtol=1e-12)
    lost = each - model.score(head, relation, tails - deltas)
    np.testing.assert_allclose(model.lost_score(head, relation, tails, deltas), lost, rtol=1e-10)

    errors = tf.constant(generator.normal(size=6))
    rows = [head, relation, tails]
    with tf.GradientTape() as tape:
        tape.watch(rows)
        total = tf.reduce_sum(errors * model.score(*rows))
    wanted = tape.gradient(total, rows)
    of_head, of_relation, slopes = model.candidate_gradients(head, relation, tails, errors)
    for ours, want in zip((of_head, of_relation, errors[:, None] * slopes), wanted, strict=True):
        np.testing.assert_allclose(ours, want, rtol=1e-10, atol=1e-12)

    three = tf.stack([head, relation, tails[0]])
    with tf.GradientTape() as tape:
        tape.watch(three)
        score = model.score(three[0], three[1], three[2])
    norms = np.linalg.norm(tape.gradient(score, three), axis=1)
    np.testing.assert_allclose(np.sort(model.score_gradient_norms(*three)), np.sort(norms), rtol=1e-12)


def test_simple_is_the_mean_of_two_products() -> None:
    """Kazemi and Poole (2018), Section 4: of the triple, and of its inverse."""
    model = MODELS["simple"](2, 1, 3)
    head, relation, tail = np.random.default_rng(0).normal(size=(3, 6))
    own = (head[:3] * relation[:3] * tail[3:]).sum()
    inverse = (tail[:3] * relation[3:] * head[3:]).sum()
    assert model.score(head, relation, tail).numpy() == pytest.approx((own + inverse) / 2, rel=1e-12)


def test_top_prediction_skips_known_tails(table: np.ndarray) -> None:
    head, relation = np.array([1]), np.array([2])
    scores = MODEL.score_all_tails(table, head, relation).numpy()[0]
    order = np.argsort(-scores)
    known = KnownTails(7, np.array([[1, 2, order[0]], [1, 2, order[1]]]))
    tails, probabilities = predict_top(MODEL, table, known, head, relation)
    assert tails[0] == order[2]
    probability = np.exp(scores[order[2]]) / np.exp(scores).sum()
    assert probabilities[0] == pytest.approx(probability, rel=1e-12)
    queries = [Query(1, 2, int(order[2])), Query(1, 2, int(order[0]))]
    both = np.exp(scores[order[[2, 0]]]) / np.exp(scores).sum()
    np.testing.assert_allclose(tail_probabilities(MODEL, table, queries), both, rtol=1e-12)


def test_nothing_left_to_predict_is_told(table: np.ndarray) -> None:
    known = KnownTails(7, np.array([[1, 2, tail] for tail in range(7)]))
    tails, probabilities = predict_top(MODEL, table, known, np.array([1, 0]), np.array([2, 2]))
    assert tails[0] == NO_TAIL
    assert np.isnan(probabilities[0])
    assert tails[1] != NO_TAIL


def test_filtered_ranks_by_counting(table: np.ndarray) -> None:
    generator = np.random.default_rng(0)
    triples = np.stack([generator.integers(high, size=600) for high in (7, 3, 7)], axis=1)  # more than one chunk
    known_triples = triples[:40]
    ranks = filtered_ranks(MODEL, table, triples, KnownTails(7, known_triples))
    known_set = set(map(tuple, known_triples.tolist()))
    for (head, relation, gold), rank in zip(triples.tolist(), ranks, strict=True):
        scores = MODEL.score_all_tails(table, np.array([head]), np.array([relation])).numpy()[0]
        better = [t for t in range(7) if scores[t] > scores[gold] and (head, relation, t) not in known_set]
        assert rank == 1 + len(better)


def test_fewer_together_where_there_are_many_entities(table: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [scored_together(num_entities) for num_entities in (14, 65_536, 123_000, 1 << 26)] == [512, 512, 272, 1]
    heads, relations, known = np.arange(7).repeat(3), np.tile(np.arange(3), 7), KnownTails(7, np.array([[1, 2, 3]]))
    triples = np.stack([heads, relations, heads[::-1]], axis=1)

    def found() -> list[np.ndarray]:
        return [*predict_top(MODEL, table, known, heads, relations), filtered_ranks(MODEL, table, triples, known)]

    together = found()
    monkeypatch.setattr("gr_tf.models.ranking._MOST_SCORES", 7 * 4)
    for few, all_of_them in zip(found(), together, strict=True):
        np.testing.assert_allclose(few, all_of_them, rtol=1e-12)


def test_ties_have_a_rule() -> None:
    table = np.ones((MODEL.num_rows, MODEL.width))  # all scores are equal
    known = KnownTails(7, np.array([[0, 0, 1], [0, 0, 2]]))
    triples = np.array([[0, 0, 2]])  # five unknown tails and the gold one compete
    for ties, rank in (("optimistic", 1), ("realistic", 3.5), ("pessimistic", 6)):
        assert filtered_ranks(MODEL, table, triples, known, ties).tolist() == [rank]
    with pytest.raises(ValueError, match="ties must be one of"):
        filtered_ranks(MODEL, table, triples, known, "none")


def test_metrics() -> None:
    mrr = (1 + 1 / 2 + 1 / 4 + 1 / 20) / 4
    metrics = ranking_metrics(np.array([1, 2, 4, 20]))
    assert metrics == {"mrr": mrr, "hits_at_1": 0.25, "hits_at_3": 0.5, "hits_at_10": 0.75}


def test_complex_is_the_real_part_of_a_complex_product() -> None:
    model = ComplEx(num_entities=4, num_relations=2, dim=3)
    table = np.random.default_rng(0).normal(size=(model.num_rows, model.width))
    assert model.width == 6
    numbers = table[:, :3] + 1j * table[:, 3:]
    scores = model.score_all_tails(table, np.array([1]), np.array([1])).numpy()[0]
    for tail in range(4):
        expected = (numbers[1] * numbers[4 + 1] * numbers[tail].conj()).sum().real
        assert scores[tail] == pytest.approx(expected, rel=1e-12)
