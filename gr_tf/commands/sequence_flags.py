"""Flags of the programs that train on sequences only."""

from typing import Any

from absl import flags

from gr_tf.commands import config_flags, data_flags
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SPLITS, SequenceSet, SequenceSplit
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.training.sequence_config import PROTOCOLS, SequenceConfig

flags.adopt_module_key_flags(data_flags)
config_flags.define({"": SequenceConfig})
config_flags.define({"": SequenceSplit})
flags.adopt_module_key_flags(config_flags)

PROTOCOL = flags.DEFINE_enum(
    "protocol",
    "published",
    list(PROTOCOLS),
    "published: file order, embeddings not trained, all epochs, opponents chosen on test; proper: time order, "
    "embeddings trained, epochs and opponents chosen on validation.",
)


def load_dataset() -> SequenceSet:
    """The sequences that the flags name, by default MovieLens-100k; prints their reader's notes."""
    split = SequenceSplit(**(SPLITS[PROTOCOL.value] | config_flags.asked(SequenceSplit)))
    sequences = load_sequences(data_flags.DATASET.value or "movielens-100k", data_flags.DATA_DIR.value, split)
    data_flags.tell_notes(sequences)
    return sequences


def config_of_flags(**instead: Any) -> SequenceConfig:
    """The training's settings from the flags; `instead` replaces them."""
    asked = config_flags.asked(SequenceConfig)
    settings = PROTOCOLS[PROTOCOL.value] | asked | instead
    if "epochs" in settings and "kept_epochs" not in asked:
        default = SequenceConfig(**PROTOCOLS[PROTOCOL.value]).kept_epochs
        settings["kept_epochs"] = tuple(epoch for epoch in default if epoch <= settings["epochs"])
    return SequenceConfig(**settings)


def load_task(**instead: Any) -> SequenceTask:
    """The task that the flags name; `instead` replaces their settings."""
    return SequenceTask(load_dataset(), config_of_flags(**instead))
