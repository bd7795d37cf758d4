"""How influence functions of triples are computed."""

import dataclasses
import types

from gr_tf.settings import Range, Settings

BLOCKS = {"all": "all parameters", "query": "the rows of the query's head, relation, and tail"}
CURVATURES = {
    "auto": "hessian of a small graph, gauss_newton of a large one",
    "hessian": "second derivatives of the training loss, which may have negative eigenvalues",
    "gauss_newton": "the Hessian without the second derivatives of the scores, which has none",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class InfluenceSettings(Settings):
    """How influences are computed: by the explicit Hessian of a small graph, by conjugate gradients of a large one.

    Attributes:
        block: all parameters (all), or the rows of the query's head, relation, and tail (query).
        damping: added to the diagonal of the mean loss's Hessian. Default: 0.01 of a small graph; of a large one a
            tenth of the mean eigenvalue of the Gauss-Newton matrix (Grosse et al. 2023).
        curvature: hessian, which may have negative eigenvalues, or gauss_newton, the Hessian without the second
            derivatives of the scores, which has none; auto: hessian of a small graph, gauss_newton of a large one.
        tolerance: of the conjugate gradients of a large graph, ||H x - b|| / ||b||; the strongest examples are known
            long before the system is solved to many digits.
        max_iterations: after how many the conjugate gradients of a large graph stop.
    """

    block: str = "all"
    damping: float | None = None
    curvature: str = "auto"
    tolerance: float = 0.05
    max_iterations: int = 100

    flag_names = types.MappingProxyType(
        {
            "block": "influence_block",
            "damping": "influence_damping",
            "tolerance": "cg_tolerance",
            "max_iterations": "cg_max_iterations",
        }
    )
    choices = types.MappingProxyType({"block": BLOCKS, "curvature": CURVATURES})
    ranges = types.MappingProxyType(
        {"damping": Range(0), "tolerance": Range(0, 1, above=True), "max_iterations": Range(1, 1 << 20)}
    )
