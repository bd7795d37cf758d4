"""Flags of the binaries that read sequences and train."""

import sys
from typing import Any

from absl import flags

from experiments import model_flags
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import ORDERS, SPLITS, SequenceSet, SequenceSplit
from gr_tf.training.sequence_config import PROTOCOLS, SequenceTrainConfig

flags.adopt_module_key_flags(model_flags)

PROTOCOL = flags.DEFINE_enum(
    "protocol",
    "published",
    list(PROTOCOLS),
    "published: file order, embeddings as they were drawn, all epochs, opponents chosen on test; proper: time order, "
    "embeddings trained, epochs and opponents chosen on validation.",
)
# Without a flag, the protocol's own setting.
_SPLIT_FLAGS: tuple[flags.FlagHolder[Any], ...] = (
    flags.DEFINE_enum(
        "order",
        None,
        list(ORDERS),
        "; ".join(f"{name}: {what}" for name, what in ORDERS.items()) + ". Default: the protocol's.",
    ),
    flags.DEFINE_integer("window", None, "A choice and the choices before it that are looked at. Default: 50."),
)
_CONFIG_FLAGS: tuple[flags.FlagHolder[Any], ...] = (
    model_flags.DIM,
    flags.DEFINE_integer("hidden", None, "Units of the LSTM. Default: 64."),
    model_flags.EPOCHS,
    model_flags.BATCH_SIZE,
    model_flags.LEARNING_RATE,
    flags.DEFINE_float("l2", None, "Added to each gradient, times the parameter. Default: 1e-5."),
    flags.DEFINE_bool("train_embeddings", None, "Default: the protocol's."),
    model_flags.DTYPE,
    model_flags.SEED,
)
_KEPT_EPOCHS = flags.DEFINE_list("kept_epochs", None, "Epochs that TracIn looks at. Default: the protocol's.")


def split_of_flags() -> SequenceSplit:
    """How the ratings become sequences."""
    asked = {flag.name: flag.value for flag in _SPLIT_FLAGS if flag.value is not None}
    interactions = {"min_interactions": model_flags.MIN_INTERACTIONS.value}
    return SequenceSplit(**(SPLITS[PROTOCOL.value] | interactions | asked))


def config_of_flags(**instead: Any) -> SequenceTrainConfig:
    """The training that the flags ask for; `instead` goes before them."""
    asked: dict[str, Any] = {flag.name: flag.value for flag in _CONFIG_FLAGS if flag.value is not None}
    settings = PROTOCOLS[PROTOCOL.value] | asked | instead
    if _KEPT_EPOCHS.value is not None:
        settings["kept_epochs"] = model_flags.whole_numbers(_KEPT_EPOCHS)
    elif "epochs" in settings:
        default = SequenceTrainConfig(**PROTOCOLS[PROTOCOL.value]).kept_epochs
        settings["kept_epochs"] = tuple(epoch for epoch in default if epoch <= settings["epochs"])
    return SequenceTrainConfig(**settings)


def load_dataset() -> SequenceSet:
    """The sequences of the flags; tells what their reader noted."""
    dataset = model_flags.DATASET.value or "movielens-100k"
    sequences = load_sequences(dataset, model_flags.DATA_DIR.value, split_of_flags())
    for note in sequences.notes:
        print(f"{sequences.name}: {note}", file=sys.stderr)
    return sequences
