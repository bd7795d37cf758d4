"""Several answers are checked together: what they share is trained once, and each check is what it is alone."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from gr_tf.asking import checker
from gr_tf.asking.asker import Asker
from gr_tf.asking.top_answers import check_answers, top_answers
from gr_tf.errors import InputError
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Outcome, Retraining

SEEDS = 2


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[Retraining]]:
    """The lists of trainings that checks do, in the order in which they are done."""
    lists: list[list[Retraining]] = []

    def counted(asked: Sequence[Retraining], jobs: int, **other: Any) -> Iterator[tuple[int, Outcome]]:
        lists.append(list(asked))
        return retrain(asked, jobs, **other)

    monkeypatch.setattr(checker, "retrain", counted)
    return lists


def distinct(lists: list[list[Retraining]]) -> set[tuple[int, tuple[int, ...]]]:
    """The different trainings: of which seed, without which examples."""
    return {(one.seed, one.removed) for asked in lists for one in asked}


def test_what_answers_share_is_trained_once(asker: Asker, trained: list[list[Retraining]]) -> None:
    answers = top_answers(asker, "e1,r1,?", n=3, k=2)
    alone = [asker.check(answer, SEEDS) for answer in answers]
    of_each, wanted = [len(asked) for asked in trained], distinct(trained)
    trained.clear()
    assert check_answers(asker, answers, SEEDS) == alone
    (asked,) = trained
    # In one list, each training once; alone, every answer trains again with all examples and the other seed.
    assert len(asked) == len(set(asked)) == len(distinct([asked]))
    assert distinct([asked]) == wanted
    assert len(asked) <= sum(of_each) - (len(answers) - 1)
    whole = [one for one in asked if not one.removed]
    assert [one.seed for one in whole] == [asker.task.config.seed + 1]
    assert len(whole[0].queries) == len(answers)


def test_trainings_that_go_on_are_shared_too(rating_asker: Asker, trained: list[list[Retraining]]) -> None:
    answers = [rating_asker.answer(question, k=2) for question in ("u1,i2", "u1,i3", "u2,i2")]
    alone = [rating_asker.check(answer, SEEDS, controls=False) for answer in answers]
    trained.clear()
    assert rating_asker.check_all(answers, SEEDS, controls=False) == alone
    (asked,) = trained
    assert sum(not one.removed for one in asked) == SEEDS


def test_all_kinds_of_answers_together(asker: Asker, trained: list[list[Retraining]]) -> None:
    """One prediction, a difference, a group, and a mean over two trainings, whose seeds are others."""
    answers = [
        asker.answer("e1,r1,?", k=2),
        asker.answer("e1,r1,?", k=2, rather_than="e2"),
        asker.group_answer("relation:r1", k=2),
        asker.answer("e1,r1,?", "tracin", k=2, trainings=2),
    ]
    alone = [asker.check(answer, SEEDS) for answer in answers]
    together = asker.check_all(answers, SEEDS)
    assert together == alone
    assert [checks.quantity for checks in together] == [checks.quantity for checks in alone]
    assert len({checks.quantity for checks in together}) == len(answers) - 1


def test_one_that_nothing_supports_has_no_checks(asker: Asker, trained: list[list[Retraining]]) -> None:
    answer = asker.answer("e1,r1,?", k=2)
    without = dataclasses.replace(answer, frame=answer.opponents)
    checks = asker.check_all([without, answer], controls=False)
    assert [len(own) for own in checks] == [0, 2]
    assert checks[1] == asker.check(answer, controls=False)
    with pytest.raises(InputError, match="no example supports the prediction"):
        asker.check(without)


def test_nothing_to_check(asker: Asker, trained: list[list[Retraining]]) -> None:
    assert asker.check_all([]) == []
    assert not trained
