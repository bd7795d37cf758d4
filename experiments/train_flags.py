"""Flags of the binaries that read a dataset and train."""

import sys
from typing import Any

from absl import flags

from gr_tf.constraints import CONSTRAINTS
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import TripleSet
from gr_tf.losses import LOSSES
from gr_tf.training.config import DTYPES, LEARNING_RATE_RULES, MODELS, OPTIMIZERS, STEPS, TrainConfig

_DATASET = flags.DEFINE_string("dataset", None, "Dataset: nations (the default), or a name for your --data_dir.")
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder with train.txt, valid.txt and test.txt.")
_DEFAULTS = TrainConfig()
_CONFIG_FLAGS = (
    flags.DEFINE_enum("model", _DEFAULTS.model, list(MODELS), "Scoring function."),
    flags.DEFINE_enum("loss", _DEFAULTS.loss, list(LOSSES), "Loss over the candidates of a step."),
    flags.DEFINE_integer("dim", _DEFAULTS.dim, "Number of factors."),
    flags.DEFINE_integer("num_negatives", _DEFAULTS.num_negatives, "Random candidates of a step."),
    flags.DEFINE_integer("epochs", _DEFAULTS.epochs, "Passes over the training triples."),
    flags.DEFINE_enum("optimizer", _DEFAULTS.optimizer, list(OPTIMIZERS), "Optimizer."),
    flags.DEFINE_float("learning_rate", _DEFAULTS.learning_rate, "The optimizer's learning rate."),
    flags.DEFINE_enum(
        "learning_rate_rule",
        _DEFAULTS.learning_rate_rule,
        list(LEARNING_RATE_RULES),
        "; ".join(f"{name}: {meaning}" for name, meaning in LEARNING_RATE_RULES.items()) + ".",
    ),
    flags.DEFINE_bool(
        "float32_hyperparameters",
        _DEFAULTS.float32_hyperparameters,
        "Round Adam's betas and learning rate to float32, as in the authors' run.",
    ),
    flags.DEFINE_enum("dtype", _DEFAULTS.dtype, list(DTYPES), "Precision."),
    flags.DEFINE_enum(
        "constraint", _DEFAULTS.constraint, list(CONSTRAINTS), "Projection of the rows after every step."
    ),
    flags.DEFINE_enum("steps", _DEFAULTS.steps, list(STEPS), "Compute the whole table, or the rows a step touches."),
    flags.DEFINE_integer("seed", _DEFAULTS.seed, "Seed of the initial values."),
)
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 30.0, "How much training a kill may lose, in seconds.", lower_bound=0.0
)


def config_of_flags() -> TrainConfig:
    """The training that the flags ask for."""
    values: dict[str, Any] = {flag.name: flag.value for flag in _CONFIG_FLAGS}
    return TrainConfig(**values)


def load_dataset() -> TripleSet:
    """The dataset of the flags; tells what its reader noted."""
    triples = load_triples(_DATASET.value, _DATA_DIR.value)
    for note in triples.notes:
        print(f"{triples.name}: {note}", file=sys.stderr)
    return triples
