"""CRIAGE against its formula and against real Newton steps; GR-O."""

import numpy as np
import pytest

from gr_tf.attribution.criage import Criage
from gr_tf.attribution.rollback import GradientRollback, SameAnswerRollback
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

QUERY = Query(2, 3, 5)


@pytest.fixture(scope="module")
def nations() -> TripleSet:
    return load_triples()


@pytest.fixture(scope="module", params=["distmult", "complex"])
def of_nations(nations: TripleSet, request: pytest.FixtureRequest) -> Trained:
    return train_in_memory(TripleTask(nations, TripleConfig(model=request.param, dim=4, epochs=2, loss="sigmoid")))


def test_is_the_formula(of_nations: Trained, nations: TripleSet) -> None:
    """Each (H - c z z^T)^-1 solved by itself."""
    triples, model, table = nations, of_nations.task.model, of_nations.parameters.table
    explanation = Criage(of_nations).rank(QUERY)
    ids = np.flatnonzero(triples.train[:, 2] == QUERY.tail)
    assert sorted(explanation.example_ids.tolist()) == ids.tolist()
    assert (np.diff(explanation.influences) <= 0).all()
    rows = model.rows_of(triples.train[ids])
    z = np.asarray(model.query_vector(table[rows[:, 0]], table[rows[:, 1]]))
    asked = np.asarray(model.query_vector(table[QUERY.head], table[model.num_entities + QUERY.relation]))
    phi = 1 / (1 + np.exp(-z @ table[QUERY.tail]))
    hessian = sum(p * (1 - p) * np.outer(v, v) for p, v in zip(phi, z, strict=True))
    for example_id, influence in zip(explanation.example_ids, explanation.influences, strict=True):
        i = int(np.flatnonzero(ids == example_id)[0])
        left = hessian - phi[i] * (1 - phi[i]) * np.outer(z[i], z[i])
        assert influence == pytest.approx(asked @ np.linalg.solve(left, (1 - phi[i]) * z[i]), rel=1e-9)


def test_an_example_like_the_query_supports_it(nations: TripleSet) -> None:
    """Removing a training triple lowers its own score: z . A^-1 z > 0."""
    criage = Criage(train_in_memory(TripleTask(nations, TripleConfig(dim=4, epochs=2, loss="sigmoid"))))
    for example_id in (0, 300, 900):
        head, relation, tail = nations.train[example_id].tolist()
        explanation = criage.rank(Query(head, relation, tail))
        assert explanation.influences[explanation.example_ids == example_id] > 0


def test_too_few_triples_of_a_tail_are_told(toy: TripleSet) -> None:
    """The toy's tails have some 7 triples each; a width of 60 leaves every Hessian singular."""
    wide = train_in_memory(TripleTask(toy, TripleConfig(dim=60, num_negatives=3, epochs=1, loss="sigmoid")))
    with pytest.raises(InputError, match=r"CRIAGE cannot be computed for tail 'e5': the Hessian .* singular"):
        Criage(wide).rank(QUERY)
    # With damping it is the formula of the damped Hessian.
    ids = np.flatnonzero(toy.train[:, 2] == QUERY.tail)
    table, model = wide.parameters.table, wide.task.model
    z = np.asarray(model.query_vector(*(table[column] for column in model.rows_of(toy.train[ids]).T[:2])))
    asked = np.asarray(model.query_vector(table[QUERY.head], table[model.num_entities + QUERY.relation]))
    phi = 1 / (1 + np.exp(-z @ table[QUERY.tail]))
    hessian = 0.5 * np.eye(60) + z.T @ ((phi * (1 - phi))[:, None] * z)
    (found,) = Criage(wide, damping=0.5).influences([QUERY])
    for i, influence in enumerate(found.values):
        left = hessian - phi[i] * (1 - phi[i]) * np.outer(z[i], z[i])
        assert influence == pytest.approx(asked @ np.linalg.solve(left, (1 - phi[i]) * z[i]), rel=1e-9)
    with pytest.raises(InputError, match="damping must be"):
        Criage(wide, damping=-1)


def test_gr_o_is_gr_restricted_to_the_tail(trained: Trained, toy: TripleSet) -> None:
    whole, same_tail = GradientRollback(trained).rank(QUERY), SameAnswerRollback(trained).rank(QUERY)
    assert (toy.train[same_tail.example_ids, 2] == QUERY.tail).all()
    kept = np.isin(whole.example_ids, same_tail.example_ids)
    np.testing.assert_array_equal(same_tail.example_ids, whole.example_ids[kept])
    np.testing.assert_array_equal(same_tail.influences, whole.influences[kept])
    assert (toy.train[whole.example_ids[~kept], 2] != QUERY.tail).all()
