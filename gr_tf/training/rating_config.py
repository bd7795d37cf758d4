"""The settings of one training of a rating model."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any

from gr_tf.data.ratings import RatingSet
from gr_tf.errors import InputError, argument
from gr_tf.models.matrix_factorization import MatrixFactorization
from gr_tf.models.neural_cf import NeuralCF
from gr_tf.models.rating_model import RatingModel
from gr_tf.settings import RATE, SEED, Range, Settings
from gr_tf.training.dtypes import DTYPES

# Adam is the papers'; the others train in batches of which each rating's share is known.
OPTIMIZERS = ("adam", "sgd", "adagrad")
RATING_MODELS: dict[str, type[RatingModel]] = {"mf": MatrixFactorization, "ncf": NeuralCF}

# What replay needs of a training; see Steps.
REPLAYED_WITH = argument("optimizer", "sgd", "adagrad")


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class RatingConfig(Settings):
    """One training run; the defaults are those of MF on MovieLens-1M (Cheng et al. 2019).

    Attributes:
        model: how a rating is predicted.
        dim: number of factors of a row.
        optimizer: adam: the papers'; sgd and adagrad keep what each rating changed, for Gradient Rollback.
        steps: of Adam.
        epochs: passes over the training ratings by sgd or adagrad.
        batch_size: ratings of a step, drawn without replacement. What is left over at the end of an epoch is a smaller
            batch, but with adam it is not used. With 1, adam too keeps what each rating changed.
        learning_rate: of the optimizer, constant.
        weight_decay: wd of the loss. With adam: mean squared error + wd/2 * sum of squares. With sgd and adagrad: sum
            over the ratings of squared error + wd/2 * sum of squares of the user's and the item's row.
        initial_deviation: standard deviation of the rows' initial values, of sgd and adagrad; default: 1/sqrt(dim).
        patience: end after so many epochs without a lower validation RMSE, and take the best epoch's parameters; for
            sgd and adagrad; default: take the last's.
        dtype: precision.
        seed: of the initial values and the batches.
    """

    model: str = "mf"
    dim: int = 16
    optimizer: str = "adam"
    steps: int = 80_000
    epochs: int | None = None
    batch_size: int = 3_020
    learning_rate: float = 0.001
    weight_decay: float = 0.001
    initial_deviation: float | None = None
    patience: int | None = None
    dtype: str = "float32"
    seed: int = 0

    later = ("optimizer", "epochs", "initial_deviation", "patience")
    flag_names = types.MappingProxyType({"steps": "training_steps"})
    choices = types.MappingProxyType({"model": RATING_MODELS, "optimizer": OPTIMIZERS, "dtype": DTYPES})
    ranges = types.MappingProxyType(
        {
            "dim": Range(1, 1 << 14),
            "steps": Range(1, 1 << 31),
            "epochs": Range(1, 1 << 20),
            "batch_size": Range(1, 1 << 24),
            "seed": SEED,
            "learning_rate": RATE,
            "weight_decay": Range(0),
            "initial_deviation": Range(0, above=True),
            "patience": Range(1, 1 << 20),
        }
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in () if self.has_shares else ("epochs", "initial_deviation", "patience"):
            if getattr(self, name) is not None:
                raise InputError(
                    f"{self._argument(name)} is for optimizers sgd and adagrad; got {getattr(self, name)} with adam."
                )
        if self.has_shares and self.epochs is None:
            raise InputError(f"optimizer {self.optimizer!r} needs a number of epochs.")

    @property
    def has_shares(self) -> bool:
        """Whether a training is in batches of which each rating's share is known."""
        return self.optimizer != "adam"

    @property
    def length(self) -> int:
        """Of a whole training: in epochs if it has shares, else in steps."""
        return self.epochs or self.steps

    def make_model(self, ratings: RatingSet, dtype: str | None = None) -> RatingModel:
        """The model of this configuration for the users and items of a dataset, in its own or another precision."""
        return RATING_MODELS[self.model](len(ratings.users), len(ratings.items), self.dim, dtype or self.dtype)


# What differs from MF's settings on MovieLens-1M. MovieLens-100k's batch is ours (BUILD_NOTES, "Settings for
# MovieLens-100k").
_DATASET_PRESETS: dict[str, dict[str, Any]] = {"movielens-100k": {"batch_size": 302}, "yelp": {"batch_size": 3_009}}
# Of one's own ratings and for questions, outside the papers' tables; chosen by the validation RMSE of MovieLens-100k
# and 1M (BUILD_NOTES, "Settings for one's own ratings").
_OWN: dict[str, dict[str, Any]] = {
    "mf": {"optimizer": "sgd", "dim": 50, "learning_rate": 0.005, "weight_decay": 0.2, "initial_deviation": 0.1},
    "ncf": {"optimizer": "adagrad", "dim": 16, "learning_rate": 0.01, "weight_decay": 0.1, "initial_deviation": 0.1},
}
# Of more ratings than this, MF's settings train twice as fast; a check is two more trainings.
_MANY = 500_000
_OWN_MANY = {"dim": 32, "learning_rate": 0.01, "weight_decay": 0.12, "initial_deviation": 0.03, "patience": 3}
# The factors grow after the biases are fitted; with less patience a few hundred validation ratings stop before that.
_OWN_EPOCHS, _OWN_PATIENCE = 200, 10
# The epochs where no validation ratings choose.
_UNCHECKED_EPOCHS = 40
# A batch has a hundredth of the ratings, at most so many.
_MOST_IN_BATCH = 1024
_STEPS = {"mf": 80_000, "ncf": 120_000}
# Steps of a retraining that starts from the trained model.
RETRAINING_STEPS = {"mf": 24_000, "ncf": 18_000}


def rating_preset(dataset: str, model: str) -> dict[str, Any]:
    """The settings of a dataset and a model that are not RatingConfig's defaults."""
    return {**_DATASET_PRESETS.get(dataset, {}), "model": model, "steps": _STEPS.get(model, _STEPS["mf"])}


def own_settings(ratings: RatingSet, model: str) -> dict[str, Any]:
    """The settings of one's own ratings that are not RatingConfig's defaults: in batches with shares."""
    size = max(1, min(_MOST_IN_BATCH, ratings.num_examples // 100))
    many = _OWN_MANY if model == "mf" and ratings.num_examples > _MANY else {}
    settings = {**_OWN.get(model, _OWN["mf"]), "patience": _OWN_PATIENCE, **many, "model": model, "batch_size": size}
    if len(ratings.valid):
        return {**settings, "epochs": _OWN_EPOCHS}
    return {**settings, "epochs": _UNCHECKED_EPOCHS, "patience": None}


def variants(config: RatingConfig, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Settings to try on one's own ratings, as what differs from a configuration's; none of the papers' trainings.

    Args:
        config: with the settings that are tried first.
        asked: settings that the user names, which are no variant's.
    """
    if not config.has_shares:
        return []
    weaker, stronger = ({"weight_decay": factor * config.weight_decay} for factor in (0.5, 2.0))
    every: list[dict[str, Any]] = [
        {},
        stronger,
        weaker,
        {"initial_deviation": 0.03},
        {"dim": 16},
        {"dim": 16, **stronger},
    ]
    return [variant for variant in every if not set(variant) & set(asked)]
