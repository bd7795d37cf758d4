"""How FIA computes influences (Cheng et al. 2019)."""

import dataclasses

from gr_tf.attribution.hessian import SOLVERS, check_damping
from gr_tf.errors import InputError

DECAYS = {
    "published": "the mean loss of R_t with the whole weight decay, as in the paper",
    "trained": "the weight decay times n/n', as strong beside R_t's ratings as in the training",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FiaSettings:
    """How influences are computed.

    Attributes:
        damping: added to H's diagonal.
        solver: a key of SOLVERS.
        decay: of H, a key of DECAYS. In the training's loss, the mean of all n ratings' errors plus the
            weight decay, the n' of R_t weigh n'/n of what they weigh in the paper's H: "trained" is
            that loss's block, up to the factor n/n' (BUILD_NOTES 62).
        penalty_in_gradient: whether grad L(z) has the weight decay's part, as in the authors' runs.
    """

    damping: float = 1e-6
    solver: str = "direct"
    decay: str = "published"
    penalty_in_gradient: bool = True

    def __post_init__(self) -> None:
        check_damping(self.damping)
        for name, choices in (("solver", SOLVERS), ("decay", DECAYS)):
            value = getattr(self, name)
            if value not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
