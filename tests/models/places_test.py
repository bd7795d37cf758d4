"""Answers in each place of a triple are scored as the triples that they make."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.triples import HEAD, RELATION, TAIL, Query
from gr_tf.models import places
from gr_tf.models.factor_model import FactorModel, TrilinearModel
from gr_tf.models.knowledge_graph_models import MODELS
from gr_tf.models.places import alternatives, score_answers
from gr_tf.models.prediction import answer_probabilities, tail_probabilities

CASES = [(name, reciprocal) for name in MODELS for reciprocal in (False, True)]
TRIPLES = np.array([[0, 1, 2], [6, 0, 6], [3, 2, 0], [5, 1, 4]])


@pytest.fixture(params=CASES, ids=[f"{name}{' reciprocal' * reciprocal}" for name, reciprocal in CASES])
def model(request: pytest.FixtureRequest) -> FactorModel:
    name, reciprocal = request.param
    return MODELS[name](7, 3, 4, reciprocal=reciprocal)


@pytest.fixture
def table(model: FactorModel) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(model.num_rows, model.width))


def one_by_one(model: FactorModel, table: np.ndarray, triple: np.ndarray, place: int) -> np.ndarray:
    """The scores of every answer in a triple's place, each from its own three rows."""
    scores = []
    for answer in range(3 if place == RELATION else 7):
        head, relation, tail = (answer if part == place else int(given) for part, given in enumerate(triple))
        rows = [head, 7 + relation, tail]
        if place == HEAD and model.reciprocal:
            rows = [tail, 7 + 3 + relation, head]
        scores.append(float(model.score(*(tf.constant(table[row]) for row in rows))))
    return np.array(scores)


@pytest.mark.parametrize("place", [HEAD, RELATION, TAIL])
@pytest.mark.parametrize("numbers", [1 << 24, 30])
def test_scores(
    model: FactorModel, table: np.ndarray, place: int, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and in parts of a few numbers."""
    monkeypatch.setattr(places, "_NUMBERS_AT_ONCE", numbers)
    scores = score_answers(model, table, TRIPLES, place).numpy()
    expected = np.stack([one_by_one(model, table, triple, place) for triple in TRIPLES])
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-13)


def test_scores_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory at a time is bounded."""
    model = MODELS["transe"](7, 3, 4)
    table = np.random.default_rng(2).normal(size=(model.num_rows, model.width))
    sizes = []
    scores_at = MODELS["transe"].scores_at

    def watch(self: FactorModel, place: int, rows: list[tf.Tensor], answers: tf.Tensor) -> tf.Tensor:
        sizes.append(len(rows[0]) * len(answers) * self.width)
        return scores_at(self, place, rows, answers)

    monkeypatch.setattr(MODELS["transe"], "scores_at", watch)
    monkeypatch.setattr(places, "_NUMBERS_AT_ONCE", 60)
    score_answers(model, table, TRIPLES, HEAD)
    assert sizes == [2 * 7 * 4, 2 * 7 * 4]


@pytest.mark.parametrize("place", [HEAD, RELATION])
def test_alternatives(model: FactorModel, table: np.ndarray, place: int) -> None:
    """The triple's own answer first, then every other one once, in their order."""
    for triple in TRIPLES:
        heads, relations, tails = (tf.gather(table, part) for part in alternatives(model, tuple(triple), place).T)
        scores = one_by_one(model, table, triple, place)
        expected = np.append(scores[triple[place]], np.delete(scores, triple[place]))
        np.testing.assert_allclose(model.score(heads, relations, tails), expected, rtol=1e-12, atol=1e-13)


def test_probabilities_of_many_places(model: FactorModel, table: np.ndarray) -> None:
    """In the order of the queries; tails as they are alone, to the bit."""
    queries = [
        Query(*map(int, (*triple, place))) for triple, place in itertools.product(TRIPLES, (TAIL, HEAD, RELATION))
    ]
    found = answer_probabilities(model, table, queries)
    for query, probability in zip(queries, found, strict=True):
        scores = np.exp(one_by_one(model, table, np.array(query.triple), query.place))
        assert probability == pytest.approx(scores[query.answer] / scores.sum(), rel=1e-12)
    of_tails = [query for query in queries if query.place == TAIL]
    alone = tail_probabilities(model, table, of_tails)
    np.testing.assert_array_equal(answer_probabilities(model, table, of_tails), alone)


@pytest.mark.parametrize("name", [name for name, kind in MODELS.items() if issubclass(kind, TrilinearModel)])
def test_trilinear_models_are_linear_in_each_row(name: str) -> None:
    """The promise that products of matrices rest on."""
    model = MODELS[name](7, 3, 4)
    assert isinstance(model, TrilinearModel)
    generator = np.random.default_rng(3)
    rows = [tf.constant(generator.normal(size=(5, model.width))) for _ in range(3)]
    other = tf.constant(generator.normal(size=(5, model.width)))
    for place in (HEAD, RELATION, TAIL):
        changed = [*rows[:place], 2 * rows[place] - 3 * other, *rows[place + 1 :]]
        others = [*rows[:place], other, *rows[place + 1 :]]
        expected = 2 * model.score(*rows) - 3 * model.score(*others)
        np.testing.assert_allclose(model.score(*changed), expected, rtol=1e-10, atol=1e-12)
        vector = model.vector_at(place, rows)
        np.testing.assert_allclose(tf.reduce_sum(vector * rows[place], axis=1), model.score(*rows), rtol=1e-10)
