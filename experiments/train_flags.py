"""Flags of the binaries that read a dataset and train."""

import sys
from typing import Any

from absl import flags

from gr_tf.constraints import CONSTRAINTS
from gr_tf.data.sources import DATASETS, load_triples
from gr_tf.data.triples import TripleSet
from gr_tf.losses import LOSSES
from gr_tf.training.config import DTYPES, LEARNING_RATE_RULES, MODELS, OPTIMIZERS, PRESETS, STEPS, TrainConfig

_DATASET = flags.DEFINE_string(
    "dataset", None, f"Dataset: one of {', '.join(DATASETS)}, or a name for your --data_dir. Default: nations."
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with the dataset's files: train.txt, valid.txt, test.txt.")

# Without a flag, the dataset's own setting (training.config.PRESETS).
_DEFAULTS = TrainConfig()
MODEL = flags.DEFINE_enum("model", None, list(MODELS), f"Scoring function. Default: {_DEFAULTS.model}.")
_CONFIG_FLAGS: tuple[flags.FlagHolder[Any], ...] = (
    MODEL,
    flags.DEFINE_enum("loss", None, list(LOSSES), "Loss over the candidates of a step. Default: the dataset's."),
    flags.DEFINE_integer("dim", None, "Number of factors. Default: the dataset's."),
    flags.DEFINE_integer("num_negatives", None, "Random candidates of a step. Default: the dataset's."),
    flags.DEFINE_integer("epochs", None, "Passes over the training triples. Default: the dataset's."),
    flags.DEFINE_enum("optimizer", None, list(OPTIMIZERS), f"Optimizer. Default: {_DEFAULTS.optimizer}."),
    flags.DEFINE_float("learning_rate", None, f"The optimizer's learning rate. Default: {_DEFAULTS.learning_rate}."),
    flags.DEFINE_enum(
        "learning_rate_rule",
        None,
        list(LEARNING_RATE_RULES),
        "; ".join(f"{name}: {meaning}" for name, meaning in LEARNING_RATE_RULES.items())
        + f". Default: {_DEFAULTS.learning_rate_rule}.",
    ),
    flags.DEFINE_bool(
        "float32_hyperparameters",
        None,
        "Round Adam's betas and learning rate to float32, as in the authors' run. Default: no.",
    ),
    flags.DEFINE_enum("dtype", None, list(DTYPES), "Precision. Default: the dataset's."),
    flags.DEFINE_enum(
        "constraint",
        None,
        list(CONSTRAINTS),
        f"Projection of the rows after every step. Default: {_DEFAULTS.constraint}.",
    ),
    flags.DEFINE_enum(
        "steps", None, list(STEPS), f"Compute the whole table, or the rows a step touches. Default: {_DEFAULTS.steps}."
    ),
    flags.DEFINE_integer("seed", None, f"Seed of the initial values. Default: {_DEFAULTS.seed}."),
)
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 30.0, "How much training a kill may lose, in seconds.", lower_bound=0.0
)


def config_of_flags(dataset: str, **instead: Any) -> TrainConfig:
    """The training that the flags ask for, on a dataset of this name; `instead` goes before them."""
    asked: dict[str, Any] = {flag.name: flag.value for flag in _CONFIG_FLAGS if flag.value is not None}
    return TrainConfig(**(PRESETS.get(dataset, {}) | asked | instead))


def default_config(dataset: str) -> TrainConfig:
    """The training of a dataset of this name without any flag."""
    return TrainConfig(**PRESETS.get(dataset, {}))


def load_dataset() -> TripleSet:
    """The dataset of the flags; tells what its reader noted."""
    triples = load_triples(_DATASET.value, _DATA_DIR.value)
    for note in triples.notes:
        print(f"{triples.name}: {note}", file=sys.stderr)
    return triples
