"""Flags of the programs that train on ratings only."""

from typing import Any

from absl import flags

from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.commands import config_flags, data_flags, retraining_flag
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.tasks.ratings import RatingTask
from gr_tf.training.rating_config import RatingConfig, rating_preset

flags.adopt_module_key_flags(data_flags)
config_flags.define({"": RatingConfig})
config_flags.define({"": RatingSplit})
config_flags.define({"": FiaSettings})
flags.adopt_module_key_flags(config_flags)
flags.adopt_module_key_flags(retraining_flag)
RETRAINING_STEPS = retraining_flag.RETRAINING_STEPS
_DEFAULT = "movielens-100k"


def load_dataset() -> RatingSet:
    """The ratings that the flags name, by default MovieLens-100k; prints their reader's notes."""
    split = RatingSplit(**config_flags.asked(RatingSplit))
    ratings = load_ratings(data_flags.DATASET.value or _DEFAULT, data_flags.DATA_DIR.value, split)
    data_flags.tell_notes(ratings)
    return ratings


def config_of_flags(**instead: Any) -> RatingConfig:
    """The training's settings from the flags; `instead` replaces them."""
    asked = config_flags.asked(RatingConfig)
    preset = rating_preset(data_flags.DATASET.value or _DEFAULT, asked.get("model", RatingConfig.model))
    return RatingConfig(**(preset | asked | instead))


def load_task(**instead: Any) -> RatingTask:
    """The task that the flags name; `instead` replaces their settings."""
    return RatingTask(load_dataset(), config_of_flags(**instead))


def fia_settings() -> FiaSettings:
    """FIA's settings from the flags."""
    return FiaSettings(**config_flags.asked(FiaSettings))
