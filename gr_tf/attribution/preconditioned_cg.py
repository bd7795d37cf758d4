"""Conjugate gradients with a preconditioner, for systems whose products are too large for one compiled graph."""

from collections.abc import Callable

import numpy as np

from gr_tf.attribution.hessian import Diagnostics
from gr_tf.runs.progress import progress


def preconditioned_cg(
    product: Callable[[np.ndarray], np.ndarray],
    rhs: np.ndarray,
    damping: float,
    diagonal: np.ndarray,
    *,
    tolerance: float,
    max_iterations: int,
) -> tuple[np.ndarray, Diagnostics]:
    """Solves (H + damping I) x = b; stops at the first direction p with p . H p <= 0, and says so.

    Hestenes and Stiefel (1952), preconditioned by a diagonal.

    Args:
        product: H times a vector of the shape of b.
        rhs: b, float64, of any shape.
        damping: at least 0.
        diagonal: about H's, above -damping; broadcast to b's shape.
        tolerance: of ||r|| / ||b||.
        max_iterations: after which the solver stops.

    Returns:
        x; if it met negative curvature, the iterate before.
    """
    scale, norm = diagonal + damping, np.sqrt(_dot(rhs, rhs))
    solution, residual = np.zeros_like(rhs), rhs.copy()
    direction = residual / scale
    alignment, iterations, negative, done = _dot(residual, direction), 0, False, norm == 0
    with progress("solving, iterations of at most", max_iterations) as bar:
        while not done and iterations < max_iterations:
            image = product(direction) + damping * direction
            iterations += 1
            curvature = _dot(direction, image)
            if curvature <= 0:
                negative = True
                break
            length = alignment / curvature
            solution += length * direction
            residual -= length * image
            scaled, before = residual / scale, alignment
            alignment = _dot(residual, scaled)
            direction = scaled + alignment / before * direction
            done = np.sqrt(_dot(residual, residual)) <= tolerance * norm
            bar.advance()
    # Not the recurrence's residual, which drifts from the true one.
    remaining = rhs - (product(solution) + damping * solution) if iterations else rhs
    relative = float(np.sqrt(_dot(remaining, remaining)) / norm) if norm else 0.0
    return solution, Diagnostics(
        solver="cg",
        damping=damping,
        residual=relative,
        iterations=iterations,
        converged=bool(done and np.isfinite(relative)),
        negative_curvature=negative,
    )


def _dot(left: np.ndarray, right: np.ndarray) -> float:
    # Not BLAS, whose sums depend on the number of its threads.
    return float((left * right).sum())
