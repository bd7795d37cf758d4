"""The settings of one training run."""

import dataclasses
from typing import Any

import numpy as np

from gr_tf.constraints import CONSTRAINTS
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.losses import LOSSES
from gr_tf.models.base import FactorModel
from gr_tf.models.complex import ComplEx
from gr_tf.models.distmult import DistMult
from gr_tf.optimizers import Adam, Optimizer, Sgd

MODELS: dict[str, type[FactorModel]] = {"distmult": DistMult, "complex": ComplEx}
OPTIMIZERS = ("adam", "sgd")
# How steps are computed: the whole table, or the rows they touch (BUILD_NOTES.md, "row Adam").
STEPS = ("auto", "dense", "rows")
DTYPES = ("float64", "float32")
RELEASED_DECAY_RATE = 0.96

# How the learning rate develops (BUILD_NOTES.md, "learning rate").
LEARNING_RATE_RULES = {
    "constant": "the same in every step: what the authors' runs amount to",
    "decay": "times 0.96^(step/1000), as the paper's text has it",
    "released": "constant, but 0.96^(k/1000) lower when the first k training triples are removed",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run; the defaults are those of Nations (Lawrence et al. 2021).

    Attributes:
        model: a key of MODELS.
        loss: a key of LOSSES.
        dim: h, the number of factors of a row.
        num_negatives: random candidates of a step beside the gold tail.
        epochs: passes over the training triples, in file order, one triple a step.
        optimizer: "adam", or "sgd" as in the paper's theory.
        learning_rate: the optimizer's.
        learning_rate_rule: a key of LEARNING_RATE_RULES.
        float32_hyperparameters: round Adam's betas and rate to float32, as in the authors' run.
        dtype: "float64" or "float32".
        constraint: on the rows' norms, one of CONSTRAINTS; needs dense steps.
        steps: "dense", "rows", or "auto": by size.
        seed: of the initial values.
        negatives_seed: of the negatives; 0 is the authors' own draw.
    """

    model: str = "distmult"
    loss: str = "softmax"
    dim: int = 10
    num_negatives: int = 13
    epochs: int = 10
    optimizer: str = "adam"
    learning_rate: float = 0.003
    learning_rate_rule: str = "constant"
    float32_hyperparameters: bool = False
    dtype: str = "float64"
    constraint: str = "none"
    steps: str = "auto"
    seed: int = 0
    negatives_seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (
            ("model", MODELS),
            ("loss", LOSSES),
            ("optimizer", OPTIMIZERS),
            ("constraint", CONSTRAINTS),
            ("steps", STEPS),
            ("learning_rate_rule", LEARNING_RATE_RULES),
            ("dtype", DTYPES),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
        if self.constraint != "none" and self.steps == "rows":
            raise InputError(f"constraint {self.constraint!r} moves every row at every step: it needs steps 'dense'.")
        if self.optimizer == "sgd" and self.steps == "rows":
            raise InputError("steps 'rows' is for optimizer 'adam'.")
        if self.optimizer == "sgd" and self.learning_rate_rule == "decay":
            raise InputError("learning_rate_rule 'decay' is for optimizer 'adam'.")
        for name, lowest, highest in (
            ("dim", 1, 1 << 14),
            ("num_negatives", 1, 1 << 16),
            ("epochs", 1, 1 << 20),
            ("seed", 0, (1 << 32) - 1),
            ("negatives_seed", 0, (1 << 32) - 1),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise InputError(f"{name} must be from {lowest} to {highest}; got {value}.")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"learning_rate must be above 0 and at most 1; got {self.learning_rate}.")

    def make_model(self, triples: TripleSet) -> FactorModel:
        """The model of this configuration for the vocabulary of a dataset."""
        return MODELS[self.model](len(triples.entities), len(triples.relations), self.dim, triples.candidates)

    def make_optimizer(self) -> Optimizer:
        """The optimizer of this configuration."""
        if self.optimizer == "sgd":
            return Sgd()
        adam = Adam(decay_rate=RELEASED_DECAY_RATE if self.learning_rate_rule == "decay" else 1.0)
        return adam.with_float32_hyperparameters() if self.float32_hyperparameters else adam

    def initial_learning_rate(self, removed: np.ndarray) -> float:
        """The rate of the first step of a run that skips the example ids `removed`.

        The authors' program evaluated its decaying rate once, at the first step it did.
        """
        number = np.float32 if self.float32_hyperparameters else np.float64
        rate = number(self.learning_rate)
        if self.learning_rate_rule == "released":
            leading = first_kept(removed)
            rate *= number(RELEASED_DECAY_RATE) ** (number(leading) / number(1000))
        return float(rate)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)


# What differs from Nations' settings, by dataset (spec of Lawrence et al. 2021; precision is ours).
PRESETS: dict[str, dict[str, Any]] = {
    "nations": {},
    "fb15k237": {"dim": 100, "num_negatives": 500, "epochs": 1, "dtype": "float32"},
    "movielens": {
        "dim": 200,
        "num_negatives": 500,
        "epochs": 1,
        "dtype": "float32",
        "loss": "sigmoid",
        "learning_rate": 0.001,  # BUILD_NOTES.md, "MovieLens' learning rate"
    },
}


def first_kept(removed: np.ndarray) -> int:
    """The smallest example id that is not removed."""
    ordered = np.unique(removed)
    gaps = np.flatnonzero(ordered != np.arange(len(ordered)))
    return int(gaps[0]) if len(gaps) else len(ordered)
