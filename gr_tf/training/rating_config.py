"""The settings of one training of a rating model."""

import dataclasses
import types
from typing import Any

from gr_tf.data.ratings import RatingSet
from gr_tf.models.matrix_factorization import MatrixFactorization
from gr_tf.models.neural_cf import NeuralCF
from gr_tf.models.rating_model import RatingModel
from gr_tf.settings import RATE, SEED, Range, Settings
from gr_tf.training.dtypes import DTYPES

RATING_MODELS: dict[str, type[RatingModel]] = {"mf": MatrixFactorization, "ncf": NeuralCF}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RatingConfig(Settings):
    """One training run; the defaults are those of MF on MovieLens-1M (Cheng et al. 2019).

    Attributes:
        model: how a rating is predicted.
        dim: number of factors of a row.
        steps: of Adam.
        batch_size: ratings of a step, drawn without replacement; what an epoch leaves over is not used. With 1, what
            each rating changed is kept, for Gradient Rollback.
        learning_rate: of Adam, constant.
        weight_decay: wd of the loss: mean squared error + wd/2 * sum of squares.
        dtype: precision.
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

    flag_names = types.MappingProxyType({"steps": "training_steps"})
    choices = types.MappingProxyType({"model": RATING_MODELS, "dtype": DTYPES})
    ranges = types.MappingProxyType(
        {
            "dim": Range(1, 1 << 14),
            "steps": Range(1, 1 << 31),
            "batch_size": Range(1, 1 << 24),
            "seed": SEED,
            "learning_rate": RATE,
            "weight_decay": Range(0),
        }
    )

    def make_model(self, ratings: RatingSet, dtype: str | None = None) -> RatingModel:
        """The model of this configuration for the users and items of a dataset, in its own or another precision."""
        return RATING_MODELS[self.model](len(ratings.users), len(ratings.items), self.dim, dtype or self.dtype)


# What differs from MF's settings on MovieLens-1M. MovieLens-100k's batch is ours (BUILD_NOTES, "Settings for
# MovieLens-100k").
_DATASET_PRESETS: dict[str, dict[str, Any]] = {"movielens-100k": {"batch_size": 302}, "yelp": {"batch_size": 3_009}}
_STEPS = {"mf": 80_000, "ncf": 120_000}
# Steps of a retraining that starts from the trained model.
RETRAINING_STEPS = {"mf": 24_000, "ncf": 18_000}


def rating_preset(dataset: str, model: str) -> dict[str, Any]:
    """The settings of a dataset and a model that are not RatingConfig's defaults."""
    return {**_DATASET_PRESETS.get(dataset, {}), "model": model, "steps": _STEPS.get(model, _STEPS["mf"])}
