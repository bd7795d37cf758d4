"""HeadFactsTask: the facts of the head, ranks filtered by everything known, and the order by shape."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from gr_tf.data.triples import Query, TripleSet
from gr_tf.tasks.head_facts import SHAPES, HeadFactsTask
from gr_tf.training.triple_config import TripleConfig

CONFIG = TripleConfig(dim=4, num_negatives=5, epochs=2, batch_size=16, reciprocal=True)


@pytest.fixture(scope="module")
def task(toy: TripleSet) -> HeadFactsTask:
    return HeadFactsTask(toy, CONFIG)


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_ranks_are_filtered_by_all_parts(toy: TripleSet, part: str) -> None:
    # All tails of the first test triple's question are known from one part.
    head, relation, _ = toy.test[0].tolist()
    more = np.array([(head, relation, tail) for tail in range(len(toy.entities))], np.int32)
    larger: dict[str, Any] = {part: np.concatenate([getattr(toy, part), more])}
    triples = dataclasses.replace(toy, **larger)
    task = HeadFactsTask(triples, CONFIG)
    parameters = task.initial_parameters
    assert task.ranks(parameters, [Query(*toy.test[0].tolist())]) == [1]
    queries = [Query(*map(int, triple)) for triple in triples.test]
    known = {tuple(t) for part in (triples.train, triples.valid, triples.test) for t in part.tolist()}
    rows = task.model.rows_of(triples.test)
    table = parameters.table
    for query, rank, (head, relation, _) in zip(queries, task.ranks(parameters, queries), rows, strict=True):
        scores = (table[head] * table[relation]) @ table[: len(triples.entities)].T
        others = [e for e in range(len(scores)) if e != query.tail and (*query.triple[:2], e) not in known]
        assert rank == 1 + sum(scores[e] > scores[query.tail] for e in others)


def test_the_order_by_shape(toy: TripleSet) -> None:
    train = np.array([[0, 2, 5], [6, 1, 0], [0, 1, 7], [0, 3, 4], [4, 2, 0], [4, 1, 0], [5, 1, 4]], np.int32)
    task = HeadFactsTask(dataclasses.replace(toy, train=train), CONFIG)
    query = Query(0, 1, 4)
    assert task.related(query).tolist() == [0, 1, 2, 3, 4, 5]
    assert task.by_shape(query).tolist() == [5, 4, 3, 2, 1, 0]
    assert task.shapes(query).tolist() == [5, 4, 3, 2, 1, 0]
    assert len(SHAPES) == 6


def test_random_orders_are_of_the_query(task: HeadFactsTask) -> None:
    query = Query(*map(int, task.dataset.test[0]))
    related, order = task.related(query), task.in_random_order(query)
    assert set(order.tolist()) == set(related.tolist())
    np.testing.assert_array_equal(order, task.in_random_order(query))
    orders = {
        tuple(HeadFactsTask(task.dataset, dataclasses.replace(CONFIG, seed=seed)).in_random_order(query).tolist())
        for seed in range(5)
    }
    assert len(orders) > 1
