"""Weighted sums of predictions: each training's are combined before the mean, and memory is bounded."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import pytest

from gr_tf.asking.told import doubts
from gr_tf.attribution import combined
from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.combined import Combination, combining, num_related, related_to
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.saved import load_explanation, save_explanation
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.tasks.trained import Trained, train_in_memory


@pytest.fixture(scope="module")
def explainers(trained: Trained) -> list[Explainer[Query]]:
    return [GradientRollback(one) for one in (trained, *(train_in_memory(trained.task.member(i)) for i in (1, 2)))]


@pytest.fixture(scope="module")
def queries(trained: Trained) -> list[Query]:
    return [trained.task.query_of(example_id) for example_id in (0, 9, 17, 31, 40)]


def test_an_ensemble_combines_each_training(explainers: list[Explainer[Query]], queries: list[Query]) -> None:
    """Its errors and signs are the combination's: those of the parts say nothing of it."""
    combination = Combination.difference(*queries[:2])
    (found,) = combining(Ensemble(explainers)).influences([combination])
    each = np.stack([combination.weights @ one.matrix(combination.queries) for one in explainers])
    each = each[:, found.example_ids]
    np.testing.assert_allclose(found.values, each.mean(axis=0), rtol=1e-9, atol=1e-15)
    assert found.standard_errors is not None
    assert found.agreeing is not None
    np.testing.assert_allclose(found.standard_errors, each.std(axis=0, ddof=1) / np.sqrt(3), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(found.agreeing, (np.sign(each) == np.sign(each.mean(axis=0))).sum(axis=0))
    assert found.num_trainings == 3


class _Doubted(GradientRollback):
    """Its influences on each query but those of example 0 are to be doubted."""

    def influences(self, queries: Sequence[Query]) -> list[Influences]:
        doubted = self.task.query_of(0)
        found = zip(queries, super().influences(queries), strict=True)
        return [one if query == doubted else dataclasses.replace(one, warnings=("odd",)) for query, one in found]


def test_doubts_are_of_the_predictions_that_have_them(trained: Trained, queries: list[Query]) -> None:
    """They are counted, of sums and of several trainings, and stay with what is shown and saved."""
    one, other = _Doubted(trained), GradientRollback(trained)
    assert [found.warnings for found in Ensemble([one, one, other]).influences(queries[:2])] == [
        (),
        ("odd (2 of 3 trainings)",),
    ]
    explanation = combining(one).explain(Combination.mean(queries[:3]), k=2)
    assert explanation.warnings == ("odd (2 of 3 questions)",)
    assert "odd (2 of 3 questions)" in doubts(explanation)
    assert one.explain(queries[1]).warnings == ("odd",)


def test_only_a_few_queries_are_in_memory(
    monkeypatch: pytest.MonkeyPatch, explainers: list[Explainer[Query]], queries: list[Query]
) -> None:
    asked: list[int] = []
    influences = GradientRollback.influences

    def counting(self: GradientRollback, part: list[Query]) -> object:
        asked.append(len(part))
        return influences(self, part)

    combination = Combination.mean(queries)
    together = combining(explainers[0]).rank(combination)
    monkeypatch.setattr(GradientRollback, "influences", counting)
    monkeypatch.setattr(combined, "_QUERIES_AT_ONCE", 2)
    in_parts = combining(explainers[0]).rank(combination)
    assert asked == [2, 2, 1]
    np.testing.assert_array_equal(in_parts.example_ids, together.example_ids)
    np.testing.assert_array_equal(in_parts.influences, together.influences)


def test_what_is_related_to_one_of_the_queries(trained: Trained, queries: list[Query]) -> None:
    task, combination = trained.task, Combination.mean(queries[:3])
    related = [task.related(query) for query in queries[:3]]
    np.testing.assert_array_equal(related_to(task, combination), np.unique(np.concatenate(related)))
    np.testing.assert_array_equal(related_to(task, queries[0]), related[0])
    counts = num_related(task, combination)
    assert counts.tolist() == [sum(i in ids for ids in related) for i in range(task.num_examples)]


def test_a_combination_needs_queries() -> None:
    for wrong in (lambda: Combination.mean([]), lambda: Combination((1, 2), (1.0,))):
        with pytest.raises(InputError, match="as many weights as queries, at least one"):
            wrong()
    assert Combination.mean([1, 2, 3, 4]).weights == (0.25,) * 4
    assert not Combination.mean([1, 2]).is_difference
    assert Combination.difference(1, 2).is_difference


def test_on_disk(explainers: list[Explainer[Query]], queries: list[Query], tmp_path: pathlib.Path) -> None:
    explanation = combining(Ensemble(explainers)).explain(Combination.difference(*queries[:2]), k=4)
    explanation = dataclasses.replace(explanation, warnings=("odd",))
    save_explanation(explanation, tmp_path / "why")
    found = load_explanation(tmp_path / "why", explanation.dataset)
    assert (found.query, found.warnings) == (explanation.query, ("odd",))
    np.testing.assert_array_equal(found.influences, explanation.influences)
    np.testing.assert_array_equal(found.standard_errors, explanation.standard_errors)
