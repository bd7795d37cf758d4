"""The paper's lemmas, with vectors that hypothesis chooses, and its theorems on a small graph."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gr_tf.data.triples import TripleSet
from gr_tf.evaluation import stability
from gr_tf.evaluation.stability import Constants
from gr_tf.models.distmult import DistMult

Table = np.ndarray

# Roundings of sums of a few numbers up to 10.
ROUNDING = 1e-9
NUMBERS = st.floats(-10, 10, allow_subnormal=False)
MAX_NORMS = st.floats(0.1, 3)


def tables(rows: int = 3) -> st.SearchStrategy[Table]:
    """Head, relation and tail, of any direction and length."""
    return hnp.arrays(np.float64, (rows, 4), elements=NUMBERS)


def within(table: Table, max_norm: float) -> Table:
    """The rows brought into the ball."""
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(table * np.minimum(1, max_norm / np.maximum(norms, 1e-300)))


def score(table: Table) -> float:
    return float(np.prod(table, axis=0).sum())


def score_gradient(table: Table) -> Table:
    head, relation, tail = table
    return np.stack([relation * tail, head * tail, head * relation])


def denial(table: Table) -> float:
    return 1 / (1 + math.exp(score(table)))


def denial_gradient(table: Table) -> Table:
    value = denial(table)
    return -value * (1 - value) * score_gradient(table)


@given(tables(), tables(), MAX_NORMS)
def test_lemma_2_score_is_lipschitz(first: Table, second: Table, max_norm: float) -> None:
    first, second = within(first, max_norm), within(second, max_norm)
    allowed = stability.score_constants(max_norm).lipschitz * np.linalg.norm(first - second)
    assert abs(score(first) - score(second)) <= allowed + ROUNDING


@given(tables(), tables(), MAX_NORMS)
def test_lemma_3_score_is_smooth(first: Table, second: Table, max_norm: float) -> None:
    first, second = within(first, max_norm), within(second, max_norm)
    allowed = stability.score_constants(max_norm).smoothness * np.linalg.norm(first - second)
    assert np.linalg.norm(score_gradient(first) - score_gradient(second)) <= allowed + ROUNDING


@given(tables(), tables(), MAX_NORMS)
def test_denial_has_its_constants(first: Table, second: Table, max_norm: float) -> None:
    first, second = within(first, max_norm), within(second, max_norm)
    constants, distance = stability.denial_constants(max_norm), np.linalg.norm(first - second)
    assert abs(denial(first) - denial(second)) <= constants.lipschitz * distance + ROUNDING
    change = np.linalg.norm(denial_gradient(first) - denial_gradient(second))
    assert change <= constants.smoothness * distance + ROUNDING


@given(tables(), tables(), tables(), MAX_NORMS, st.floats(0, 2))
def test_lemma_4_a_step_spreads_what_is_rolled_back(
    first: Table, second: Table, rolled_back: Table, max_norm: float, size: float
) -> None:
    """||G(w) - gamma - G(w')|| <= ||w - gamma - w'|| + a beta ||w - w'||, whatever gamma is."""
    first, second = within(first, max_norm), within(second, max_norm)
    smoothness = stability.denial_constants(max_norm).smoothness
    after = first - size * denial_gradient(first) - rolled_back - (second - size * denial_gradient(second))
    allowed = np.linalg.norm(first - rolled_back - second) + size * smoothness * np.linalg.norm(first - second)
    assert np.linalg.norm(after) <= allowed + ROUNDING


def test_theorem_1_by_hand() -> None:
    """beta c = 1: (1 + 1) / (n - 1) * sqrt(c L^2) * sqrt(T)."""
    assert stability.stability_bound(Constants(3.0, 2.0), 0.5, 100, 11) == pytest.approx(0.2 * math.sqrt(4.5) * 10)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 59), st.integers(0, 1000))
def test_coupled_runs_keep_within_the_bounds(toy: TripleSet, removed: int, seed: int) -> None:
    """At every step of any order, and the theorems' bound on f in the end."""
    model = DistMult(len(toy.entities), len(toy.relations), 5)
    generator = np.random.default_rng(seed)
    table = within(generator.normal(size=(model.num_rows, model.width)), 1)
    order = generator.integers(toy.num_examples, size=300)
    run = stability.coupled_run(model, toy, table, order, removed, rate=0.5)
    constants = stability.denial_constants(run.max_norm)
    bounds = stability.distance_bounds(order, removed, constants, 0.5)
    assert (run.distances <= bounds + ROUNDING).all()
    first = int(np.flatnonzero(order == removed)[0]) if removed in order else len(order)
    assert not run.distances[:first, 0].any()
    if first < len(order):
        # The triple's own step is all the difference there is yet, and rolling back undoes it.
        assert run.distances[first, 0] > 0
        assert run.distances[first, 1] == pytest.approx(0, abs=1e-15)


def test_one_training_triple_is_rolled_back_whole(toy: TripleSet) -> None:
    """Where every step draws the triple, rolling back is never having trained."""
    model = DistMult(len(toy.entities), len(toy.relations), 5)
    table = np.random.default_rng(1).normal(size=(model.num_rows, model.width))
    run = stability.coupled_run(model, toy, table, np.full(50, 7), 7, rate=0.5)
    assert run.distances[-1, 0] > 0.01
    np.testing.assert_allclose(run.distances[:, 1], 0, atol=1e-14)
    assert run.differences[:, 0].max() > 1e-3
    np.testing.assert_allclose(run.differences[:, 1], 0, atol=1e-14)
    train = toy.train
    shared = (train == train[7]).any(axis=1) | (train[:, 0] == train[7, 2]) | (train[:, 2] == train[7, 0])
    assert len(run.differences) == shared.sum()
