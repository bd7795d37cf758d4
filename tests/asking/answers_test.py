"""Many questions at once: the same answers as one at a time; mistakes are told before any work."""

import pandas as pd
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.errors import InputError
from gr_tf.tasks import triple_rollback

QUESTIONS = ["e1,r1,?", ("e2", "r0", "?"), "?,r1,e2", "e1,?,e2", "e3,r2,e4", "e1,r1,?"]


@pytest.mark.parametrize("few", [0, 1 << 20])
def test_answers_are_those_of_each_question_alone(asker: Asker, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triple_rollback, "_FEW_SCORES", few)
    answers = asker.answers(QUESTIONS, k=3)
    assert len(answers) == len(QUESTIONS)
    for question, answer in zip(QUESTIONS, answers, strict=True):
        alone = asker.answer(question, k=3)
        assert answer.to_dict() == alone.to_dict()
        pd.testing.assert_frame_equal(answer.frame, alone.frame, check_exact=True)
        whole = answer.explanation
        assert answer.frame.example_id.tolist() == whole.strongest(3).example_ids.tolist()
    assert asker.answers([]) == []


def test_answers_of_other_methods_and_kinds(asker: Asker, rating_asker: Asker) -> None:
    (one,) = asker.answers(iter(["e1,r1,?"]), "tracin", k=2, trainings=2)
    assert (one.method, one.k, one.trainings) == ("tracin", 2, 2)
    given, best = rating_asker.answers(["u1,i2", "u1,?"])
    assert given.predicted == "i2"
    assert best.alternatives


def test_mistakes_come_before_the_first_answer(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asker, "answer", lambda *_, **__: pytest.fail("work was done before the mistake was told"))
    with pytest.raises(InputError, match=r"^question 1: .*'nobody'"):
        asker.answers(["e1,r1,?", "nobody,r1,?"])
    with pytest.raises(InputError, match=r"questions must be a list of questions; got one: 'e1,r1,\?'"):
        asker.answers("e1,r1,?")
    with pytest.raises(InputError, match="k must be at least 1; got 0"):
        asker.answers(["e1,r1,?"], k=0)
