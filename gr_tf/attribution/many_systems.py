"""Linear systems with one matrix and several right sides, by preconditioned conjugate gradients.

Hestenes and Stiefel (1952). The products of all systems that are not yet solved are computed together; otherwise each
system goes its own way, so that its solution does not depend on the others.
"""

from collections.abc import Callable

import numpy as np

from gr_tf.attribution.hessian import Diagnostics
from gr_tf.runs.progress import progress


def solve_together(
    product: Callable[[np.ndarray], np.ndarray],
    rhs: np.ndarray,
    damping: float,
    diagonal: np.ndarray,
    *,
    tolerance: float,
    max_iterations: int,
) -> tuple[np.ndarray, list[Diagnostics]]:
    """Solves (H + damping I) x = b for several b. A system stops at its first direction with p . H p <= 0, and says so.

    Args:
        product: H times vectors [m, ...], for any m.
        rhs: [n, ...] float64.
        damping: at least 0.
        diagonal: about H's, above -damping; broadcast to [...].
        tolerance: of ||r|| / ||b||.
        max_iterations: after which a system stops.

    Returns:
        x [n, ...]; of a system that met negative curvature, the iterate before.
    """
    scale = diagonal + damping
    norms = np.sqrt(_dots(rhs, rhs))
    solution, residual = np.zeros_like(rhs), rhs.copy()
    direction = residual / scale
    alignment = _dots(residual, direction)
    iterations, negative = np.zeros(len(rhs), int), np.zeros(len(rhs), bool)
    active = np.flatnonzero(norms)
    with progress("solving", max_iterations) as bar:
        for _ in range(max_iterations):
            if not len(active):
                break
            image = product(direction[active]) + damping * direction[active]
            iterations[active] += 1
            curvature = _dots(direction[active], image)
            negative[active] = curvature <= 0
            image, curvature, active = image[curvature > 0], curvature[curvature > 0], active[curvature > 0]
            for place, turned, along in zip(active, image, curvature, strict=True):
                length = alignment[place] / along
                solution[place] += length * direction[place]
                residual[place] -= length * turned
                scaled = residual[place] / scale
                before, alignment[place] = alignment[place], _dots(residual[place : place + 1], scaled[None])[0]
                direction[place] = scaled + alignment[place] / before * direction[place]
            active = active[np.sqrt(_dots(residual[active], residual[active])) > tolerance * norms[active]]
            bar.advance()
    # Not the recurrence's residuals, which drift from the true ones.
    remaining = rhs - (product(solution) + damping * solution)
    lengths = np.sqrt(_dots(remaining, remaining))
    relative = np.divide(lengths, norms, out=np.zeros_like(lengths), where=norms > 0)
    solved = ~negative & np.isfinite(relative)
    solved[active] = False
    diagnostics = [
        Diagnostics(
            solver="cg",
            damping=damping,
            residual=float(relative[place]),
            iterations=int(iterations[place]),
            converged=bool(solved[place]),
            negative_curvature=bool(negative[place]),
        )
        for place in range(len(rhs))
    ]
    return solution, diagnostics


def _dots(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[n], the dot products of vectors [n, ...]."""
    found: np.ndarray = (left * right).sum(axis=tuple(range(1, left.ndim)))
    return found
