"""A head, a relation, and a tail can each be asked for: knowledge, rollback and losses against brute force."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.data.dataset import fields_of, numbers_of, query_of_numbers
from gr_tf.data.triples import HEAD, RELATION, TAIL, Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.parameters import Parameters
from gr_tf.tasks import triple_rollback
from gr_tf.tasks.triple_rollback import TripleRollback
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

TRIPLES = [(0, 1, 2), (3, 0, 3), (8, 3, 1), (2, 2, 5)]
QUERIES = [Query(*triple, place) for triple in TRIPLES for place in (HEAD, RELATION, TAIL)]


class Reciprocal(TripleTask):
    """A task of a model with reciprocal relations, whatever the settings."""

    def __init__(self, dataset: TripleSet, config: TripleConfig, initial: Parameters | None = None) -> None:
        super().__init__(dataset, config, initial)
        self.model: FactorModel = dataclasses.replace(self.model, reciprocal=True)


@pytest.fixture(
    scope="module",
    params=[(name, kind) for name in ("distmult", "complex", "transe", "rotate") for kind in (TripleTask, Reciprocal)],
    ids=lambda case: f"{case[0]} {case[1].__name__}",
)
def task(request: pytest.FixtureRequest, toy: TripleSet) -> TripleTask:
    name, kind = request.param
    made: TripleTask = kind(toy, TripleConfig(model=name, dim=4, num_negatives=5))
    return made


@pytest.fixture(scope="module")
def parameters(task: TripleTask) -> Parameters:
    return Parameters(np.random.default_rng(1).normal(scale=0.7, size=(task.model.num_rows, task.model.width)))


def brute(task: TripleTask, table: np.ndarray, query: Query) -> np.ndarray:
    """The probabilities of every answer, each scored from its own three rows."""
    entities, relations = len(task.dataset.entities), len(task.dataset.relations)
    rows = []
    for answer in range(relations if query.place == RELATION else entities):
        head, relation, tail = task.with_answer(query, answer).triple
        inverse = query.place == HEAD and task.model.reciprocal
        rows.append([tail, entities + relations + relation, head] if inverse else [head, entities + relation, tail])
    scores = task.model.score(*(table[list(part)] for part in zip(*rows, strict=True)))
    shares: np.ndarray = np.exp(scores) / np.exp(scores).sum()
    return shares


def test_values_and_best_answers(task: TripleTask, parameters: Parameters) -> None:
    """Answers that train or valid know are out, by sets."""
    known = {tuple(triple) for part in (task.dataset.train, task.dataset.valid) for triple in part.tolist()}
    values = task.value(parameters, QUERIES)
    for query, value in zip(QUERIES, values, strict=True):
        shares = brute(task, parameters.table, query)
        assert value == pytest.approx(shares[query.answer], rel=1e-12)
        order = [i for i in np.argsort(-shares, kind="stable") if task.with_answer(query, int(i)).triple not in known]
        best = task.best(parameters, query, 3)
        assert [answer for answer, _ in best] == order[:3]
        np.testing.assert_allclose([chance for _, chance in best], shares[order[:3]], rtol=1e-12)
        assert task.top(parameters, query) == order[0]
        assert task.answer_of(query) == (query.head, query.relation, query.tail)[query.place]


@pytest.mark.parametrize("chunk", [1 << 24, pytest.param(9 * 7, marks=pytest.mark.slow)])
def test_rolling_back(task: TripleTask, parameters: Parameters, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each training triple's changes subtracted from the whole table, one at a time and together."""
    rows = 4 if task.model.reciprocal else 3
    monkeypatch.setattr(triple_rollback, "_CHUNK_NUMBERS", chunk)
    triples, table = task.dataset, parameters.table
    deltas = np.random.default_rng(4).normal(scale=0.2, size=(triples.num_examples, rows, task.model.width))
    changed = task.model.rows_of(triples.train)
    inverse = len(triples.entities) + len(triples.relations) + triples.train[:, 1:2]
    if rows == 4:
        changed = np.concatenate([changed, inverse], axis=1)
    rolled_back = TripleRollback(task.model, table, deltas, triples)

    def without(example_ids: Any, query: Query) -> float:
        left = table.copy()
        np.subtract.at(left, changed[list(example_ids)], deltas[list(example_ids)])
        return float(brute(task, left, query)[query.answer])

    for query in QUERIES[:9]:
        ids = triples.related(query)
        before, after = rolled_back.without(query, ids)
        assert before == pytest.approx(brute(task, table, query)[query.answer], rel=1e-12)
        np.testing.assert_allclose(after, [without([i], query) for i in ids], rtol=0, atol=1e-13)
        assert rolled_back.together(query, ids[:7]) == pytest.approx(without(ids[:7], query), abs=1e-13)
        nothing, none = rolled_back.without(query, ids[:0])
        assert nothing == pytest.approx(before, rel=1e-12)
        assert len(none) == 0
    own_before, own_after = rolled_back.own(np.arange(9))
    for i in range(9):
        asked = triples.query_of(i)
        assert own_before[i] == pytest.approx(brute(task, table, asked)[asked.tail], rel=1e-12)
        assert own_after[i] == pytest.approx(without([i], asked), abs=1e-13)


@pytest.mark.slow
def test_a_self_loop_may_have_changed_its_row_twice(task: TripleTask, parameters: Parameters) -> None:
    """As the head's and as the tail's; it may be the question's, or an answer's."""
    triples = task.dataset
    (loop, *_) = np.flatnonzero(triples.train[:, 0] == triples.train[:, 2])
    deltas = np.random.default_rng(4).normal(scale=0.2, size=(triples.num_examples, 3, task.model.width))
    left = parameters.table.copy()
    np.subtract.at(left, task.model.rows_of(triples.train[loop]), deltas[loop])
    head, relation, _ = map(int, triples.train[loop])
    asked = [(head, relation, 1), (1, relation, head), (head, relation, head), (1, relation, 2)]
    for query in [Query(*map(int, (*triple, place))) for triple in asked for place in (HEAD, RELATION, TAIL)]:
        _, (after,) = TripleRollback(task.model, parameters.table, deltas, triples).without(query, np.array([loop]))
        assert after == pytest.approx(brute(task, left, query)[query.answer], abs=1e-13)


def test_query_losses_are_of_the_answers(task: TripleTask, parameters: Parameters) -> None:
    """-log p, whatever the training's loss; its gradient is that of the value."""
    losses = task.with_config(loss="sigmoid").losses("float64")
    table = tf.constant(parameters.table)
    for query in QUERIES:
        batch = losses.query(query)
        rows = losses.rows(batch)
        with tf.GradientTape() as tape:
            tape.watch(table)
            (loss,) = losses.query_losses(tf.gather(table, rows), (), batch)
        assert np.exp(-loss) == pytest.approx(brute(task, parameters.table, query)[query.answer], rel=1e-12)
        gradient = tf.convert_to_tensor(tape.gradient(loss, table)).numpy()
        direction = np.random.default_rng(6).normal(size=gradient.shape)
        up, down = (
            np.log(brute(task, parameters.table + step * direction, query)[query.answer]) for step in (1e-6, -1e-6)
        )
        assert (gradient * direction).sum() == pytest.approx((down - up) / 2e-6, rel=1e-5, abs=1e-8)


def test_heads_are_all_entities(toy: TripleSet) -> None:
    """Candidates are of tails: a head or a relation may be asked of a triple whose tail is none."""
    task = TripleTask(dataclasses.replace(toy, candidates=(1, 2, 5)), TripleConfig(dim=4))
    parameters = Parameters(np.random.default_rng(1).normal(size=(task.model.num_rows, task.model.width)))
    deltas = np.zeros((toy.num_examples, 3, task.model.width))
    rolled_back = task.rolled_back(parameters, deltas)
    for place in (HEAD, RELATION):
        query = Query(2, 2, 3, place)
        chance = brute(task, parameters.table, query)[query.answer]
        before, after = rolled_back.without(query, np.arange(3))
        np.testing.assert_allclose([before, *after, *task.value(parameters, [query])], chance, rtol=1e-12)
        assert len(task.losses().query(query)[0][0]) == (4 if place == RELATION else 9)
    for refused in (lambda query: rolled_back.without(query, np.arange(3)), task.losses().query):
        with pytest.raises(InputError, match="'e3' cannot be predicted"):
            refused(Query(2, 2, 3))


def test_numbers_and_names_of_queries() -> None:
    """Questions for tails look as before there were others; all survive journals."""
    for query in QUERIES:
        assert query_of_numbers(Query, numbers_of(query)) == query
        assert Query(**fields_of(query)) == query
        assert eval(repr(query)) == query
    assert numbers_of(Query(3, 1, 2)) == [3, 1, 2]
    assert fields_of(Query(3, 1, 2)) == {"head": 3, "relation": 1, "tail": 2}
    assert repr(Query(3, 1, 2)) == "Query(head=3, relation=1, tail=2)"
    assert len({Query(3, 1, 2, place) for place in range(3)}) == 3
    with pytest.raises(ValueError, match="place must be 0, 1, or 2; got 3"):
        Query(0, 0, 0, 3)


def test_questions(toy: TripleSet) -> None:
    task = TripleTask(toy, TripleConfig())
    assert task.read_question(("?", "r1", "e2")) == (Query(0, 1, 2, HEAD), True)
    assert task.read_question(("e3", "?", "e2")) == (Query(3, 0, 2, RELATION), True)
    assert task.read_question(("e3", "r1", "?")) == (Query(3, 1, 0), True)
    assert task.read_question(("e3", "r1", "e2")) == (Query(3, 1, 2), False)
    for parts in (("?", "?", "e1"), ("?", "r1", "?"), ("e1", "?", "?"), ("?", "?", "?")):
        with pytest.raises(
            InputError, match=rf"can be asked for, not several; got '{','.join(parts)}'".replace("?", r"\?")
        ):
            task.read_question(parts)
    with pytest.raises(InputError, match="unknown entity 'nobody'"):
        task.read_question(("?", "r1", "nobody"))


def test_an_entity_that_is_called_a_question_mark(toy: TripleSet) -> None:
    """As a head it is meant by its name; a tail ? asks."""
    names = list(toy.entities.names)
    vocabulary = type(toy.entities)(toy.entities.kind, ("?", *names[1:]))
    task = TripleTask(dataclasses.replace(toy, entities=vocabulary), TripleConfig())
    assert task.read_question(("?", "r1", "e2")) == (Query(0, 1, 2, HEAD), True)
    assert task.read_question((r"\?", "r1", "e2")) == (Query(0, 1, 2), False)
    assert task.read_question((r"\?", "r1", "?")) == (Query(0, 1, 0), True)
    assert task.read_question(("e1", "r1", r"\?")) == (Query(1, 1, 0), False)
    with pytest.raises(InputError, match=r"unknown entity '\\\\\?'"):
        task.read_question((r"\\?", "r1", "e2"))
    assert task.answer_may_be_open(Query(0, 1, 2))
    assert not task.answer_may_be_open(Query(0, 1, 2, RELATION))


def test_nothing_is_left(toy: TripleSet) -> None:
    """If every head or relation is known, that is said in one line."""
    heads = np.array([[head, 1, 2] for head in range(9)])
    relations = np.array([[3, relation, 4] for relation in range(4)])
    full = dataclasses.replace(toy, train=np.concatenate([toy.train, heads, relations]).astype(np.int32))
    task = TripleTask(full, TripleConfig())
    parameters = task.initial_parameters
    with pytest.raises(InputError, match=r"\(\?, r1, e2\) has nothing left to answer: every entity is a known head"):
        task.ask(parameters, ("?", "r1", "e2"))
    with pytest.raises(
        InputError, match=r"\(e3, \?, e4\) has nothing left to answer: every relation is a known relation"
    ):
        task.ask(parameters, ("e3", "?", "e4"))
