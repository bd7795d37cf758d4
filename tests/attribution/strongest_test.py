"""The strongest of bounded numbers, and the strongest examples of Gradient Rollback without computing all."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.rollback import GradientRollback, SameAnswerRollback
from gr_tf.attribution.strongest import strongest
from gr_tf.data.triples import HEAD, RELATION, TAIL, Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks import triple_rollback
from gr_tf.tasks.rolled_back import Bounds
from gr_tf.tasks.trained import Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Ids

COUNT = 3_000


def of_known(numbers: np.ndarray, computed: list[int]) -> Callable[[Ids], np.ndarray]:
    def exact(places: Ids) -> np.ndarray:
        computed.extend(places.tolist())
        found: np.ndarray = numbers[places]
        return found

    return exact


@pytest.mark.parametrize("k", [1, 10, 400, 5_000])
@pytest.mark.parametrize("unknown", [0, 40])
def test_the_strongest_are_among_the_few_computed(k: int, unknown: int) -> None:
    """With equal numbers, numbers of one sign only, and some of which nothing is known."""
    generator = np.random.default_rng(k)
    for shift in (0, 50):
        numbers = np.round(generator.standard_t(2, size=COUNT), 1) + shift
        rough, fine = 0.3 * generator.random(COUNT), 0.03 * generator.random(COUNT)
        rough[:unknown] = fine[:unknown] = np.inf
        refined = numbers - fine, numbers + 0
        bounds = Bounds(numbers - rough, numbers + rough, functools.partial(_at, refined))
        computed: list[int] = []
        places = strongest(bounds, k, of_known(numbers, computed))
        assert sorted(computed) == places.tolist()  # each once
        order = np.argsort(-numbers, kind="stable")
        wanted = [*order[numbers[order] > 0][:k], *order[::-1][numbers[order[::-1]] < 0][:k]]
        assert set(wanted) <= set(computed)
        if k == 10:
            assert len(computed) < 300
        if shift and k > COUNT:
            assert len(computed) == COUNT


def _at(bounds: tuple[np.ndarray, np.ndarray], some: Ids) -> tuple[np.ndarray, np.ndarray]:
    return bounds[0][some], bounds[1][some]


def random_trained(toy: TripleSet, model: str, dtype: str = "float64") -> Trained:
    """A model that never saw a training; a few triples changed it much."""
    task = TripleTask(toy, TripleConfig(model=model, dim=6, dtype=dtype))
    generator = np.random.default_rng(3)
    table = generator.normal(scale=0.6, size=(task.model.num_rows, task.model.width)).astype(dtype)
    deltas = generator.normal(scale=0.05, size=(toy.num_examples, 3, task.model.width)).astype(dtype)
    deltas[::7] *= 20
    return Trained(task, Parameters(table), 1, deltas)


@pytest.mark.parametrize(
    ("model", "dtype", "kind"),
    [("distmult", "float64", SameAnswerRollback), ("complex", "float32", GradientRollback)],
)
def test_ranking_lazily(
    toy: TripleSet, model: str, dtype: str, kind: type[GradientRollback], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same examples in the same order; their values are the same but for rounding; the rest is ranked if asked."""
    monkeypatch.setattr(triple_rollback, "_FEW_SCORES", 0)
    explainer = kind(random_trained(toy, model, dtype))
    asked: list[int] = []
    compute = explainer.rolled_back.without

    def counted(query: Query, ids: Ids) -> tuple[float, np.ndarray]:
        asked.append(len(set(ids.tolist())))
        return compute(query, ids)

    monkeypatch.setattr(explainer.rolled_back, "without", counted)
    fewer = 0
    triples, places = [(0, 1, 2), (3, 0, 3), (8, 3, 1)], (HEAD, RELATION, TAIL)
    for query in [Query(*triple, place) for triple in triples for place in places]:
        asked.clear()
        whole = explainer.rank(query)
        lazy = explainer.rank_lazily(query, 2)
        first = lazy.strongest(2)
        fewer += sum(asked[1:]) < asked[0]
        np.testing.assert_array_equal(first.example_ids, whole.strongest(2).example_ids)
        np.testing.assert_allclose(first.influences, whole.strongest(2).influences, rtol=0, atol=1e-6)
        np.testing.assert_allclose(first.without, whole.strongest(2).without, rtol=0, atol=1e-6)
        assert lazy.query == query
        assert lazy.prediction == pytest.approx(whole.prediction, rel=1e-6)
        assert f"{len(whole.influences):,} examples" in repr(lazy)
        assert lazy.sign_is_certain is None
        assert len(lazy.strongest(1).influences) <= 2
        count = len(asked)
        assert len(lazy.strongest(4).influences) == len(whole.strongest(4).influences)
        np.testing.assert_array_equal(lazy.example_ids, whole.example_ids)
        np.testing.assert_array_equal(lazy.only(slice(3)).influences, whole.influences[:3])
        assert lazy.num_supporting == whole.num_supporting
        assert len(asked) == count + 1  # once
        replaced = dataclasses.replace(lazy.first(3), prediction=1.0)
        assert replaced.prediction == 1
    assert fewer > 3
    with pytest.raises(InputError, match="k must be at least 1; got 0"):
        explainer.rank_lazily(query, 0)


def test_small_data_are_ranked_at_once(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit as ever; so is a model that is not linear in its rows."""
    explainer = GradientRollback(trained)
    query: Any = Query(0, 1, 2)
    assert type(explainer.rank_lazily(query, 2)) is type(explainer.rank(query))
    monkeypatch.setattr(triple_rollback, "_FEW_SCORES", 0)
    rotating = GradientRollback(random_trained(trained.task.dataset, "transe"))
    np.testing.assert_array_equal(rotating.rank_lazily(query, 2).influences, rotating.rank(query).influences)
