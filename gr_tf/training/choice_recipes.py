"""Settings for training on choices: what a user chose competes with items drawn at random.

A softmax over a choice and sampled items, by Adagrad; chosen on the validation choices of MovieLens-100k (BUILD_NOTES,
"Recipe of choices").
"""

from collections.abc import Mapping
from typing import Any

from gr_tf.models.factor_model import BilinearModel
from gr_tf.models.knowledge_graph_models import MODELS

# Of L2.
_PENALTY = 0.01
# Choices that all epochs together train on, about; at least and at most so many epochs.
_CHOICES, _EPOCHS = 4_000_000, (12, 100)


def choice_recipe(num_choices: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for choices, as far as they are not asked for.

    Args:
        num_choices: of the training part.
        asked: settings that the user names.
    """
    bilinear = issubclass(MODELS.get(asked.get("model", "distmult"), BilinearModel), BilinearModel)
    least, most = _EPOCHS
    return {
        "optimizer": "adagrad",
        "learning_rate": 0.003 if asked.get("optimizer") == "adam" else 0.1,
        "batch_size": max(2, min(512 if bilinear else 64, num_choices // 100)),
        "dim": 50,
        "penalty": _PENALTY if bilinear and asked.get("loss") != "sigmoid" else 0.0,
        "penalty_power": 2,
        "num_negatives": 1000 if bilinear else 100,
        "epochs": max(least, min(most, _CHOICES // num_choices)),
        # The first epochs are no better than popularity, which no patience should take for the end.
        "patience": 10,
        "dtype": "float64" if num_choices < 20_000 else "float32",
    }


def choice_variants(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Settings to try on one's own choices beside `choice_recipe`'s."""
    every: list[dict[str, Any]] = [
        {},
        {"penalty": 0.3 * _PENALTY},
        {"penalty": 3 * _PENALTY},
        {"dim": 20},
        {"dim": 20, "penalty": 3 * _PENALTY},
        {"dim": 100},
        {"model": "complex"},
    ]
    return [variant for variant in every if not set(variant) & set(asked)]
