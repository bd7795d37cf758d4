"""Flags of the programs that train on triples only."""

from typing import Any

from absl import flags

from gr_tf.commands import config_flags, data_flags
from gr_tf.data.sources import load_triples
from gr_tf.data.triple_split import TripleSplit
from gr_tf.data.triples import TripleSet
from gr_tf.tasks import kinds
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import PRESETS, TripleConfig

flags.adopt_module_key_flags(data_flags)
config_flags.define({"": TripleConfig})
config_flags.define({"": TripleSplit})
flags.adopt_module_key_flags(config_flags)
RECIPE = flags.DEFINE_enum(
    "recipe",
    "paper",
    ("paper", "own"),
    "What the settings are if no flag says them: the paper's, or those that `gr_tf train` has.",
)


def load_dataset() -> TripleSet:
    """The triples that the flags name, by default Nations; prints their reader's notes."""
    split = TripleSplit(**config_flags.asked(TripleSplit))
    triples = load_triples(data_flags.DATASET.value, data_flags.DATA_DIR.value, split)
    data_flags.tell_notes(triples)
    return triples


def config_of_flags(dataset: str, **instead: Any) -> TripleConfig:
    """The training's settings from the flags, for a dataset of this name; `instead` replaces them."""
    return TripleConfig(**(PRESETS.get(dataset, {}) | config_flags.asked(TripleConfig) | instead))


def default_config(dataset: str) -> TripleConfig:
    """The training's settings for a dataset of this name if no flag is given."""
    return TripleConfig(**PRESETS.get(dataset, {}))


def load_task(**instead: Any) -> TripleTask:
    """The task that the flags name; `instead` replaces their settings."""
    triples = load_dataset()
    if RECIPE.value == "own":
        return TripleTask(triples, kinds.own_config("triples", triples, config_flags.asked(TripleConfig) | instead))
    return TripleTask(triples, config_of_flags(triples.name, **instead))
