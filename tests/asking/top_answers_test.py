"""The best few answers to open questions of every kind, each with its reasons and its check."""

import csv
import io
import json
import pathlib
import re
from typing import Any

import numpy as np
import pytest

from gr_tf.asking.answer import Answer
from gr_tf.asking.asker import Asker
from gr_tf.asking.top_answers import answers_dict, answers_frame, check_answers, top_answers
from gr_tf.asking.top_page import top_page
from gr_tf.attribution.base import Explainer, Explanation
from gr_tf.data.choices import ChoiceSet
from gr_tf.errors import InputError
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.trained import train_in_memory
from gr_tf.training.triple_config import TripleConfig
from tests.commands.program import gr_tf

QUESTIONS = {
    "asker": "e1,r1,?",
    "single_rating_asker": "u1,?",
    "sequence_asker": "u1,?",
    "choice_asker": "u1,?",
}


@pytest.fixture(scope="session")
def choice_asker(toy_choices: ChoiceSet) -> Asker:
    config = TripleConfig(dim=3, num_negatives=5, epochs=6, optimizer="adagrad", batch_size=16, learning_rate=0.3)
    return Asker(train_in_memory(ChoiceTask(toy_choices, config)))


def alike(first: Answer, second: Answer) -> None:
    """Both tell the same of one answer, apart from the alternatives."""
    for one, other in ((first.explanation.influences, second.explanation.influences), (first.value, second.value)):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert first.frame.example_id.tolist() == second.frame.example_id.tolist()
    assert first.predicted == second.predicted


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_is_the_answer_to_its_question(request: pytest.FixtureRequest, name: str) -> None:
    asker: Asker = request.getfixturevalue(name)
    question = QUESTIONS[name]
    answers = top_answers(asker, question, n=3, k=4)
    values = [answer.value for answer in answers]
    assert values == sorted(values, reverse=True)
    assert 1 < len(answers) <= 3
    assert len({answer.predicted for answer in answers}) == len(answers)
    alike(answers[0], asker.answer(question, k=4))
    for answer in answers:
        assert [one.name for one in answer.alternatives] == [other.predicted for other in answers]
        assert [one.value for one in answer.alternatives] == pytest.approx(values, rel=1e-5)
        alike(answer, asker.answer(question.replace("?", f'"{answer.predicted}"'), k=4))
    frame = answers_frame(answers)
    assert frame.columns[:2].tolist() == ["answer", "influence"]
    assert frame.answer.tolist() == [answer.predicted for answer in answers for _ in range(len(answer.frame))]


def test_other_methods_and_trainings(asker: Asker) -> None:
    for answer in top_answers(asker, "e1,r1,?", n=2, method="tracin", k=3, trainings=2):
        assert (answer.method, answer.trainings) == ("tracin", 2)
        assert "standard error" in answer.frame


def test_each_is_doubted_for_its_own_reasons(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubts(explanation: Explanation[Any]) -> list[str]:
        return [f"doubt of answer {explanation.query.tail}"]

    for module in ("asker", "top_answers"):
        monkeypatch.setattr(f"gr_tf.asking.{module}.doubts", doubts)
    monkeypatch.setattr(Explainer, "warnings", ("doubt of all",))
    answers = top_answers(asker, "e1,r1,?", n=3)
    for answer in answers:
        own = [warning for warning in answer.warnings if warning.startswith("doubt")]
        assert own == ["doubt of all", f"doubt of answer {answer.explanation.query.tail}"]
        assert answer.warnings[: -len(own)] == answers[0].warnings[: -len(own)]


def test_no_more_than_there_are(single_rating_asker: Asker) -> None:
    task, parameters = single_rating_asker.task, single_rating_asker.trained.parameters
    query, _ = task.read_question(["u1", "?"])
    assert len(top_answers(single_rating_asker, "u1,?", n=1000)) == len(task.best(parameters, query, 1000)) < 1000


def test_what_is_refused(asker: Asker) -> None:
    with pytest.raises(InputError, match=r"the best answers are of a question with \? for its answer; got 'e1,r1,e2'"):
        top_answers(asker, "e1,r1,e2")
    with pytest.raises(InputError, match="n must be at least 1; got 0"):
        top_answers(asker, "e1,r1,?", n=0)


def test_checks(choice_asker: Asker) -> None:
    answers = top_answers(choice_asker, "u1,?", n=2, k=2)
    every = check_answers(choice_asker, answers, controls=False)
    task = choice_asker.task
    for answer, checks in zip(answers, every, strict=True):
        assert [check.example_ids for check in checks] == [
            tuple(answer.supporting_ids[:1]),
            tuple(answer.supporting_ids),
        ]
        for check in checks:
            without = task.train(removed=list(check.example_ids), length=choice_asker.trained.length).parameters
            assert check.after == tuple(task.value(without, [answer.explanation.query]))
    # Another answer than the best one cannot be overtaken.
    assert [checks[0].top_changed is None for checks in every] == [False, True]
    told = answers_dict(answers, every)
    assert [one["predicted"] for one in told] == [answer.predicted for answer in answers]
    assert all("alternatives" not in one and len(one["checks"]) == 2 for one in told)
    text = top_page(choice_asker, answers, every)
    for place, answer in enumerate(answers, start=1):
        assert f'<section id="answer-{place}">' in text
        assert f"{place}. Why <bdi>{answer.predicted}</bdi>?" in text
        for example_id in answer.frame.example_id:
            assert f"<bdi>{example_id}</bdi>" in text
    assert text.count("Is it true?") == 2
    # Nothing is loaded and nothing runs.
    assert not re.search(r"<script[^>]|https?://|<img|<link(?! rel=\"icon\" href=\"data:,\")", text)
    assert len(text.encode()) < 100_000
    assert top_page(choice_asker, answers).count("Is it true?") == 0


@pytest.mark.slow
def test_by_command(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    data = pathlib.Path(__file__).parents[1] / "testdata" / "choices.csv"
    run = (f"--data_dir={data}", "--min_interactions=2", "--epochs=3", "--dim=3", f"--run_dir={tmp_path / 'run'}")
    asked = ("explain", *run, "--query=ann,?", "--top=2", "--k=2")
    page = tmp_path / "top.html"
    assert gr_tf(*asked, f"--report={page}") == 0
    out, err = capsys.readouterr()
    assert "(ann, ?): the most probable items that the user is not known to have chosen" in out
    first, second = re.findall(r"^  [12]\. 0\.\d+  (\w+)$", out, re.MULTILINE)
    assert f"Why {first}? Gradient Rollback" in out
    assert f"Why {second}? Gradient Rollback" in out
    assert "Choices have no order: each competes with all" in err
    assert f"Why <bdi>{second}</bdi>?" in page.read_text()
    assert gr_tf(*asked, "--output=json", "--verify", "--nocontrols") == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["predicted"] for one in told["answers"]] == [first, second]
    assert all(one["checks"] for one in told["answers"] if one["proponents"])
    assert gr_tf(*asked, "--output=csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(dict.fromkeys(row["answer"] for row in rows)) == [first, second]
    assert gr_tf(*asked[:-2], "--top=100", "--k=1") == 0
    assert re.search(r"No more than \d answers are left", capsys.readouterr().err)
