"""The settings of one training of a sequential recommender."""

import dataclasses
import types
from typing import Any

from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError, argument
from gr_tf.models.sequence_recommender import SequenceRecommender
from gr_tf.settings import RATE, SEED, Range, Settings
from gr_tf.training.dtypes import DTYPES

SEQUENCE_MODELS = ("lstm",)
# What differs from SequenceConfig's defaults, by protocol.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "published": {},
    "proper": {"train_embeddings": True, "shuffle": True, "patience": 5, "kept_epochs": tuple(range(2, 51, 2))},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SequenceConfig(Settings):
    """One training run; the defaults are the published code's.

    Attributes:
        model: what reads the sequences.
        dim: of the item embeddings.
        hidden: units of the LSTM.
        epochs: passes over the training sequences.
        batch_size: sequences of a step.
        learning_rate: of Adam, constant.
        l2: added to each gradient, times the parameter (half of it is the penalty's factor).
        train_embeddings: whether the embeddings are trained; else they stay at their initial values.
        shuffle: whether each epoch has an order of its own; else it is the data's.
        patience: the training ends after so many epochs without a better validation MRR, and the best epoch's
            parameters are the result; None: it ends after `epochs`, with the last's.
        kept_epochs: after which epochs the parameters are kept for TracIn, up to the result's.
        dtype: precision.
        seed: of the initial values and the orders.
    """

    model: str = "lstm"
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

    choices = types.MappingProxyType({"model": SEQUENCE_MODELS, "dtype": DTYPES})
    ranges = types.MappingProxyType(
        {
            "dim": Range(1, 1 << 14),
            "hidden": Range(1, 1 << 14),
            "epochs": Range(1, 1 << 20),
            "batch_size": Range(1, 1 << 20),
            "patience": Range(1, 1 << 20),
            "seed": SEED,
            "learning_rate": RATE,
            "l2": Range(0),
        }
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for epoch in self.kept_epochs:
            if not 1 <= epoch <= self.epochs:
                default = " (the default; name others)" if self.kept_epochs == type(self).kept_epochs else ""
                raise InputError(f"{argument('kept_epochs')} must be from 1 to {self.epochs}; got {epoch}{default}.")

    def make_model(self, sequences: SequenceSet) -> SequenceRecommender:
        """The model of this configuration for a dataset."""
        length = sequences.train.histories.shape[1]
        return SequenceRecommender(len(sequences.items), self.dim, self.hidden, length, self.dtype)
