"""Systems that are solved together, against numpy.linalg.solve."""

import numpy as np
import pytest

from gr_tf.attribution.many_systems import solve_together


def positive(size: int) -> np.ndarray:
    root = np.random.default_rng(0).normal(size=(size, size))
    matrix: np.ndarray = root @ root.T * np.geomspace(1e-2, 1e2, size)[:, None] * np.geomspace(1e-2, 1e2, size)
    return matrix


def test_equals_direct_solutions_and_each_system_goes_its_own_way() -> None:
    matrix, damping = positive(12), 0.3
    rhs = np.random.default_rng(1).normal(size=(4, 12))
    rhs[2] = 0

    def product(vectors: np.ndarray) -> np.ndarray:
        return np.stack([matrix @ vector for vector in vectors])

    limits = {"tolerance": 1e-11, "max_iterations": 200}
    found, told = solve_together(product, rhs, damping, np.diag(matrix), **limits)  # type: ignore[arg-type]
    wanted = np.linalg.solve(matrix + damping * np.eye(12), rhs.T).T
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-12)
    assert [one.converged for one in told] == [True] * 4
    assert [bool(one.iterations) for one in told] == [True, True, False, True]
    assert max(one.residual for one in told) < 1e-9
    alone, _ = solve_together(product, rhs[1:2], damping, np.diag(matrix), **limits)  # type: ignore[arg-type]
    np.testing.assert_array_equal(alone[0], found[1])


def test_the_diagonal_helps() -> None:
    matrix, rhs = positive(12), np.ones((1, 12))
    counts = []
    for diagonal in (np.diag(matrix), np.full(12, 1.0)):
        _, (told,) = solve_together(lambda x: x @ matrix, rhs, 1e-3, diagonal, tolerance=1e-8, max_iterations=1_000)
        counts.append(told.iterations or 0)
    assert 0 < counts[0] < counts[1]


@pytest.mark.parametrize(("smallest", "damping", "negative"), [(-1.0, 0.1, True), (-1.0, 1.5, False)])
def test_negative_curvature_is_told(smallest: float, damping: float, negative: bool) -> None:
    matrix = np.diag([smallest, 1.0, 2.0])
    _, (told,) = solve_together(
        lambda x: x @ matrix, np.ones((1, 3)), damping, np.ones(3), tolerance=1e-10, max_iterations=50
    )
    assert told.negative_curvature == negative
    assert told.converged == (not negative)


def test_a_system_that_is_not_solved_says_so() -> None:
    matrix = positive(12)
    _, (told,) = solve_together(
        lambda x: x @ matrix, np.ones((1, 12)), 0.0, np.diag(matrix), tolerance=1e-12, max_iterations=2
    )
    assert not told.converged
    assert told.iterations == 2
    assert told.residual > 1e-3
    assert told.warnings == [f"not solved: relative residual {told.residual:.2g}"]
