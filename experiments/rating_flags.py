"""Flags of the binaries that read ratings and train."""

import sys
from typing import Any

from absl import flags

from gr_tf.attribution.hessian import SOLVERS
from gr_tf.data.rating_sources import RATING_DATASETS, load_ratings
from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.training.config import DTYPES
from gr_tf.training.rating_config import RATING_MODELS, RatingTrainConfig, rating_preset

DATASET = flags.DEFINE_enum("dataset", "movielens-100k", list(RATING_DATASETS), "Ratings.")
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder with the dataset's files. Default: downloaded with tensorflow-datasets."
)
_MIN_INTERACTIONS = flags.DEFINE_integer(
    "min_interactions", RatingSplit().min_interactions, "Users and items with fewer ratings are left out."
)
_SPLIT_SEED = flags.DEFINE_integer("split_seed", RatingSplit().seed, "Seed of the held-out ratings.")
MODEL = flags.DEFINE_enum("model", "mf", list(RATING_MODELS), "Rating model.")
_DEFAULTS = RatingTrainConfig()
_CONFIG_FLAGS: tuple[flags.FlagHolder[Any], ...] = (
    flags.DEFINE_integer("dim", None, f"Number of factors. Default: {_DEFAULTS.dim}."),
    flags.DEFINE_integer("steps", None, "Steps of Adam. Default: the paper's, 80000 (mf) and 120000 (ncf)."),
    flags.DEFINE_integer("batch_size", None, f"Ratings of a step. Default: {_DEFAULTS.batch_size}; yelp 3009."),
    flags.DEFINE_float("learning_rate", None, f"Adam's. Default: {_DEFAULTS.learning_rate}."),
    flags.DEFINE_float("weight_decay", None, f"Default: {_DEFAULTS.weight_decay}."),
    flags.DEFINE_enum("dtype", None, list(DTYPES), f"Precision of training. Default: {_DEFAULTS.dtype}."),
    flags.DEFINE_integer("seed", None, f"Seed of initial values and batches. Default: {_DEFAULTS.seed}."),
)
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 30.0, "How much training a kill may lose, in seconds.", lower_bound=0.0
)
DAMPING = flags.DEFINE_float("damping", 1e-6, "Added to the Hessian's diagonal.")
SOLVER = flags.DEFINE_enum(
    "solver", "direct", list(SOLVERS), "; ".join(f"{name}: {what}" for name, what in SOLVERS.items()) + "."
)
PENALTY_IN_GRADIENT = flags.DEFINE_bool(
    "penalty_in_gradient", True, "Whether a rating's gradient has the weight decay's part, as in the authors' runs."
)


def split_of_flags() -> RatingSplit:
    """How the ratings are split."""
    return RatingSplit(min_interactions=_MIN_INTERACTIONS.value, seed=_SPLIT_SEED.value)


def config_of_flags(**instead: Any) -> RatingTrainConfig:
    """The training that the flags ask for; `instead` goes before them."""
    asked = {flag.name: flag.value for flag in _CONFIG_FLAGS if flag.value is not None}
    return RatingTrainConfig(**(rating_preset(DATASET.value, MODEL.value) | asked | instead))


def load_dataset() -> RatingSet:
    """The ratings of the flags; tells what their reader noted."""
    ratings = load_ratings(DATASET.value, _DATA_DIR.value, split_of_flags())
    for note in ratings.notes:
        print(f"{ratings.name}: {note}", file=sys.stderr)
    return ratings
