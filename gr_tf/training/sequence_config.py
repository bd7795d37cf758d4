"""The settings of one training of a sequential recommender."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.models.sequence_recommender import NAMES, SequenceRecommender
from gr_tf.training.config import DTYPES

# What differs from SequenceTrainConfig's defaults, by protocol.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "published": {},
    "proper": {
        "train_embeddings": True,
        "shuffle": True,
        "patience": 5,
        "kept_epochs": tuple(range(2, 51, 2)),
    },
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequenceTrainConfig:
    """One training run; the defaults are the published code's.

    Attributes:
        dim: of the item embeddings.
        hidden: units of the LSTM.
        epochs: passes over the training sequences.
        batch_size: sequences of a step.
        learning_rate: Adam's, constant.
        l2: added to each gradient, times the parameter (half of it is the penalty's factor).
        train_embeddings: whether the embeddings are trained; else they stay at their initial values.
        shuffle: whether each epoch has an order of its own; else it is the data's.
        patience: the training ends after so many epochs without a better validation MRR, and the best epoch's
            parameters are the result; None: it ends after `epochs`, with the last's.
        kept_epochs: after which epochs the parameters are kept for TracIn, up to the result's.
        dtype: "float32" or "float64".
        seed: of the initial values and the orders.
    """

    dim: int = 128
    hidden: int = 64
    epochs: int = 50
    batch_size: int = 1024
    learning_rate: float = 0.001
    l2: float = 1e-5
    train_embeddings: bool = False
    shuffle: bool = False
    patience: int | None = None
    kept_epochs: tuple[int, ...] = (15, 45)
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise InputError(f"dtype must be one of {', '.join(DTYPES)}; got {self.dtype!r}.")
        for name, lowest, highest in (
            ("dim", 1, 1 << 14),
            ("hidden", 1, 1 << 14),
            ("epochs", 1, 1 << 20),
            ("batch_size", 1, 1 << 20),
            ("seed", 0, (1 << 31) - 1),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise InputError(f"{name} must be from {lowest} to {highest}; got {value}.")
        if self.patience is not None and self.patience < 1:
            raise InputError(f"patience must be at least 1; got {self.patience}.")
        for epoch in self.kept_epochs:
            if not 1 <= epoch <= self.epochs:
                raise InputError(f"kept_epochs must be from 1 to {self.epochs}; got {epoch}.")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"learning_rate must be above 0 and at most 1; got {self.learning_rate}.")
        if not 0 <= self.l2 < float("inf"):
            raise InputError(f"l2 must be a number of at least 0; got {self.l2}.")

    def make_model(self, sequences: SequenceSet, dtype: str | None = None) -> SequenceRecommender:
        """The model of this configuration for a dataset, in its own or another precision."""
        length = sequences.train.histories.shape[1]
        return SequenceRecommender(len(sequences.items), self.dim, self.hidden, length, dtype or self.dtype)

    @property
    def trained_layers(self) -> tuple[str, ...]:
        """The parameters that training moves."""
        return NAMES if self.train_embeddings else NAMES[1:]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**dataclasses.asdict(self), "kept_epochs": list(self.kept_epochs)}

    @classmethod
    def of_dict(cls, settings: Mapping[str, Any]) -> "SequenceTrainConfig":
        """From `to_dict`."""
        return cls(**{**settings, "kept_epochs": tuple(settings["kept_epochs"])})
