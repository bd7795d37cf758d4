"""Hessian-vector products and the systems that influence functions solve with them.

Koh and Liang (2017), "Understanding Black-box Predictions via Influence Functions": H x = b with H the
Hessian of a training loss, which need not be positive definite away from a minimum. Nothing is clamped:
every solution says how large its residual is, and whether it met a direction of negative curvature.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.errors import InputError
from gr_tf.runs.engine import scipy, tf
from gr_tf.types import Tensor

SOLVERS = {
    "direct": "the explicit block, by its eigenvalues",
    "cg": "conjugate gradients with Hessian-vector products",
    "newton_cg": "the same by SciPy's Newton-CG, started and stopped as the authors' (Cheng et al. 2019)",
}
# Of the authors' program: fmin_ncg's avextol and maxiter.
NEWTON_TOLERANCE, NEWTON_ITERATIONS = 1e-3, 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Diagnostics:
    """How a system was solved.

    Attributes:
        solver: a key of SOLVERS.
        damping: added to the diagonal.
        residual: ||H x - b|| / ||b||, damping included.
        iterations: of the solver; None for a direct solve.
        converged: whether the solver's tolerance was met.
        negative_curvature: whether H has a negative eigenvalue (direct), or a direction of negative
            curvature was met (the others cannot rule one out).
        smallest_eigenvalue, condition_number: of H, damping included; None where H is not explicit.
    """

    solver: str
    damping: float
    residual: float
    iterations: int | None = None
    converged: bool = True
    negative_curvature: bool = False
    smallest_eigenvalue: float | None = None
    condition_number: float | None = None

    @property
    def warnings(self) -> list[str]:
        """Reasons to doubt influences that are computed from the solution."""
        return [
            *(["negative curvature: influences may be wrong, even in sign"] if self.negative_curvature else []),
            *([] if self.converged else [f"not solved: relative residual {self.residual:.2g}"]),
        ]


def check_damping(damping: float) -> None:
    """Checks what is added to a diagonal.

    Raises:
        InputError: if it is negative or not finite.
    """
    if not 0 <= damping < float("inf"):
        raise InputError(f"damping must be a number of at least 0; got {damping}.")


def hessian_vector_product(
    loss: Callable[[Sequence[Tensor]], Tensor], block: Sequence[Tensor], vectors: Sequence[Tensor]
) -> list[Tensor]:
    """The Hessian of a loss with respect to a block of parameters, times a vector: reverse over reverse.

    The gradient of (gradient . vector): Pearlmutter (1994), "Fast Exact Multiplication by the Hessian",
    has the forward form, but XLA lacks the third derivatives that TensorFlow's forward mode asks of tf.concat.

    Args:
        loss: scalar function of the block.
        block: tensors of any shapes.
        vectors: tensors of the same shapes.

    Returns:
        Tensors of the same shapes.
    """
    zero = tf.UnconnectedGradients.ZERO
    with tf.GradientTape() as outer:
        outer.watch(block)
        with tf.GradientTape() as inner:
            inner.watch(block)
            value = loss(block)
        # Rows that were gathered have sparse gradients, which cannot be differentiated.
        gradients = [tf.convert_to_tensor(part) for part in inner.gradient(value, block, unconnected_gradients=zero)]
    return list(outer.gradient(gradients, block, output_gradients=vectors, unconnected_gradients=zero))


def explicit_hessian(product: Callable[[Tensor], Tensor], size: int, dtype: str = "float64") -> np.ndarray:
    """The matrix [size, size] of a map of vectors [size], column by column."""
    columns = [np.asarray(product(tf.one_hot(i, size, dtype=dtype))) for i in range(size)]
    return np.stack(columns, axis=1)


def solve_direct(hessians: np.ndarray, rhs: np.ndarray, damping: float) -> tuple[np.ndarray, list[Diagnostics]]:
    """Solves (H + damping I) x = b for a batch of symmetric matrices, by their eigenvalues.

    Args:
        hessians: [batch, n, n].
        rhs: [batch, n].
        damping: at least 0.

    Returns:
        x [batch, n]; not finite where H is singular, which `converged` then tells.
    """
    damped = hessians + damping * np.eye(hessians.shape[-1])
    eigenvalues, vectors = np.linalg.eigh(damped)
    largest = np.abs(eigenvalues).max(axis=-1)
    nearest = np.abs(eigenvalues).min(axis=-1)
    # As numpy.linalg.matrix_rank's.
    singular = nearest <= damped.shape[-1] * np.finfo(damped.dtype).eps * largest
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.einsum("bij,bi->bj", vectors, rhs) / eigenvalues
        solutions = np.einsum("bij,bj->bi", vectors, inner)
        solutions[singular] = np.nan
        residuals = _relative(np.einsum("bij,bj->bi", damped, solutions) - rhs, rhs)
        conditions = largest / nearest
    diagnostics = [
        Diagnostics(
            solver="direct",
            damping=damping,
            residual=float(residual),
            converged=not is_singular,
            negative_curvature=bool(smallest < 0),
            smallest_eigenvalue=float(smallest),
            condition_number=float(condition),
        )
        for residual, is_singular, smallest, condition in zip(
            residuals, singular, eigenvalues[:, 0], conditions, strict=True
        )
    ]
    return solutions, diagnostics


def conjugate_gradients(
    product: Callable[..., Tensor],
    rhs: np.ndarray,
    damping: float,
    *,
    tolerance: float = 1e-10,
    max_iterations: int = 1_000,
    data: Sequence[Tensor] = (),
) -> tuple[np.ndarray, Diagnostics]:
    """Solves (H + damping I) x = b by conjugate gradients, in one graph.

    Hestenes and Stiefel (1952). Stops at the first direction with p . H p <= 0, and says so: H is then
    not positive definite and x is the iterate before that direction.

    Args:
        product: (vector [n], *data) -> H times the vector; traced once for each shape of the data, as long as
            it is the same object (a bound method is a new one each time that it is looked up).
        rhs: [n].
        damping: at least 0.
        tolerance: of ||r|| / ||b||.
        max_iterations: after which the solver stops.
        data: tensors that the product depends on.
    """
    solution, residual, iterations, negative = _compiled_conjugate_gradients()(
        product,
        tf.constant(rhs),
        tf.constant(damping, rhs.dtype),
        tf.constant(tolerance, rhs.dtype),
        tf.constant(max_iterations),
        tuple(data),
    )
    return solution.numpy(), Diagnostics(
        solver="cg",
        damping=damping,
        residual=float(residual),
        iterations=int(iterations),
        converged=bool(residual <= tolerance),
        negative_curvature=bool(negative),
    )


@functools.cache
def _compiled_conjugate_gradients() -> Any:
    """Compiled when first needed: TensorFlow is slow to import."""
    return tf.function(_conjugate_gradients, reduce_retracing=True)


def _conjugate_gradients(
    product: Callable[..., Tensor],
    rhs: Tensor,
    damping: Tensor,
    tolerance: Tensor,
    max_iterations: Tensor,
    data: Sequence[Tensor],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See conjugate_gradients: x, ||H x - b|| / ||b||, iterations, negative curvature."""
    solution, residual, direction = tf.zeros_like(rhs), rhs, rhs
    squared = tf.tensordot(rhs, rhs, 1)
    goal = tf.square(tolerance) * squared
    iterations, negative = tf.constant(0), tf.constant(False)
    while squared > goal and iterations < max_iterations and not negative:
        image = product(direction, *data) + damping * direction
        curvature = tf.tensordot(direction, image, 1)
        if curvature <= 0:
            negative = tf.constant(True)
        else:
            length = squared / curvature
            solution += length * direction
            residual -= length * image
            before = squared
            squared = tf.tensordot(residual, residual, 1)
            direction = residual + squared / before * direction
        iterations += 1
    # Not the recurrence's residual, which drifts from the true one.
    remaining = rhs - (product(solution, *data) + damping * solution)
    return solution, tf.math.divide_no_nan(tf.norm(remaining), tf.norm(rhs)), iterations, negative


def newton_cg(product: Callable[[Tensor], Tensor], rhs: np.ndarray, damping: float) -> tuple[np.ndarray, Diagnostics]:
    """Minimizes x.Hx/2 - b.x by SciPy's Newton-CG as the authors call it: from x = b, to avextol 1e-3.

    Their tolerance is absolute, so that a small b counts as solved at once: see the residual.
    """
    negative = False

    def image(vector: np.ndarray) -> np.ndarray:
        return np.asarray(product(tf.constant(vector))) + damping * vector

    def curved(_: np.ndarray, vector: np.ndarray) -> np.ndarray:
        nonlocal negative
        result = image(vector)
        negative = negative or bool(vector @ result < 0)
        return result

    found = scipy.optimize.minimize(
        lambda x: 0.5 * x @ image(x) - rhs @ x,
        rhs,
        jac=lambda x: image(x) - rhs,
        hessp=curved,
        method="Newton-CG",
        options={"xtol": NEWTON_TOLERANCE, "maxiter": NEWTON_ITERATIONS},
    )
    return found.x, Diagnostics(
        solver="newton_cg",
        damping=damping,
        residual=float(_relative((image(found.x) - rhs)[None], rhs[None])[0]),
        iterations=int(found.nhev),
        converged=bool(found.success),
        negative_curvature=negative,
    )


def _relative(remaining: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """||remaining|| / ||rhs|| along the last axis; 0 for a zero right-hand side that is solved."""
    norms = np.linalg.norm(rhs, axis=-1)
    lengths: np.ndarray = np.linalg.norm(remaining, axis=-1)
    return np.divide(lengths, norms, out=lengths.copy(), where=norms > 0)
