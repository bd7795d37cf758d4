"""Flags of the binaries that read ratings and train."""

import sys
from typing import Any

from absl import flags

from experiments import model_flags
from gr_tf.attribution.fia_settings import DECAYS, FiaSettings
from gr_tf.attribution.hessian import SOLVERS
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.errors import InputError
from gr_tf.training.rating_config import RatingTrainConfig, rating_preset

flags.adopt_module_key_flags(model_flags)

_DEFAULTS = RatingTrainConfig()
_STEPS = flags.DEFINE_integer(
    "training_steps", None, "Of Adam. If none are given: the paper's, 80000 (mf), 120000 (ncf)."
)
RETRAINING_STEPS = flags.DEFINE_integer(
    "retraining_steps", None, "Steps of a retraining. Default: the paper's, 24000 (mf) and 18000 (ncf).", lower_bound=1
)
_CONFIG_FLAGS: tuple[flags.FlagHolder[Any], ...] = (
    model_flags.DIM,
    model_flags.BATCH_SIZE,
    model_flags.LEARNING_RATE,
    flags.DEFINE_float("weight_decay", None, f"Default: {_DEFAULTS.weight_decay}."),
    model_flags.DTYPE,
    model_flags.SEED,
)
_FIA = FiaSettings()
_DAMPING = flags.DEFINE_float("damping", _FIA.damping, "Added to the Hessian's diagonal.")
_SOLVER = flags.DEFINE_enum(
    "solver", _FIA.solver, list(SOLVERS), "; ".join(f"{name}: {what}" for name, what in SOLVERS.items()) + "."
)
_DECAY = flags.DEFINE_enum(
    "decay",
    _FIA.decay,
    list(DECAYS),
    "The weight decay in the Hessian; " + "; ".join(f"{name}: {what}" for name, what in DECAYS.items()) + ".",
)
_PENALTY_IN_GRADIENT = flags.DEFINE_bool(
    "penalty_in_gradient",
    _FIA.penalty_in_gradient,
    "Whether a rating's gradient has the weight decay's part, as in the authors' runs.",
)


def split_of_flags() -> RatingSplit:
    """How the ratings are split."""
    return RatingSplit(min_interactions=model_flags.MIN_INTERACTIONS.value, seed=model_flags.SPLIT_SEED.value)


def config_of_flags(**instead: Any) -> RatingTrainConfig:
    """The training that the flags ask for; `instead` goes before them."""
    model = model_flags.MODEL.value or _DEFAULTS.model
    return RatingTrainConfig(**(rating_preset(_dataset(), model) | asked_settings() | instead))


def asked_settings() -> dict[str, Any]:
    """The settings of RatingTrainConfig that the flags name."""
    asked = {flag.name: flag.value for flag in (model_flags.MODEL, *_CONFIG_FLAGS) if flag.value is not None}
    return asked if _STEPS.value is None else asked | {"steps": _STEPS.value}


def fia_settings() -> dict[str, Any]:
    """FiaSettings' arguments that the flags ask for."""
    return {
        "damping": _DAMPING.value,
        "solver": _SOLVER.value,
        "decay": _DECAY.value,
        "penalty_in_gradient": _PENALTY_IN_GRADIENT.value,
    }


def asked_fia_settings(**defaults: Any) -> FiaSettings:
    """FiaSettings of the flags that are named; `defaults` for those that are not."""
    asked = {name: value for name, value in fia_settings().items() if flags.FLAGS[name].present}
    return FiaSettings(**(defaults | asked))


def refuse_fia_settings() -> None:
    """
    Raises:
        InputError: if a flag of FIA's settings is given.
    """
    for name in fia_settings():
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} is not for this: each method has the settings of its name.")


def load_dataset() -> RatingSet:
    """The ratings of the flags; tells what their reader noted."""
    ratings = load_ratings(_dataset(), model_flags.DATA_DIR.value, split_of_flags())
    for note in ratings.notes:
        print(f"{ratings.name}: {note}", file=sys.stderr)
    return ratings


def _dataset() -> str:
    return model_flags.DATASET.value or "movielens-100k"
