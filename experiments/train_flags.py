"""Flags of the binaries that read a dataset and train."""

import sys
from typing import Any

from absl import flags

from experiments import model_flags
from gr_tf.constraints import CONSTRAINTS
from gr_tf.data.sources import load_triples
from gr_tf.data.triple_split import TripleSplit
from gr_tf.data.triples import TripleSet
from gr_tf.losses import LOSSES
from gr_tf.training.config import LEARNING_RATE_RULES, OPTIMIZERS, PRESETS, STEPS, TrainConfig

flags.adopt_module_key_flags(model_flags)

# Without a flag, the dataset's own setting (training.config.PRESETS).
_DEFAULTS = TrainConfig()
_CONFIG_FLAGS: tuple[flags.FlagHolder[Any], ...] = (
    model_flags.MODEL,
    flags.DEFINE_enum("loss", None, list(LOSSES), "Loss over the candidates of a step. Default: the dataset's."),
    model_flags.DIM,
    flags.DEFINE_integer("num_negatives", None, "Random candidates of a step. Default: the dataset's."),
    model_flags.EPOCHS,
    flags.DEFINE_enum("optimizer", None, list(OPTIMIZERS), f"Optimizer. Default: {_DEFAULTS.optimizer}."),
    model_flags.LEARNING_RATE,
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
    model_flags.DTYPE,
    flags.DEFINE_enum(
        "constraint",
        None,
        list(CONSTRAINTS),
        f"Projection of the rows after every step. Default: {_DEFAULTS.constraint}.",
    ),
    flags.DEFINE_enum(
        "steps", None, list(STEPS), f"Compute the whole table, or the rows a step touches. Default: {_DEFAULTS.steps}."
    ),
    model_flags.SEED,
    flags.DEFINE_integer(
        "negatives_seed", None, f"Seed of the negatives; 0: the authors' own draw. Default: {_DEFAULTS.negatives_seed}."
    ),
)


def config_of_flags(dataset: str, **instead: Any) -> TrainConfig:
    """The training that the flags ask for, on a dataset of this name; `instead` goes before them."""
    return TrainConfig(**(PRESETS.get(dataset, {}) | asked_settings() | instead))


def asked_settings() -> dict[str, Any]:
    """The settings of TrainConfig that the flags name."""
    return {flag.name: flag.value for flag in _CONFIG_FLAGS if flag.value is not None}


def default_config(dataset: str) -> TrainConfig:
    """The training of a dataset of this name without any flag."""
    return TrainConfig(**PRESETS.get(dataset, {}))


def load_dataset() -> TripleSet:
    """The dataset of the flags; tells what its reader noted."""
    triples = load_triples(
        model_flags.DATASET.value, model_flags.DATA_DIR.value, TripleSplit(seed=model_flags.SPLIT_SEED.value)
    )
    for note in triples.notes:
        print(f"{triples.name}: {note}", file=sys.stderr)
    return triples
