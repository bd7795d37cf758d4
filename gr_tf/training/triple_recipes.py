"""Settings under which models of knowledge graphs are good, for one's own graph and for public ones.

Ruffinelli, Broscheit and Gemulla (2020), "You CAN Teach an Old Dog New Tricks!": the recipe decides more than the
model. Cross-entropy, reciprocal relations, and Adagrad; what else there is was chosen on validation examples
(BUILD_NOTES, "Recipes of knowledge graphs").
"""

from collections.abc import Mapping
from typing import Any

from gr_tf.models.factor_model import BilinearModel
from gr_tf.models.knowledge_graph_models import MODELS
from gr_tf.training.triple_config import BATCHES_ONLY, PAPERS_ONLY

# Of N3; and of DistMult's query vector (ComplEx is no better with it).
_PENALTY, _DROPOUT = 0.05, 0.2
# Triples that all epochs together train on, about; at least and at most so many epochs.
_TRIPLES, _EPOCHS = 3_000_000, (12, 100)
# The paper's steps on one's own graph: about so many, and at most so many epochs.
_STEPS, _STEP_EPOCHS = 500_000, 50


# What differs from `own_recipe` on public graphs, by dataset and model (experiments.graph_quality).
PUBLIC_RECIPES: dict[tuple[str, str], dict[str, Any]] = {
    ("wn18rr", "complex"): {"penalty": 0.1, "epochs": 20},
    ("wn18rr", "distmult"): {"dim": 200, "num_negatives": 2000, "epochs": 16},
    ("fb15k237", "complex"): {"epochs": 30},
    ("fb15k237", "distmult"): {"dim": 200, "dropout": 0.1, "epochs": 30},
}


def own_recipe(num_entities: int, num_triples: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for a graph of some size, as far as they are not asked for.

    Args:
        num_entities, num_triples: of the training part.
        asked: settings that the user names.
    """
    if _wants_papers_steps(asked):
        return _papers_steps(num_entities, num_triples)
    model = asked.get("model", "distmult")
    bilinear = issubclass(MODELS[model], BilinearModel)
    least, most = _EPOCHS
    return {
        "optimizer": "adagrad",
        "learning_rate": 0.003 if asked.get("optimizer") == "adam" else 0.1,
        "batch_size": max(1, min(512 if bilinear else 64, num_triples // 100)),
        "reciprocal": True,
        "dim": 10 if num_entities < 50 else 100 if bilinear else 50,
        # The sigmoid's loss is a mean over the candidates, beside which a penalty of this size decides everything.
        "penalty": _PENALTY if bilinear and asked.get("loss") != "sigmoid" else 0.0,
        "dropout": _DROPOUT if model == "distmult" and num_entities >= 50 else 0.0,
        "num_negatives": max(1, min(num_entities, 1000 if bilinear else 100)),
        "epochs": max(least, min(most, _TRIPLES // num_triples)),
        "patience": 5,
        "dtype": "float64" if num_triples < 20_000 else "float32",
    }


def public_recipe(name: str | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a public graph's recipe has instead; nothing if the paper's steps are asked for.

    Args:
        name: of the graph; None: it is one's own.
        asked: settings that the user names.
    """
    if name is None or _wants_papers_steps(asked):
        return {}
    return PUBLIC_RECIPES.get((name, asked.get("model", "distmult")), {})


def variants(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Settings to try on one's own graph beside `own_recipe`'s, those first that mattered most on public graphs."""
    if _wants_papers_steps(asked):
        return []
    every: list[dict[str, Any]] = [
        {},
        {"penalty": 0.3 * _PENALTY},
        {"penalty": 3 * _PENALTY},
        {"model": "complex", "dropout": 0.0},
        {"model": "complex", "dropout": 0.0, "penalty": 0.3 * _PENALTY},
        {"penalty": 0.0, "dropout": 0.4},
        {"penalty": 0.1 * _PENALTY},
        {"penalty": 10 * _PENALTY},
        {"dim": 50},
        {"dim": 200},
        {"learning_rate": 0.3},
        {"label_smoothing": 0.1},
    ]
    return [variant for variant in every if not set(variant) & set(asked)]


def _wants_papers_steps(asked: Mapping[str, Any]) -> bool:
    one_by_one = asked.get("batch_size") == 1 and asked.get("optimizer") != "adagrad" and not asked.get("reciprocal")
    return one_by_one or any(name in asked for name in PAPERS_ONLY)


def wants_batches(asked: Mapping[str, Any]) -> bool:
    """Whether settings that the user names are of training in batches."""
    named = any(name in asked for name in BATCHES_ONLY)
    return named or asked.get("optimizer") == "adagrad" or asked.get("batch_size", 1) > 1


def _papers_steps(num_entities: int, num_triples: int) -> dict[str, Any]:
    """One triple a step, Adam, in file order."""
    return {
        "dim": 10 if num_entities < 50 else 50,
        "num_negatives": max(1, min(num_entities - 1, 50)),
        "epochs": max(1, min(_STEP_EPOCHS, _STEPS // num_triples)),
        "dtype": "float64" if num_triples < 20_000 else "float32",
    }
