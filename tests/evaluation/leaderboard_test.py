"""Rows of the leaderboard: what is computed, and what results beside the atlas say."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.methods import explainer
from gr_tf.attribution.neighborhood import random_influences
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import TripleSet
from gr_tf.evaluation.atlas_scores import Scoring
from gr_tf.evaluation.leaderboard import leaderboard
from gr_tf.evaluation.prices import SHAPE_ROWS
from gr_tf.runs import files
from gr_tf.tasks.trained import Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig
from tests.evaluation.toy_atlas import CEILINGS, CONFIG, QUERIES, write_atlas

RESULTS = pathlib.Path(__file__).parents[2] / "experiments" / "results"
KNOWN = {name: CEILINGS[name] for name in ("shared >= 2", "adjacent")}


@pytest.fixture
def path(toy: TripleSet, tmp_path: pathlib.Path) -> pathlib.Path:
    return write_atlas(tmp_path, toy)


def price_row(method: str, price: int, value: float) -> dict[str, Any]:
    return {"method": method, "price": price, "trainings": price, **dict.fromkeys(KNOWN, [value] * 3)}


def fidelity_row(method: str, trainings: int, value: float) -> dict[str, Any]:
    spearman = {f"spearman, {name}": [value * ceiling] * 3 for name, ceiling in KNOWN.items()}
    return {"method": method, "trainings": trainings, **spearman, "captured, 1": 1.5, "captured, 10": 0.5}


def test_rows(path: pathlib.Path, toy: TripleSet) -> None:
    scoring, task = Scoring.read(path, toy), TripleTask(toy, CONFIG)
    settings = {"checksum": toy.checksum, "config": CONFIG.to_dict()}
    of_others = {**settings, "config": {**CONFIG.to_dict(), "dim": 5}}
    for name, result in {
        "prices_toy": {"settings": settings, "ceilings": KNOWN, "rows": [price_row("best", 3, 0.5)]},
        "prices_other": {"settings": of_others, "ceilings": KNOWN, "rows": [price_row("of another model", 1, 0.9)]},
        "prices_earlier": {"settings": settings, "ceilings": {}, "rows": [price_row("of another atlas", 1, 0.9)]},
        "fidelity_toy": {
            "settings": {"atlas_fingerprint": files.sha256(path)},
            "rows": [
                fidelity_row(name, count, value)
                for name, value in (("NH", 0.9), ("GR", 0.25), ("replay from epoch 2", 0.3), ("replay", 0.8))
                for count in (1, 5, 20)
            ]
            + [fidelity_row("best", 3, 0.1)],
        },
        "fidelity_other": {"settings": {"atlas_fingerprint": "0"}, "rows": [fidelity_row("of another", 1, 0.9)]},
    }.items():
        path.with_name(f"{name}.json").write_text(json.dumps(result))
    board = leaderboard(task, scoring, path, "mine.npy", scoring.atlas.expected)
    found = {(row["method"], row["price"]): row for row in board["rows"]}
    assert set(found) == {
        ("nh", 0),
        (SHAPE_ROWS[0], 0),
        ("mine.npy", None),
        ("best", 3),
        ("gr", 1),
        ("gr", 20),
        ("replay", 1),
        ("replay", 20),
    }
    # The truth itself is first; the others follow by their correlations.
    assert board["rows"][0] == found["mine.npy", None]
    values = [row["shared >= 2"][0] for row in board["rows"]]
    assert values == sorted(values, reverse=True)
    assert found["mine.npy", None]["adjacent"] == scoring.score(scoring.atlas.expected)["adjacent"]
    assert found["gr", 20]["adjacent"] == pytest.approx([0.25] * 3)
    assert (found["gr", 20]["captured, 1"], found["gr", 20]["from"]) == (1.5, "fidelity_toy.json")
    assert (found["best", 3]["adjacent"], found["best", 3]["from"]) == ([0.5] * 3, "prices_toy.json")
    assert "captured, 1" not in found["best", 3]
    mean, low, high = board["beyond_shape"]["adjacent"]
    shape = found[SHAPE_ROWS[0], 0]["adjacent"][0]
    assert mean == pytest.approx(found["mine.npy", None]["adjacent"][0] - shape)
    assert low < mean < high
    # Without influences, only what they would be compared with; the same to the bit.
    without = leaderboard(task, scoring, path)
    assert without["rows"] == [row for row in board["rows"] if row["method"] != "mine.npy"]
    assert (without["yours"], without["beyond_shape"]) == (None, None)


def test_random_ones_are_those_of_nh(trained: Trained) -> None:
    query = QUERIES[1]
    (found,) = explainer(trained, "nh", seed=3).influences([query])
    np.testing.assert_array_equal(found.values, random_influences(3, query, len(found.example_ids)))


@pytest.mark.parametrize("model", ["distmult", pytest.param("complex", marks=pytest.mark.slow)])
def test_the_committed_shape_is_found_again(model: str) -> None:
    """Where the linear algebra is another processor's, the last digits may be others."""
    triples, path = load_triples("nations"), RESULTS / f"atlas_nations_{model}.npz"
    scoring = Scoring.read(path, triples)
    board = leaderboard(TripleTask(triples, TripleConfig(**scoring.settings["config"])), scoring, path)
    found = {(row["method"], row["price"]): row for row in board["rows"]}
    committed = files.read_json(RESULTS / f"prices_nations_{model}.json")["rows"]
    (shape,) = (row for row in committed if row["method"] == SHAPE_ROWS[0])
    for stratum in scoring.masks:
        assert found[SHAPE_ROWS[0], 0][stratum] == pytest.approx(shape[stratum], rel=1e-5)
        mean, low, high = found["nh", 0][stratum]
        assert low - 0.02 < 0 < high + 0.02, mean
    assert {"best", "gr", "replay", "influence", "criage"} <= {row["method"] for row in board["rows"]}
