"""Hessian-vector products and solvers against explicit matrices and finite differences."""

from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from gr_tf.attribution.hessian import (
    conjugate_gradients,
    explicit_hessian,
    hessian_vector_product,
    newton_cg,
    solve_direct,
)


def bowl(block: Sequence[tf.Tensor]) -> tf.Tensor:
    """Neither quadratic nor separable."""
    first, second = block
    return tf.reduce_sum(tf.tanh(first @ second)) + tf.reduce_sum(first**4) + tf.reduce_sum(tf.sin(second) * second)


def system(eigenvalues: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A symmetric matrix with these eigenvalues, and a right-hand side."""
    generator = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(generator.normal(size=(len(eigenvalues), len(eigenvalues))))
    return basis @ np.diag(eigenvalues) @ basis.T, generator.normal(size=len(eigenvalues))


def test_products_are_those_of_the_second_derivatives() -> None:
    generator = np.random.default_rng(0)
    block = [tf.constant(generator.normal(size=shape)) for shape in ((2, 3), (3, 2))]
    sizes = [6, 6]

    def product(vector: tf.Tensor) -> tf.Tensor:
        parts = [tf.reshape(part, like.shape) for part, like in zip(tf.split(vector, sizes), block, strict=True)]
        return tf.concat([tf.reshape(p, [-1]) for p in hessian_vector_product(bowl, block, parts)], axis=0)

    hessian = explicit_hessian(product, 12)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-14)

    def gradient(flat: np.ndarray) -> np.ndarray:
        parts = [tf.constant(part.reshape(like.shape)) for part, like in zip(np.split(flat, [6]), block, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(parts)
            value = bowl(parts)
        return np.concatenate([g.numpy().ravel() for g in tape.gradient(value, parts)])

    flat = np.concatenate([part.numpy().ravel() for part in block])
    step = 1e-5
    # Central differences: an error of step^2, and roundings of 1e-16 / step.
    columns = [(gradient(flat + step * e) - gradient(flat - step * e)) / (2 * step) for e in np.eye(12)]
    np.testing.assert_allclose(hessian, np.stack(columns, axis=1), atol=1e-8)


def test_a_parameter_that_does_not_count_has_product_zero() -> None:
    block = [tf.constant([1.0, 2.0]), tf.constant([3.0])]
    products = hessian_vector_product(lambda b: tf.reduce_sum(b[0] ** 2), block, block)
    np.testing.assert_array_equal(products[0], [2.0, 4.0])
    np.testing.assert_array_equal(products[1], [0.0])


def test_all_solvers_agree() -> None:
    matrix, rhs = system([0.01, 0.5, 1.0, 3.0, 10.0])
    damping = 1e-3
    want = np.linalg.solve(matrix + damping * np.eye(5), rhs)
    (direct,), (of_direct,) = solve_direct(matrix[None], rhs[None], damping)
    constant = tf.constant(matrix)
    by_cg, of_cg = conjugate_gradients(lambda v: tf.linalg.matvec(constant, v), rhs, damping, tolerance=1e-12)
    by_newton, of_newton = newton_cg(lambda v: tf.linalg.matvec(constant, v), rhs, damping)
    np.testing.assert_allclose(direct, want, rtol=1e-10)
    np.testing.assert_allclose(by_cg, want, rtol=1e-8)
    # The authors' tolerance is on the mean step, 1e-3.
    np.testing.assert_allclose(by_newton, want, atol=1e-3 * 5)
    assert of_direct.condition_number == pytest.approx(10.001 / 0.011, rel=1e-10)
    assert of_direct.smallest_eigenvalue == pytest.approx(0.011, rel=1e-10)
    for told, solution in ((of_direct, direct), (of_cg, by_cg), (of_newton, by_newton)):
        assert told.converged
        assert not told.negative_curvature
        remaining = matrix @ solution + damping * solution - rhs
        assert told.residual == pytest.approx(np.linalg.norm(remaining) / np.linalg.norm(rhs), rel=1e-3, abs=1e-13)


def test_negative_curvature_is_told_and_nothing_is_clamped() -> None:
    matrix, rhs = system([-0.5, 0.5, 1.0, 3.0])
    constant = tf.constant(matrix)
    (direct,), (of_direct,) = solve_direct(matrix[None], rhs[None], 0.0)
    np.testing.assert_allclose(direct, np.linalg.solve(matrix, rhs), rtol=1e-10)
    assert of_direct.negative_curvature
    assert of_direct.smallest_eigenvalue == pytest.approx(-0.5)
    _, of_cg = conjugate_gradients(lambda v: tf.linalg.matvec(constant, v), rhs, 0.0)
    assert of_cg.negative_curvature
    assert not of_cg.converged
    assert of_direct.warnings == ["negative curvature: influences may be wrong, even in sign"]
    assert of_cg.warnings[1].startswith("not solved: relative residual")
    _, of_newton = newton_cg(lambda v: tf.linalg.matvec(constant, v), rhs, 0.0)
    assert of_newton.negative_curvature


def test_a_singular_system_is_not_solved() -> None:
    matrix, rhs = system([0.0, 1.0, 2.0])
    (solution,), (told,) = solve_direct(matrix[None], rhs[None], 0.0)
    assert not told.converged
    assert np.isnan(solution).all()


@pytest.mark.parametrize("size", [6, 34])
def test_singular_up_to_rounding_is_singular(size: int) -> None:
    generator = np.random.default_rng(0)
    factors = generator.normal(size=(200, size, size - 1))
    rhs = generator.normal(size=(200, size))
    solutions, told = solve_direct(factors @ factors.transpose(0, 2, 1), rhs, 0.0)
    assert not any(diagnostics.converged for diagnostics in told)
    assert np.isnan(solutions).all()


def test_conjugate_gradients_stop_when_asked() -> None:
    matrix, rhs = system(np.geomspace(1e-6, 1, 30).tolist())
    constant = tf.constant(matrix)
    _, told = conjugate_gradients(lambda v: tf.linalg.matvec(constant, v), rhs, 0.0, max_iterations=5)
    assert told.iterations == 5
    assert not told.converged
    assert told.residual > 1e-3


def test_a_zero_right_hand_side_is_solved_by_zero() -> None:
    solution, told = conjugate_gradients(lambda v: 2 * v, np.zeros(3), 0.0)
    np.testing.assert_array_equal(solution, np.zeros(3))
    assert told.converged
    assert told.residual == 0
