"""The settings of one training of a rating model."""

import dataclasses
from typing import Any

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError
from gr_tf.models.matrix_factorization import MatrixFactorization
from gr_tf.models.neural_cf import NeuralCF
from gr_tf.models.rating_model import RatingModel
from gr_tf.training.config import DTYPES

RATING_MODELS: dict[str, type[RatingModel]] = {"mf": MatrixFactorization, "ncf": NeuralCF}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RatingTrainConfig:
    """One training run; the defaults are those of MF on MovieLens-1M (Cheng et al. 2019).

    Attributes:
        model: a key of RATING_MODELS.
        dim: K, the number of factors.
        steps: of Adam.
        batch_size: ratings of a step, drawn without replacement; what an epoch leaves over is not used.
        learning_rate: Adam's, constant.
        weight_decay: wd of the loss: mean squared error + wd/2 * sum of squares.
        dtype: "float32" or "float64".
        seed: of the initial values and the batches.
    """

    model: str = "mf"
    dim: int = 16
    steps: int = 80_000
    batch_size: int = 3_020
    learning_rate: float = 0.001
    weight_decay: float = 0.001
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (("model", RATING_MODELS), ("dtype", DTYPES)):
            value = getattr(self, name)
            if value not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
        for name, lowest, highest in (
            ("dim", 1, 1 << 14),
            ("steps", 1, 1 << 31),
            ("batch_size", 1, 1 << 24),
            ("seed", 0, (1 << 31) - 1),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise InputError(f"{name} must be from {lowest} to {highest}; got {value}.")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"learning_rate must be above 0 and at most 1; got {self.learning_rate}.")
        if not 0 <= self.weight_decay < float("inf"):
            raise InputError(f"weight_decay must be a number of at least 0; got {self.weight_decay}.")

    def make_model(self, ratings: RatingSet, dtype: str | None = None) -> RatingModel:
        """The model of this configuration for the users and items of a dataset, in its own or another precision."""
        return RATING_MODELS[self.model](len(ratings.users), len(ratings.items), self.dim, dtype or self.dtype)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)


# What differs from MF's settings on MovieLens-1M. MovieLens-100k's batch is ours (BUILD_NOTES 61).
_DATASET_PRESETS: dict[str, dict[str, Any]] = {"movielens-100k": {"batch_size": 302}, "yelp": {"batch_size": 3_009}}
_STEPS = {"mf": 80_000, "ncf": 120_000}
# Steps of a retraining that starts from the trained model.
RETRAINING_STEPS = {"mf": 24_000, "ncf": 18_000}


def rating_preset(dataset: str, model: str) -> dict[str, Any]:
    """The settings of a dataset and a model that are not RatingTrainConfig's defaults."""
    return {**_DATASET_PRESETS.get(dataset, {}), "model": model, "steps": _STEPS.get(model, _STEPS["mf"])}
