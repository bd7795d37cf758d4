"""Intervals and signs of answers whose errors are known."""

import numpy as np
import pytest

from gr_tf.evaluation.atlas import Atlas
from gr_tf.evaluation.atlas_scores import Scoring
from gr_tf.evaluation.calibration import calibration_rows

QUERIES, EXAMPLES, NOISE, ERROR = 20, 500, 0.3, 0.5


def scoring_of(truth: np.ndarray, generator: np.random.Generator) -> Scoring:
    measured = truth + NOISE * generator.normal(size=(2, *truth.shape))
    # What all effects of a query share is chance, and counts for nothing.
    measured += generator.normal(size=(1, QUERIES, 1))
    errors = np.full(truth.shape, NOISE / np.sqrt(2))
    atlas = Atlas(np.zeros((QUERIES, 3), np.int32), measured, errors, np.arange(2))
    return Scoring(atlas, {"adjacent": np.ones(truth.shape, bool)}, {"adjacent": 0.5}, {})


@pytest.mark.parametrize(("factor", "least", "most"), [(1, 0.94, 0.96), (0.3, 0.5, 0.7), (3, 0.998, 1)])
def test_intervals_hold_what_they_say(factor: float, least: float, most: float) -> None:
    generator = np.random.default_rng(0)
    effects = generator.normal(size=(QUERIES, EXAMPLES))
    truth = effects + ERROR * generator.normal(size=effects.shape)
    told = [(effects, np.full(effects.shape, factor * ERROR))]
    (row,) = calibration_rows(scoring_of(truth, generator), told)
    assert least <= row["within"]["95%"] <= most
    assert row["within"]["80%"] < row["within"]["95%"]
    assert row["count"] == effects.size
    if factor == 1:
        assert row["strongest within"]["80%"] == pytest.approx(0.8, abs=0.06)
        assert len(row["signs"]) >= 5
        for one in row["signs"]:
            assert one["right"] == pytest.approx(one["said"], abs=0.05)


def test_wrong_signs_are_told() -> None:
    generator = np.random.default_rng(1)
    truth = generator.normal(size=(QUERIES, EXAMPLES))
    (row,) = calibration_rows(scoring_of(truth, generator), [(-truth, np.full(truth.shape, 0.1))])
    assert all(one["right"] < 0.5 for one in row["signs"])
