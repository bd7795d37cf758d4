"""The search for small sets: on tests with known answers, and by retraining."""

from collections.abc import Sequence

import numpy as np
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.minimal import found_sets, minimal_sets, smallest_set
from gr_tf.errors import InputError


def needing(wanted: set[int], told: list[tuple[int, ...]]) -> object:
    def test(sets: Sequence[tuple[int, ...]]) -> list[bool]:
        told.extend(sets)
        return [wanted <= set(chosen) for chosen in sets]

    return test


@pytest.mark.parametrize("wanted", [{7}, {0}, {3, 4}, {2, 9, 30}, set(range(20))])
def test_what_is_needed_is_found(wanted: set[int]) -> None:
    """If a set passes whenever it has all that is wanted, the smallest is just that."""
    told: list[tuple[int, ...]] = []
    found = smallest_set(range(40), needing(wanted, told), most=1000)  # type: ignore[arg-type]
    assert found.example_ids == tuple(sorted(wanted))
    assert found.retrainings == len(told) == len(set(told))
    assert not found.exhausted


def test_nothing_is_needed() -> None:
    told: list[tuple[int, ...]] = []
    found = smallest_set(range(40), needing(set(), told), most=9, smallest=0)  # type: ignore[arg-type]
    assert found.example_ids == ()
    assert told[0] == ()


def test_nothing_passes() -> None:
    found = smallest_set(range(5), lambda sets: [False] * len(sets), most=100)
    assert found == type(found)(None, 4, False)  # of 1, 2, 4 and 5 examples
    assert smallest_set([], lambda sets: [True] * len(sets), most=100).example_ids is None


def test_the_budget_is_kept() -> None:
    for most in range(1, 30):
        told: list[tuple[int, ...]] = []
        found = smallest_set(range(64), needing({40, 50}, told), most=most)  # type: ignore[arg-type]
        assert len(told) <= most
        assert found.retrainings == len(told)
        # What is found has passed.
        assert found.example_ids is None or {40, 50} <= set(found.example_ids)
        # Fewer were enough exactly where one more makes no difference.
        more = smallest_set(range(64), needing({40, 50}, []), most=most + 1)  # type: ignore[arg-type]
        assert found.exhausted == (more.retrainings > found.retrainings)


@pytest.mark.parametrize(("name", "question"), [("asker", "e1,r1,?"), ("sequence_asker", "i1,i2,i3,?")])
@pytest.mark.slow
def test_by_retraining(request: pytest.FixtureRequest, name: str, question: str) -> None:
    """What is said of both sets is seen in a training of its own."""
    asker: Asker = request.getfixturevalue(name)
    answer, task = asker.answer(question, k=60), asker.task
    found = minimal_sets(asker, answer, most=60, jobs=2)
    query = answer.explanation.query
    predicted = task.answer_of(query)

    def top_without(removed: Sequence[int]) -> int | None:
        return task.top(task.train(removed=removed, length=asker.trained.length).parameters, query)

    assert found.necessary.example_ids
    instead = top_without(found.necessary.example_ids)
    assert instead is not None
    assert instead != predicted
    assert task.answer_name(query, instead) == found.instead
    for member in found.necessary.example_ids:
        others = [other for other in found.necessary.example_ids if other != member]
        assert not others or top_without(others) == predicted
    assert found.sufficient.example_ids is not None
    without = np.setdiff1d(task.related(query), found.sufficient.example_ids)
    assert top_without(without.tolist()) == predicted
    needed, enough = found_sets(asker, answer, found)
    assert found.instead in needed.text
    assert answer.predicted in enough.text
    assert list(map(int, needed.examples.example_id)) == list(found.necessary.example_ids)


def test_what_is_refused(asker: Asker, rating_asker: Asker) -> None:
    other = asker.answer("e1,r1,?").alternatives[1].name
    with pytest.raises(InputError, match=f"minimal sets are of the most probable new answer; {other} is not: ask with"):
        minimal_sets(asker, asker.answer(f"e1,r1,{other}"))
    with pytest.raises(InputError, match="minimal sets are of predictions among several answers"):
        minimal_sets(rating_asker, rating_asker.answer("u1,i2"))
