"""The released evaluation's defects, one by one."""

import dataclasses
from typing import Any

import pytest

from gr_tf.errors import InputError
from gr_tf.evaluation.released import evaluated_predictions, parse_defects, retraining_changes
from gr_tf.training.triple_config import TripleConfig


def test_which_predictions_are_evaluated() -> None:
    counts = [5, 1, 3, 0, 7, 1]
    assert evaluated_predictions(counts, ()) == [0, 1, 2, 3, 4, 5]
    assert evaluated_predictions(counts, ("drop_single",)) == [0, 2, 3, 4]
    assert evaluated_predictions(counts, ("stop_at_empty",)) == [0, 1, 2]
    assert evaluated_predictions(counts, ("stop_at_empty", "drop_single")) == [0, 2]


def test_how_retrainings_are_done() -> None:
    config = TripleConfig(loss="sigmoid")

    def changed(*defects: str) -> TripleConfig:
        changes: dict[str, Any] = dict(retraining_changes(defects))
        return dataclasses.replace(config, **changes)

    assert changed() == config
    assert changed("softmax_retraining") == TripleConfig(loss="softmax")
    assert changed("frozen_learning_rate") == TripleConfig(loss="sigmoid", learning_rate_rule="released")


def test_defects_are_known_by_name() -> None:
    assert parse_defects(["drop_single", "softmax_retraining"]) == ("softmax_retraining", "drop_single")
    with pytest.raises(InputError, match=r"released_defects are .*; got 'softmax'"):
        parse_defects(["softmax"])
