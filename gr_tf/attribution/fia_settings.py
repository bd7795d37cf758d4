"""How FIA computes influences (Cheng et al. 2019)."""

import dataclasses
import types

from gr_tf.attribution.hessian import SOLVERS
from gr_tf.settings import Range, Settings

DECAYS = {
    "published": "the mean loss of R_t with the whole weight decay, as in the paper",
    "trained": "the weight decay times n/n', as strong beside R_t's ratings as in the training",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FiaSettings(Settings):
    """How influences are computed.

    Attributes:
        damping: added to the Hessian's diagonal.
        solver: direct: the explicit block, by its eigenvalues; cg: conjugate gradients with Hessian-vector
            products; newton_cg: the same by SciPy's Newton-CG, started and stopped as the authors'.
        decay: the weight decay in the Hessian: trained: n/n' times, as strong beside the query's n' related ratings
            as it was in the training on n; published: the whole weight decay beside their mean loss, as in the
            paper (BUILD_NOTES, "Weight decay in FIA's Hessian").
        penalty_in_gradient: whether a rating's gradient has the weight decay's part, as in the authors' runs.
    """

    damping: float = 1e-6
    solver: str = "direct"
    decay: str = "trained"
    penalty_in_gradient: bool = True

    choices = types.MappingProxyType({"solver": SOLVERS, "decay": DECAYS})
    ranges = types.MappingProxyType({"damping": Range(0)})
