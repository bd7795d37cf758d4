"""Every method explains a head, a relation and a tail, or refuses in one line."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.methods import explainer, method_of, methods_of
from gr_tf.attribution.triple_influence import TripleInfluence
from gr_tf.data.triples import HEAD, RELATION, TAIL, Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.models.probability_gradients import probability_gradients
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

QUERIES = [Query(0, 1, 2, HEAD), Query(3, 0, 3, RELATION), Query(8, 3, 1, TAIL), Query(2, 2, 5, RELATION)]
# Those that average over trainings ask a method of this list.
NAMES = [name for name, method in methods_of("triples").items() if name != "criage" and not method.averages]


@pytest.fixture(scope="module", params=["distmult", "transe"])
def model(request: pytest.FixtureRequest, toy: TripleSet) -> Trained:
    config = TripleConfig(model=request.param, dim=3, num_negatives=5, epochs=3, learning_rate=0.03)
    return train_in_memory(TripleTask(toy, config))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_every_method(model: Trained, name: str) -> None:
    """Several places at once are each alone; the prediction is what is asked."""
    settings: dict[str, Any] = {"influence": {"damping": 1.0}}
    method = explainer(model, name, **settings.get(name, {}))
    together = method.influences(QUERIES)
    for query, found in zip(QUERIES, together, strict=True):
        (alone,) = method.influences([query])
        np.testing.assert_array_equal(found.example_ids, alone.example_ids)
        np.testing.assert_allclose(found.values, alone.values, rtol=0, atol=1e-13)
        (value,) = model.task.value(model.parameters, [query])
        assert found.prediction == pytest.approx(value, rel=1e-12)
        method_of("triples", name).check_query(query)
    of_places = [method.matrix([dataclasses.replace(QUERIES[0], place=place)])[0] for place in range(3)]
    same = [np.array_equal(of_places[0], other) for other in of_places[1:]]
    assert same == ([True, True] if name == "overlap" else [False, False])


def test_gr_o_has_the_same_answer(model: Trained) -> None:
    whole, same = (explainer(model, name) for name in ("gr", "gr-o"))
    for query in QUERIES:
        expected = [i for i in model.task.related(query) if model.task.dataset.train[i, query.place] == query.answer]
        (found,), (of_all,) = same.influences([query]), whole.influences([query])
        assert found.example_ids.tolist() == expected
        np.testing.assert_array_equal(found.values, of_all.values[np.isin(of_all.example_ids, expected)])


def test_criage_refuses_before_any_work(toy: TripleSet) -> None:
    config = TripleConfig(dim=3, num_negatives=5, epochs=2, loss="sigmoid")
    criage = explainer(train_in_memory(TripleTask(toy, config)), "criage")
    for query, part in ((QUERIES[0], "head"), (QUERIES[1], "relation")):
        told = re.escape("criage explains tails only: its Newton step is of the tail's row")
        for refuse in (criage.rank, method_of("triples", "criage").check_query):
            with pytest.raises(InputError, match=f"{told}. For a {part}, use method='gr'"):
                refuse(query)
    assert len(criage.rank(QUERIES[2]).example_ids)


def test_replay_starts_from_the_derivatives_of_the_probabilities(model: Trained) -> None:
    """By finite differences along a direction; mixed places keep their order."""
    table = tf.constant(model.parameters.table)
    gradients = probability_gradients(model.task.model, table, QUERIES).numpy()
    assert gradients.shape == (table.shape[0], len(QUERIES), table.shape[1])
    direction = np.random.default_rng(0).normal(size=table.shape)
    up, down = (model.task.value(Parameters(table.numpy() + step * direction), QUERIES) for step in (1e-6, -1e-6))
    along = np.einsum("rqw,rw->q", gradients, direction)
    np.testing.assert_allclose(along, (up - down) / 2e-6, rtol=1e-6, atol=1e-9)


def test_complete_rollback_changes_the_table(model: Trained) -> None:
    """The probabilities of the table without the rows' changes."""
    method: Any = explainer(model, "rollback-all")
    found = method.influences(QUERIES)
    for example_id in (0, 3, 11):
        table = model.parameters.table.copy()
        np.subtract.at(table, method._rows[example_id], method._deltas[example_id])
        expected = model.task.value(Parameters(table), QUERIES)
        np.testing.assert_allclose([one.without[example_id] for one in found], expected, rtol=0, atol=1e-13)


def test_influence_with_the_rows_of_the_question(model: Trained) -> None:
    """The block of a question is that of the rows that score it."""
    method = TripleInfluence(model, block="query", damping=1.0)
    for query in QUERIES[:2]:
        rows = np.unique(model.task.model.rows_of(np.array(query.triple)))
        width = model.task.model.width
        places = (rows[:, None] * width + np.arange(width)).reshape(-1)
        gradients = method._gradients
        block = gradients.hessian[np.ix_(places, places)] + np.eye(len(places))
        expected = gradients.train[:, places] @ np.linalg.solve(block, gradients.of(query)[places])
        (found,) = method.influences([query])
        scale = found.prediction / model.task.num_examples
        np.testing.assert_allclose(found.values, expected * scale, rtol=1e-9, atol=1e-12)


def test_random_neighbours_differ_by_place(model: Trained) -> None:
    """The tail's are as they were when only tails could be asked."""
    nh = explainer(model, "nh", seed=3)
    query = Query(8, 3, 1)
    ids = model.task.related(query)
    np.testing.assert_array_equal(
        nh.influences([query])[0].values, np.random.default_rng([3, 8, 3, 1]).random(len(ids))
    )
    others = [nh.influences([dataclasses.replace(query, place=place)])[0] for place in (HEAD, RELATION)]
    for place, other in enumerate(others):
        expected = np.random.default_rng([3, 8, 3, 1, place]).random(len(ids))
        np.testing.assert_array_equal(other.values, expected)
