"""Which training examples help or hurt a whole group of questions."""

import csv
import json
import pathlib
import re

import numpy as np
import pandas as pd
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.check import RANDOM, check_frame, check_of_dict, conclusion
from gr_tf.asking.groups import NUM_BEST, group_of
from gr_tf.asking.minimal import minimal_sets
from gr_tf.asking.page import page
from gr_tf.attribution.combined import Combination, num_related, related_to
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import HEAD, Query
from gr_tf.errors import InputError
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


@pytest.fixture(scope="module")
def frame_asker() -> Asker:
    """Of a DataFrame whose names are whole numbers."""
    rows = [(head, relation, tail) for head in range(5) for relation in range(2) for tail in range(head)]
    frame = pd.DataFrame(rows, columns=["head", "relation", "tail"])
    config = TripleConfig(dim=3, num_negatives=3, epochs=1, batch_size=1)
    return Asker(train_in_memory(TripleTask(load_triples(frame), config)))


@pytest.mark.parametrize("name", ["asker", "rating_asker", pytest.param("sequence_asker", marks=pytest.mark.slow)])
def test_the_test_questions(request: pytest.FixtureRequest, name: str) -> None:
    """Each distinct test example, with its own answer."""
    asker: Asker = request.getfixturevalue(name)
    task = asker.task
    answer = asker.group_answer("test", k=3)
    queries = answer.explanation.query.queries
    told = list(dict.fromkeys(query for query, _ in task.asked_by("test")))
    assert queries == tuple(told)
    values = task.value(asker.trained.parameters, queries)
    assert answer.value == pytest.approx(values.mean(), rel=1e-6)
    each = asker.explainer(answer.method).matrix(queries)
    np.testing.assert_allclose(
        answer.explanation.influences, each.mean(axis=0)[answer.explanation.example_ids], rtol=1e-5, atol=1e-9
    )
    counts = num_related(task, answer.explanation.query)[answer.frame.example_id]
    assert answer.frame.connection.tolist() == [f"{count} of {len(queries)} questions" for count in counts]
    found = json.loads(json.dumps(answer.to_dict()))
    assert found["questions"] == len(queries)
    assert found[f"mean {task.unit}"] == answer.value
    text = page(asker, answer)
    assert "What helps and what hurts the test questions?" in text
    assert f"These are {len(queries)} questions." in text
    assert "As a graph" not in text
    assert f"<bdi>{', '.join(task.names_of(queries[0]))}</bdi>" in text


def test_the_queries_of_a_split_are_its_examples(asker: Asker, rating_asker: Asker, sequence_asker: Asker) -> None:
    triples, ratings, sequences = (one.task.dataset for one in (asker, rating_asker, sequence_asker))
    assert [query for query, _ in asker.task.asked_by("valid")] == [Query(*row) for row in triples.valid.tolist()]
    pairs = [(query.user, query.item) for query, _ in rating_asker.task.asked_by("test")]
    assert pairs == list(map(tuple, ratings.test.pairs.tolist()))
    for split in ("valid", "test"):
        part = getattr(sequences, split)
        for place, (query, (users, items)) in enumerate(sequence_asker.task.asked_by(split)):
            assert [0] * (part.histories.shape[1] - len(query.history)) + list(query.history) == list(
                part.histories[place]
            )
            assert query.target == part.targets[place]
            assert users == (sequences.users.names[part.users[place]],)
            assert sequences.title(query.target) in items


@pytest.mark.parametrize(
    ("name", "group"), [("asker", "relation:r1"), ("rating_asker", "user:u1"), ("sequence_asker", "user:u1")]
)
def test_with_a_name_in_one_part(request: pytest.FixtureRequest, name: str, group: str) -> None:
    """Those held out, for validation or test."""
    asker: Asker = request.getfixturevalue(name)
    part, _, wanted = group.partition(":")
    place = asker.task.columns.index(part)
    held_out = [told for split in ("test", "valid") for told in asker.task.asked_by(split)]
    expected = {query for query, names in held_out if wanted in names[place]}
    queries = group_of(asker.task, group).queries
    assert set(queries) == expected
    assert 0 < len(queries) == len(expected) < len(held_out)


@pytest.mark.parametrize(("name", "question"), [("asker", "e1,r1,?"), ("asker", "?,r1,e2"), ("sequence_asker", "u1,?")])
def test_the_best_answers(request: pytest.FixtureRequest, name: str, question: str) -> None:
    asker: Asker = request.getfixturevalue(name)
    task, parameters = asker.task, asker.trained.parameters
    queries = asker.group_answer(f"best:{question}", "nh").explanation.query.queries
    best = asker.answer(question, "nh").explanation.query
    assert [task.answer_of(query) for query in queries] == [id_ for id_, _ in task.best(parameters, best, NUM_BEST)]
    assert queries[0] == best


def test_a_table_of_questions(asker: Asker, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "questions.csv"
    rows = [("tail", "note", "relation", "head"), ("e2", "", "r1", "e1"), ("e2", "", "r1", "?"), ("e2", "", "r1", "e1")]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    answer = asker.group_answer(str(path))
    first, second = answer.explanation.query.queries
    assert first == asker.answer("e1,r1,e2").explanation.query
    assert second == asker.answer("?,r1,e2").explanation.query
    assert second.place == HEAD
    assert "repeated questions, which count once: 1" in answer.warnings
    assert answer.predicted == "the questions of questions.csv"
    listed = asker.group_answer(["e1,r1,e2", ("?", "r1", "e2")])
    assert listed.explanation.query == answer.explanation.query
    assert listed.predicted == "these 2 questions"


def test_mistakes(asker: Asker, rating_asker: Asker, tmp_path: pathlib.Path) -> None:
    """One line each, which names the file's line."""
    files = {
        "unknown": ("head,relation,tail\ne1,r1,e2\n\ne1,r1,e99\n", "{path}:4: unknown entity 'e99'"),
        "open": ("head,relation,tail\ne1,?,?\n", "{path}:2: one of head, relation, and tail can be asked for"),
        "blank": ("head,relation,tail\n", "{path}: empty: no row in it."),
        "column": ("head,tail\ne1,e2\n", "{path}: has no column relation"),
        "missing": (None, "{path}: cannot be read"),
    }
    for name, (text, told) in files.items():
        path = tmp_path / f"{name}.csv"
        if text is not None:
            path.write_text(text)
        with pytest.raises(InputError, match=re.escape(told.format(path=path))) as caught:
            asker.group_answer(str(path))
        assert "\n" not in str(caught.value)
    for group, told in (
        ("tests", "a group is test or valid (what was held out), head:NAME, relation:NAME, tail:NAME ("),
        ("relation:r11", "has the relation 'r11'. Did you mean 'r1'"),
        ("user:u1", "a group is test or valid"),
        ("best:e1,r1,e2", "best:QUESTION leaves a part of the question open with ?"),
        ("best:e99,r1,?", "unknown entity 'e99'"),
        ([], "the group has no question; got []"),
        (["e1,r1"], "a question is head,relation,tail"),
    ):
        with pytest.raises(InputError, match=re.escape(told)):
            asker.group_answer(group)
    with pytest.raises(InputError, match="has the user 'u99'"):
        rating_asker.group_answer("user:u99")
    with pytest.raises(InputError, match="a group has none to change to"):
        minimal_sets(asker, asker.group_answer("test"))


def test_a_check(asker: Asker) -> None:
    """The mean change is measured by a training of its own; and for how many questions the value fell."""
    task, length = asker.task, asker.trained.length
    answer = asker.group_answer("test", k=4)
    queries = answer.explanation.query.queries
    checks = asker.check(answer, seeds=2)
    before = task.value(asker.trained.parameters, queries)
    for check in checks[:2]:
        after = task.value(task.train(removed=check.example_ids, length=length).parameters, queries)
        assert check.before[0] == answer.value
        assert check.after[0] == pytest.approx(after.mean(), rel=1e-6)
        assert check.fallen is not None
        assert check.fallen[0] == (after < before).sum()
        assert check.questions == len(queries)
        assert check.top_changed is None
    assert checks[0].predicted == pytest.approx(-answer.explanation.influences[0], rel=1e-6)
    related = related_to(task, answer.explanation.query)
    assert all(np.isin(check.example_ids, related).all() for check in checks if check.what == RANDOM)
    assert [check_of_dict(json.loads(json.dumps(check.to_dict()))) for check in checks] == checks
    assert checks[0].fallen is not None
    fell = f"{np.mean(checks[0].fallen):.0f} of {len(queries)} questions"
    assert check_frame(checks)["lower for"].iloc[0] == fell
    told = conclusion(checks)
    assert f"the mean of the {len(queries)} predictions fell in" in told
    assert f"The prediction is lower for {fell}, on average over the trainings." in told
    assert "The mean probability of each training" in page(asker, answer, checks)


def test_a_page_lists_the_first_questions_only(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gr_tf.asking.page._MOST_QUESTIONS", 2)
    answer = asker.group_answer("test", k=2)
    names = [", ".join(asker.task.names_of(query)) for query in answer.explanation.query.queries]
    text = page(asker, answer)
    assert [f"<td><bdi>{name}</bdi></td>" in text for name in names[:3]] == [True, True, False]
    assert f"And {len(names) - 2} more." in text
    monkeypatch.undo()
    assert (
        "And" not in page(asker, asker.group_answer(["e1,r1,e2"], k=2)).split("<h2>The questions")[1].split("<h2>")[0]
    )


def test_over_several_trainings(asker: Asker) -> None:
    """Standard errors are those of the mean over the group."""
    answer = asker.group_answer(["e1,r1,e2", "e3,r1,e2"], k=3, trainings=3)
    queries = answer.explanation.query.queries
    each = np.stack([Asker(one).explainer("gr").matrix(queries).mean(axis=0) for one in asker.members(3)])
    each = each[:, answer.explanation.example_ids]
    assert answer.explanation.standard_errors is not None
    np.testing.assert_allclose(
        answer.explanation.standard_errors, each.std(axis=0, ddof=1) / np.sqrt(3), rtol=1e-6, atol=1e-12
    )


def test_a_group_of_one_is_its_question(asker: Asker) -> None:
    alone, group = asker.answer("e1,r1,e2"), asker.group_answer(["e1,r1,e2"])
    assert group.explanation.query == Combination.mean([alone.explanation.query])
    np.testing.assert_array_equal(group.explanation.example_ids, alone.explanation.example_ids)
    np.testing.assert_array_equal(group.explanation.influences, alone.explanation.influences)
    assert group.value == alone.value
    assert group.about.told(group.value).startswith("This is 1 question.")


def test_names_may_be_whole_numbers(frame_asker: Asker) -> None:
    """As in a DataFrame: in a list of questions, and in a DataFrame of them."""
    expected = frame_asker.group_answer(["1,0,2", "3,0,?"]).explanation.query
    assert frame_asker.group_answer([(1, 0, 2), (3, 0, "?")]).explanation.query == expected
    frame = pd.DataFrame({"tail": [2, "?"], "head": [1, 3], "relation": [0, 0], "note": ["", "b"]}, index=[7, 7])
    answer = frame_asker.group_answer(frame)
    assert answer.explanation.query == expected
    assert repr(answer).startswith("Answer('these 2 questions', mean probability ")
    one = frame_asker.group_answer(frame.head(1))
    assert one.predicted == "this question"
    difference = frame_asker.answer((1, 0, "?"), rather_than=2)
    assert difference.explanation.query == frame_asker.answer("1,0,?", rather_than="2").explanation.query
    told = (
        f"(('1', '0', '?') -> '{difference.predicted}', rather than '2', probability difference {difference.value:.4f}"
    )
    assert told in repr(difference)


def test_mistakes_in_lists_and_frames(frame_asker: Asker) -> None:
    for group, told in (
        (5, "a group is a text, a list of questions, or a DataFrame of them; got 5."),
        (None, "a group is a text, a list of questions, or a DataFrame of them; got None."),
        ([5], "a question is a text such as"),
        ([(1, 0, None)], "part 2 of the question must be text or a whole number; got None."),
        (pd.DataFrame({"head": [1]}), "group: has no column relation, tail; its columns are 'head'."),
        (pd.DataFrame({"head": [1, 99], "relation": [0, 0], "tail": [2, 2]}), "group.iloc[1]: unknown entity '99'"),
    ):
        with pytest.raises(InputError, match=re.escape(told)):
            frame_asker.group_answer(group)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=re.escape("rather_than must be text or a whole number; got ('2',).")):
        frame_asker.answer((1, 0, "?"), rather_than=("2",))  # type: ignore[arg-type]
