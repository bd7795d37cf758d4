"""The table of all truths joins results of different experiments."""

import math
from typing import Any

from gr_tf.evaluation.large_rows import DRAWN, HALVES, NAMED
from gr_tf.report.trust_table import SOURCES, trust_frame

GRAPH = {"dataset": "toy", "config": {"model": "simple"}}
CEILINGS = {"shared >= 2": 0.8, "adjacent": 0.5}


def fidelity_row(method: str, trainings: int, near: float, adjacent: float) -> dict[str, Any]:
    return {
        "method": method,
        "trainings": trainings,
        "spearman, shared >= 2": [near, near - 0.01, near + 0.01],
        "spearman, adjacent": [adjacent, adjacent - 0.1, adjacent + 0.1],
    }


def fact_row(method: str, k: int, value: float) -> dict[str, Any]:
    return {"method": method, "k": k, "others": {"value": [value, value - 0.01, value + 0.01]}}


RESULTS: dict[str, list[Any]] = {
    "prices_*": [
        {
            "settings": GRAPH,
            "ceilings": CEILINGS,
            "rows": [
                {"method": "best", "price": 3, "trainings": 5, "shared >= 2": [0.8, 0.7, 0.9], "adjacent": [0.6] * 3},
                {"method": "gr", "price": 1, "trainings": 1, "shared >= 2": [0.5, 0.4, 0.6], "adjacent": [0.3] * 3},
            ],
        }
    ],
    "fidelity_nations_*": [
        {
            "settings": GRAPH,
            "ceilings": [{"stratum": name, "spearman": {"ceiling": value}} for name, value in CEILINGS.items()],
            "rows": [
                fidelity_row("nh", 1, 0.0, 0.0),
                fidelity_row("nh", 9, 0.3, 0.3),
                fidelity_row("gr", 1, 0.4, 0.15),
                fidelity_row("gr", 2, 0.7, 0.4),
                fidelity_row("gr", 9, 0.6, 0.35),
                fidelity_row("replay", 1, 0.48, 0.2),
                fidelity_row("replay, last epoch", 1, 0.5, 0.3),
            ],
        }
    ],
    "ratings_fidelity_*": [
        {
            "dataset": "stars",
            "config": {"model": "mf"},
            "reliability": {"spearman": 0.81},
            "rows": [{"method": "fia", "spearman": [0.45, 0.4, 0.5]}],
        }
    ],
    "ratings_rollback_*": [
        {
            "settings": {"dataset": "stars", "config": {"model": "mf"}, "num_seeds": 8},
            "reliability": {"spearman": {"ceiling": 0.8}},
            "rows": [{"method": "gr", "spearman": {"one": [0.4, 0.3, 0.5], "all": [0.6, 0.5, 0.7]}}],
        }
    ],
    "ratings_batches_*": [
        {
            "settings": {"dataset": "stars", "config": {"model": "mf", "optimizer": "sgd"}, "num_seeds": 4},
            "reliability": {"spearman": {"ceiling": 0.8}},
            "rows": [{"method": "gr", "spearman": {"one": [0.2, 0.1, 0.3], "all": [0.28, 0.2, 0.3]}}],
        }
    ],
    "large_*": [
        {
            "settings": {"dataset": "own-big", "config": {"model": "simple"}},
            "public_name": "big",
            "ceilings": {NAMED: {"ceiling": 0.8}, DRAWN: {"ceiling": 0.1}, HALVES: {"ceiling": 0.5}},
            "rows": [
                {"method": "gr", "trainings": 1, NAMED: [0.4, 0.3, 0.5], DRAWN: [0.1] * 3, HALVES: [0.1, -0.1, 0.3]},
                {"method": "replay", "trainings": 1, NAMED: None, DRAWN: None, HALVES: [0.3, 0.2, 0.4]},
                {"method": "replay, last epoch", "trainings": 1, NAMED: [1.0] * 3, DRAWN: None, HALVES: None},
                {"method": "nh", "trainings": 9, NAMED: [1.0] * 3, DRAWN: None, HALVES: None},
            ],
        }
    ],
    "removal_*": [
        {
            "settings": {
                "dataset": "clicks",
                "config": {"model": "lstm"},
                "sizes": {"removed": 5, "explained": 3},
            },
            "public_name": None,
            "unit": "probability",
            "rows": [
                {"method": "nh", "change": [0.01, -0.1, 0.1]},
                {"method": "any random ones", "change": [0.02, 0.01, 0.03]},
                {"method": "tracin", "change": [math.log(0.5), -0.8, -0.6]},
            ],
        }
    ],
    "necessary_*": [
        {
            "experiment": "necessary",
            "dataset": "toy",
            "model": "simple",
            "rows": [
                {"method": "nothing", "unpaired": {}},
                fact_row("random", 4, 0.005),
                fact_row("shape", 4, -0.04),
                fact_row("gr", 1, -0.5),
                fact_row("gr", 4, -0.05),
                fact_row("gr*5", 4, -0.06),
            ],
        }
    ],
    "sufficient_*": [],
}


def test_a_row_for_each_method_and_price() -> None:
    assert RESULTS.keys() == SOURCES.keys()
    graph, further, anew, batches, left_out, halves, removed, facts = (
        "toy, simple",
        "stars, mf, trained on",
        "stars, mf, trained anew",
        "stars, mf by sgd in batches, trained anew",
        "big, simple, left out",
        "big, simple, halves",
        "clicks, lstm, 5 removed",
        "toy, simple, 4 facts removed",
    )
    found = trust_frame(RESULTS)
    assert found.columns.tolist() == [
        "price",
        "method",
        "trainings",
        graph,
        further,
        anew,
        batches,
        left_out,
        halves,
        removed,
        facts,
    ]
    cells = [[row[0], row[1], row[2], *row[3:]] for row in found.itertuples(index=False)]
    assert cells == [
        # At a price the best first, by the columns from the left; of prices_* and fidelity_*, the former's 0.50.
        ["0", "nh", 0, "noise / noise", "-", "-", "-", "-", "-", "x 1 noise", "+0.005 noise"],
        ["0", "any random ones", 0, "-", "-", "-", "-", "-", "-", "x 1", "-"],
        ["0", "graph's shape, by a rule", 0, "-", "-", "-", "-", "-", "-", "-", "-0.040"],
        ["1", "replay", 1, "0.60 / 0.40", "-", "-", "-", "-", "0.60", "-", "-"],
        ["1", "gr", 1, "0.50 / 0.30", "-", "0.50", "0.25", "0.50", "noise", "-", "-0.050"],
        ["1", "fia", 1, "-", "0.50", "-", "-", "-", "-", "-", "-"],
        ["3", "best", 5, "0.80 / 0.60", "-", "-", "-", "-", "-", "-", "-"],
        ["3", "tracin", 3, "-", "-", "-", "-", "-", "-", "x 0.5", "-"],
        ["4", "gr", 4, "-", "-", "-", "0.35", "-", "-", "-", "-"],
        ["5", "gr", 5, "-", "-", "-", "-", "-", "-", "-", "-0.060"],
        ["8", "gr", 8, "-", "-", "0.75", "-", "-", "-", "-", "-"],
        ["9", "gr", 9, "0.75 / 0.70", "-", "-", "-", "-", "-", "-", "-"],
    ]


def test_what_no_two_seeds_agree_on_has_no_column() -> None:
    (big,) = RESULTS["large_*"]
    unsure = {**big, "ceilings": {**big["ceilings"], NAMED: {"ceiling": None}}}
    columns = trust_frame({name: [unsure] if name == "large_*" else [] for name in RESULTS}).columns.tolist()
    assert columns == ["price", "method", "trainings", "big, simple, halves"]
