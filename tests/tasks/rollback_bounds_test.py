"""Bounds of what is predicted without a training triple: true of each, and close of those that changed little."""

import dataclasses
import itertools

import numpy as np
import pytest

from gr_tf.data.triples import HEAD, RELATION, TAIL, Query, TripleSet
from gr_tf.models.factor_model import FactorModel
from gr_tf.tasks import rollback_bounds, triple_rollback
from gr_tf.tasks.rollback_bounds import norms_of
from gr_tf.tasks.triple_rollback import TripleRollback
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

QUICK = [("complex", False, "float32", 0), ("distmult", True, "float64", 1024)]
QUERIES = [
    Query(*triple, place)
    for triple in [(0, 1, 2), (3, 0, 3), (8, 3, 1), (2, 2, 5), (4, 1, 7)]
    for place in (HEAD, RELATION, TAIL)
]


CASES = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow)
    for case in itertools.product(("distmult", "complex", "simple"), (False, True), ("float32", "float64"), (0, 1024))
]
# Changes by size; the largest are far beyond any first order.
SIZES = np.array([1e-4, 0.05, 3.0])


@pytest.mark.parametrize(("name", "reciprocal", "dtype", "few"), CASES)
def test_bounds(
    toy: TripleSet, name: str, reciprocal: bool, dtype: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Self-loops changed their row twice."""
    monkeypatch.setattr(triple_rollback, "_FEW_SCORES", 0)
    monkeypatch.setattr(rollback_bounds, "_FEW", few)
    model: FactorModel = TripleTask(toy, TripleConfig(model=name, dim=6)).model
    model = dataclasses.replace(model, reciprocal=reciprocal)
    generator, rows = np.random.default_rng(2), 4 if reciprocal else 3
    table = generator.normal(scale=0.5, size=(model.num_rows, model.width)).astype(dtype)
    which = generator.integers(len(SIZES), size=toy.num_examples)
    deltas = generator.normal(size=(toy.num_examples, rows, model.width)) * SIZES[which][:, None, None]
    rolled_back = TripleRollback(model, table, deltas.astype(dtype), toy)
    widest = np.zeros(len(SIZES))
    for query in QUERIES:
        ids = toy.related(query)
        before, after = rolled_back.without(query, ids)
        falls = np.asarray(before - after, np.float64)
        bounds = rolled_back.bounds(query, ids)
        assert bounds is not None
        lower, upper = bounds.refine(np.arange(len(ids)))
        for below, above in ((bounds.lower, bounds.upper), (lower, upper)):
            assert (below <= falls).all()
            assert (falls <= above).all()
        np.maximum.at(widest, which[ids], (upper - lower) / before)
    # Changes of answers' rows that hardly matter are bounded by their norms, roughly.
    assert widest[0] < (1e-3 if dtype == "float32" else 1e-4)
    assert widest[1] < 0.2
    assert widest[2] > 0.2


def test_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollback_bounds, "_AT_ONCE", 3)
    deltas = np.random.default_rng(0).normal(size=(8, 3, 5))
    np.testing.assert_allclose(norms_of(deltas), np.linalg.norm(deltas, axis=2), rtol=1e-12)
