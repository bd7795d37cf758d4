"""Preconditioned conjugate gradients, against numpy.linalg.solve."""

import numpy as np
import pytest

from gr_tf.attribution.preconditioned_cg import preconditioned_cg


def positive(size: int) -> np.ndarray:
    root = np.random.default_rng(0).normal(size=(size, size))
    matrix: np.ndarray = root @ root.T * np.geomspace(1e-2, 1e2, size)[:, None] * np.geomspace(1e-2, 1e2, size)
    return matrix


def test_equals_the_direct_solution() -> None:
    """Of vectors of any shape."""
    matrix, damping = positive(12), 0.3
    rhs = np.random.default_rng(1).normal(size=(3, 4))

    def product(vector: np.ndarray) -> np.ndarray:
        return (matrix @ vector.reshape(-1)).reshape(vector.shape)

    diagonal = np.diag(matrix).reshape(rhs.shape)
    found, told = preconditioned_cg(product, rhs, damping, diagonal, tolerance=1e-11, max_iterations=200)
    wanted = np.linalg.solve(matrix + damping * np.eye(12), rhs.reshape(-1))
    np.testing.assert_allclose(found.reshape(-1), wanted, rtol=1e-7, atol=1e-12)
    assert told.converged
    assert 0 < (told.iterations or 0) < 200
    assert told.residual < 1e-9
    assert (told.damping, told.negative_curvature, told.warnings) == (damping, False, [])


def test_nothing_to_solve() -> None:
    found, told = preconditioned_cg(
        lambda x: pytest.fail("no product is needed"), np.zeros(3), 0.1, np.ones(3), tolerance=1e-9, max_iterations=5
    )
    assert found.tolist() == [0, 0, 0]
    assert (told.converged, told.iterations, told.residual) == (True, 0, 0.0)


def test_the_diagonal_helps() -> None:
    matrix, rhs = positive(12), np.ones(12)
    counts = []
    for diagonal in (np.diag(matrix), np.full(12, 1.0)):
        _, told = preconditioned_cg(lambda x: matrix @ x, rhs, 1e-3, diagonal, tolerance=1e-8, max_iterations=1_000)
        counts.append(told.iterations or 0)
    assert 0 < counts[0] < counts[1]


@pytest.mark.parametrize(("smallest", "damping", "negative"), [(-1.0, 0.1, True), (-1.0, 1.5, False)])
def test_negative_curvature_is_told(smallest: float, damping: float, negative: bool) -> None:
    matrix = np.diag([smallest, 1.0, 2.0])
    _, told = preconditioned_cg(
        lambda x: matrix @ x, np.ones(3), damping, np.ones(3), tolerance=1e-10, max_iterations=50
    )
    assert told.negative_curvature == negative
    assert told.converged == (not negative)


def test_a_system_that_is_not_solved_says_so() -> None:
    matrix = positive(12)
    _, told = preconditioned_cg(
        lambda x: matrix @ x, np.ones(12), 0.0, np.diag(matrix), tolerance=1e-12, max_iterations=2
    )
    assert not told.converged
    assert told.iterations == 2
    assert told.residual > 1e-3
    assert told.warnings == [f"not solved: relative residual {told.residual:.2g}"]
