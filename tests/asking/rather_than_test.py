"""Why one answer rather than another: the difference of two predictions, from the question to the page."""

import json
import re

import numpy as np
import pytest

from gr_tf.asking.about import RatherThan
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import NOTHING, RANDOM, check_frame, check_of_dict, conclusion
from gr_tf.asking.looks import FIRST, OTHER, Look
from gr_tf.asking.minimal import found_sets, minimal_sets
from gr_tf.asking.page import page
from gr_tf.attribution.combined import Combination, related_to
from gr_tf.data.triples import HEAD
from gr_tf.errors import InputError

# Of each kind of data: a question, another answer, and a question that names both.
QUESTIONS = [
    ("asker", "e1,r1,?", "e2"),
    ("asker", "?,r1,e2", "e3"),
    ("asker", "e1,?,e2", "r2"),
    ("asker", "e1,r1,e4", "e2"),
    ("rating_asker", "u1,i2", "i5"),
    ("sequence_asker", "u1,?", "i5"),
    ("sequence_asker", "i1,i2,i3,?", "i7"),
]


@pytest.mark.parametrize(("name", "question", "other"), QUESTIONS)
def test_a_difference(request: pytest.FixtureRequest, name: str, question: str, other: str) -> None:
    asker: Asker = request.getfixturevalue(name)
    task = asker.task
    answer, plain = asker.answer(question, k=3, rather_than=other), asker.answer(question, k=3)
    combination = answer.explanation.query
    assert isinstance(combination, Combination)
    query, against = combination.queries
    assert query == plain.explanation.query
    place = task.answer_place(query)
    asked, of_other = task.names_of(query), task.names_of(against)
    assert [i for i, (a, b) in enumerate(zip(asked, of_other, strict=True)) if a != b] == [place]
    assert of_other[place] == other
    mine, others = (task.value(asker.trained.parameters, [one])[0] for one in (query, against))
    assert answer.value == pytest.approx(mine - others, abs=1e-7)
    assert answer.predicted == plain.predicted == asked[place]
    assert answer.alternatives == plain.alternatives
    # What supports both alike does not count.
    each = asker.explainer(answer.method).matrix([query, against])
    np.testing.assert_allclose(
        answer.explanation.influences, (each[0] - each[1])[answer.explanation.example_ids], rtol=1e-6, atol=1e-12
    )
    assert list(answer.frame)[-3:] == ["connection", "connection with the other", "example_id"]
    connected = task.examples(answer.frame.example_id.to_numpy(), against)["connection"]
    assert answer.frame["connection with the other"].tolist() == connected.tolist()
    told = json.loads(json.dumps(answer.to_dict()))
    assert told["rather_than"] == other
    assert told["difference"] == answer.value
    assert told[f"{task.unit} of each"] == pytest.approx([mine, others])
    assert task.unit not in told


@pytest.mark.parametrize(
    ("name", "question", "other"), [QUESTIONS[0], QUESTIONS[4], pytest.param(*QUESTIONS[6], marks=pytest.mark.slow)]
)
def test_a_check(request: pytest.FixtureRequest, name: str, question: str, other: str) -> None:
    """It is measured by trainings of its own; and whether the other answer would win."""
    asker: Asker = request.getfixturevalue(name)
    task = asker.task
    answer = asker.answer(question, k=3, rather_than=other)
    checks = asker.check(answer, seeds=2, jobs=2)
    whole, first, *_ = checks[0].before[0], checks[0]
    assert asker.check(answer, seeds=2, jobs=1) == checks
    queries = answer.explanation.query.queries
    if not task.continues:
        assert whole == answer.value
        without = task.train(removed=first.example_ids, length=asker.trained.length).parameters
        mine, others = (task.value(without, [one])[0] for one in queries)
        assert first.after[0] == pytest.approx(mine - others, abs=1e-7)
    for check in checks:
        # Also in a training where the other is ahead with all examples: what is told is who wins without some.
        changed = tuple(after < 0 for after in check.after)
        # If it is not ahead to begin with, nothing can overtake it.
        assert check.top_changed == (changed if whole >= 0 else None)
        assert check.fallen is None
    related = related_to(task, answer.explanation.query)
    random = [check for check in checks if check.what == RANDOM]
    assert len(random) == 2
    assert all(np.isin(check.example_ids, related).all() for check in random)
    assert checks[-1].what == NOTHING
    assert [check_of_dict(json.loads(json.dumps(check.to_dict()))) for check in checks] == checks
    told = conclusion(checks)
    assert f"the lead of {answer.predicted} over {other} " in told
    if whole >= 0:
        assert f"{other} would win in {sum(first.top_changed or ())} of 2 trainings." in told
        assert f"{other} would win" in check_frame(checks)
    text = page(asker, answer, checks)
    assert f"Why {answer.predicted} rather than {other}?" in text
    drawings = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert {other, answer.predicted} <= set(re.findall(r">([^<>]+)<", drawings))


def test_the_other_wins_only_where_it_is_ahead_afterwards(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a training where it is ahead with all examples, and behind without some."""
    answer = asker.answer("e1,r1,?", k=1, rather_than="e2")
    ahead, behind = Look(0.3, FIRST, (0.5, 0.2)), Look(-0.1, OTHER, (0.2, 0.3))
    monkeypatch.setattr(asker.checker, "_looks", lambda *_: [[[ahead, behind, behind], [behind, ahead, behind]]])
    check, *_ = asker.check(answer, seeds=3, controls=False)
    assert check.top_changed == (True, False, True)
    assert "e2 would win in 2 of 3 trainings." in conclusion([check])


def test_over_several_trainings(asker: Asker) -> None:
    """Signs and standard errors are those of the difference."""
    answer = asker.answer("e1,r1,?", k=3, trainings=3, rather_than="e2")
    queries = answer.explanation.query.queries
    each = [explainer.matrix(queries) for explainer in (Asker(one).explainer("gr") for one in asker.members(3))]
    differences = np.stack([matrix[0] - matrix[1] for matrix in each])[:, answer.explanation.example_ids]
    np.testing.assert_allclose(answer.explanation.influences, differences.mean(axis=0), rtol=1e-6, atol=1e-12)
    assert answer.explanation.standard_errors is not None
    np.testing.assert_allclose(
        answer.explanation.standard_errors, differences.std(axis=0, ddof=1) / np.sqrt(3), rtol=1e-6, atol=1e-12
    )
    assert "same sign in" in answer.frame


def test_the_place_of_the_question_stays(asker: Asker) -> None:
    """Of (?, relation, tail), both predictions are of heads."""
    query, other = asker.answer("?,r1,e2", rather_than="e3").explanation.query.queries
    assert query.place == other.place == HEAD
    assert asker.answer("?,r1,e2", rather_than="e3").about.title.endswith(" rather than e3?")


def test_the_fewest_without_which_the_other_wins(asker: Asker) -> None:
    """Retraining shows what is said of both sets."""
    best, second = (one.name for one in asker.answer("e1,r1,?").alternatives[:2])
    answer = asker.answer("e1,r1,?", rather_than=second)
    minimal = minimal_sets(asker, answer, most=40)
    task, queries = asker.task, answer.explanation.query.queries
    needed = minimal.necessary.example_ids
    assert needed is not None
    assert minimal.instead == second
    mine, other = task.value(task.train(removed=needed, length=asker.trained.length).parameters, queries)
    assert other > mine
    told = [found.text for found in found_sets(asker, answer, minimal)]
    assert told[0].startswith(f"Without {'this' if len(needed) == 1 else 'these'}, {second} is ahead of {best} (")
    assert f"{best} is still ahead of {second}" in told[1]
    behind = asker.answer(f"e1,r1,{second}", rather_than=best)
    assert behind.value < 0
    assert f"the model does NOT prefer {second}" in behind.about.told(behind.value)
    with pytest.raises(InputError, match=f"minimal sets are of an answer that is ahead of the other; {second} is not"):
        minimal_sets(asker, behind)


def test_mistakes(asker: Asker) -> None:
    best = asker.answer("e1,r1,?").predicted
    for other, told in (
        ("e99", "unknown entity 'e99'"),
        ("?", "rather_than must name one answer; got '?'"),
        (" ", "rather_than must name one answer; got ' '"),
        (best, f"rather_than must name another answer than {best}, which is explained"),
    ):
        with pytest.raises(InputError, match=re.escape(told)):
            asker.answer("e1,r1,?", rather_than=other)


def test_who_is_ahead_is_told() -> None:
    ahead = RatherThan("cuba", "probability", "uk", (0.5, 0.25))
    assert ahead.told(0.25) == (
        "The model gives cuba a probability of 0.5000, and uk a probability of 0.2500: the model prefers cuba. "
        "Explained is the difference, +0.2500."
    )
    behind = RatherThan("uk", "stars", "cuba", (2.0, 4.5))
    assert behind.told(-2.5) == (
        "The model gives uk 2.0000 stars, and cuba 4.5000 stars: the model does NOT prefer uk. "
        "Explained is the difference, -2.5000."
    )
