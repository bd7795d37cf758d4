"""What the comparison says of single trainings: PD% of a training's own first example."""

from typing import Any

import numpy as np
import pytest

from gr_tf.evaluation.atlas import Truth
from gr_tf.evaluation.fidelity import own_rows

# The effects of four examples on three queries in two trainings; the third query's best example is another in each.
EFFECTS = np.array(
    [
        [[0.9, -0.1, -0.2, -0.3], [0.5, 0.1, -0.2, -0.3], [-0.4, 0.7, -0.1, -0.2]],
        [[0.8, -0.2, -0.1, -0.3], [0.6, 0.2, -0.1, -0.3], [0.4, -0.6, -0.1, -0.2]],
    ]
)


def rows_of(scores: np.ndarray) -> dict[str, dict[str, Any]]:
    """The rows by method, if a method scores every training so [num_queries, num_examples]."""
    shared = np.ones(EFFECTS.shape[1:], int)
    truth = Truth((), EFFECTS, shared, (0, 1), "")
    masks = {"all": shared > 0, "adjacent": shared > 0}
    rows = own_rows(["some"], truth, masks, lambda name, seed: scores, lambda name, seed: scores, (0, 1), (7, 8))
    return {row["method"]: row for row in rows}


def test_the_first_example_of_a_perfect_explanation_makes_every_prediction_fall() -> None:
    """Without a supporting example (a positive effect) the prediction falls."""
    row = rows_of(EFFECTS[0])["some"]
    assert row["pd_own"] == row["pd_ensemble"] == [1.0, pytest.approx(2 / 3)]
    assert row["spearman, all"][0] > 0.5


def test_the_first_example_of_an_opposite_explanation_makes_none_fall() -> None:
    """In its own training; in the other one, the third query's best example is the worst of the first."""
    row = rows_of(-EFFECTS[0])["some"]
    assert row["pd_own"] == row["pd_ensemble"] == [0.0, pytest.approx(1 / 3)]
    assert row["spearman, all"][0] < -0.5


def test_the_other_seeds_choose_what_one_seed_values() -> None:
    """On two of three queries the trainings agree about the best example."""
    assert rows_of(EFFECTS[0])["the other seeds' retrainings"]["pd_ensemble"] == [pytest.approx(2 / 3)] * 2
