"""Answers: the prediction, what speaks for and against it, and whether that is true."""

import dataclasses
import functools
import re
from typing import Any

import numpy as np
import pytest

from gr_tf.asking.answer import parse_question
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import FAILED, HELD, UNCERTAIN, Check, check_frame, conclusion
from gr_tf.attribution import methods
from gr_tf.attribution.fia_settings import FiaSettings
from gr_tf.attribution.hessian import Diagnostics
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.data.triples import Query
from gr_tf.errors import InputError
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import OPEN, Task
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask

# A question to each of the toys.
QUESTIONS = {
    "asker": "e1,r1,e2",
    "rating_asker": "u1,i2",
    "single_rating_asker": "u1,i2",
    "sequence_asker": "i1,i2,i3,?",
}


def test_questions() -> None:
    assert parse_question(" poland, ngoorgs3 ,?") == ("poland", "ngoorgs3", "?")
    assert parse_question('u1,"Good, the Bad, The"') == ("u1", "Good, the Bad, The")
    wrong: dict[type[Task[Any]], tuple[str, ...]] = {
        TripleTask: ("", "a,b", "a,b,c,d", "a,,c", 'a,"b,c', "a,b,c\nd,e,f"),
        RatingTask: ("", "a", "a,b,c", "a,"),
        SequenceTask: ("", "a", "a,,?"),
    }
    for task, texts in wrong.items():
        told = re.escape(f"a question is {','.join(task.parts)}, with quotes around a part that has a comma; got ")
        for text in texts:
            with pytest.raises(InputError, match=told):
                task.check_parts(parse_question(text))
        task.check_parts(["a"] * len(task.parts))


def test_an_open_tail(asker: Asker) -> None:
    triples, parameters = asker.task.dataset, asker.trained.parameters
    answer = asker.answer("e1,r1,?", k=3)
    query: Query = answer.explanation.query
    scores = asker.task.model.score_all_tails(parameters.table, np.array([query.head]), np.array([query.relation]))
    known = {
        int(tail)
        for part in (triples.train, triples.valid)
        for head, relation, tail in part
        if (head, relation) == (query.head, query.relation)
    }
    order = [int(tail) for tail in np.argsort(-np.asarray(scores)[0], kind="stable") if tail not in known]
    assert [alternative.name for alternative in answer.alternatives] == [triples.entities.names[i] for i in order[:5]]
    assert query.tail == order[0]
    assert answer.asked == ("e1", "r1", OPEN)
    assert answer.predicted == triples.entities.names[order[0]]
    assert answer.value == pytest.approx(answer.alternatives[0].probability, rel=1e-5)
    assert answer.value == asker.task.value(parameters, [query])[0]


def test_for_and_against(asker: Asker) -> None:
    answer = asker.answer("e1,r1,e2", k=3)
    assert answer.asked == ("e1", "r1", "e2")
    assert not answer.alternatives
    explanation = answer.explanation
    assert answer.proponents.example_id.tolist() == explanation.example_ids[:3].tolist()
    assert answer.opponents.example_id.tolist() == explanation.example_ids[::-1][:3].tolist()
    assert (answer.proponents.influence > 0).all()
    assert (answer.opponents.influence < 0).all()
    assert list(answer.frame) == ["influence", "head", "relation", "tail", "connection", "example_id"]
    told = answer.to_dict()
    assert told["probability"] == answer.value
    assert [row["example_id"] for row in told["opponents"]] == answer.opponents.example_id.tolist()


def test_a_sequence(sequence_asker: Asker) -> None:
    """A history by its items, or by its user: the latest choices."""
    data = sequence_asker.task.dataset
    answer = sequence_asker.answer("i1,i2,i3,?", k=4)
    assert answer.asked == ("i1", "i2", "i3", OPEN)
    assert answer.predicted not in answer.asked
    assert answer.predicted == answer.alternatives[0].name
    assert answer.value == pytest.approx(answer.alternatives[0].probability, rel=1e-5)
    assert list(answer.frame) == ["influence", "user", "item", "after", "before", "connection", "example_id"]
    for row in answer.frame.to_dict("records"):
        assert row["item"] == data.title(int(data.train.targets[row["example_id"]]))
        assert ("its item is in the history" in row["connection"]) == (row["item"] in ("i1", "i2", "i3"))
    user, item = data.users.names[3], data.items.names[0]
    by_user = sequence_asker.answer(f"{user},{item}").explanation.query
    assert by_user == data.query_of_user(user, data.target_of(item))
    history = ",".join(data.title(target) for target in by_user.history)
    assert sequence_asker.answer(f"{history},{item}").explanation.query == by_user


def members(asker: Asker, count: int, length: int) -> list[GradientRollback]:
    task, found = asker.task, []
    for seed in range(count):
        member = task.with_config(seed=seed, negatives_seed=seed)
        found.append(GradientRollback(train_in_memory(member, length=length)))
    return found


def test_several_trainings(asker: Asker) -> None:
    """Each of other initial values and negatives; what they disagree on is said not to be certain."""
    alone, several = (asker.answer("e1,r1,e2", k=60, trainings=count) for count in (1, 4))
    assert several.value == alone.value
    assert "sign" not in alone.frame
    explainers = members(asker, 4, asker.trained.epoch)
    found = []
    for explainer in explainers:
        explanation = explainer.rank(Query(1, 1, 2))
        found.append(explanation.influences[np.argsort(explanation.example_ids)])
    frame = several.frame.sort_values("example_id")
    np.testing.assert_allclose(frame.influence, np.mean(found, axis=0), rtol=1e-9, atol=1e-15)
    errors = np.std(found, axis=0, ddof=1) / 2
    np.testing.assert_allclose(frame["standard error"], errors, rtol=1e-9, atol=1e-15)
    # No sign that a single t-test leaves open (3 degrees of freedom) is called certain.
    clear = np.abs(np.mean(found, axis=0)) > 3.182446305284263 * errors
    agreeing = (np.sign(found) == np.sign(np.mean(found, axis=0))).sum(axis=0)
    assert frame["same sign in"].tolist() == [f"{count} of 4" for count in agreeing]
    certain = (frame["sign"] == "certain").to_numpy()
    assert not (certain & ~clear).any()
    assert not certain.all()
    assert several.to_dict()["trainings"] == several.trainings == 4
    # Checked on trainings that were not explained.
    (first, *_) = asker.check(several, seeds=2)
    for seed, before in zip((4, 5), first.before, strict=True):
        task = asker.task.with_config(seed=seed, negatives_seed=seed)
        assert before == task.value(task.train(length=asker.trained.epoch).parameters, [Query(1, 1, 2)])[0]
    removed = np.array(first.example_ids)
    changes = [
        one.rolled_back.together(Query(1, 1, 2), removed) - one.rolled_back.without(Query(1, 1, 2), removed)[0]
        for one in explainers
    ]
    assert first.predicted == pytest.approx(np.mean(changes))
    assert several.frame["sign"].iloc[0] == "not certain"
    warning = several.warnings[-1]
    agree, tested = several.frame["same sign in"].iloc[0], len(several.explanation.influences)
    assert warning == (
        f"{agree} trainings agree that the first example supports it, but not even its sign is certain among {tested} "
        "tested (false discovery rate 5%); so few trainings can hardly make a sign certain: try 20"
    )
    with pytest.raises(InputError, match="trainings must be at least 1; got 0"):
        asker.answer("e1,r1,e2", trainings=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sequence_asker", "rating_asker"])
def test_several_trainings_of_every_kind(request: pytest.FixtureRequest, name: str) -> None:
    asker: Asker = request.getfixturevalue(name)
    several = asker.answer(QUESTIONS[name], k=3, trainings=3)
    query, trained = several.explanation.query, asker.trained
    found = []
    for seed in range(3):
        member = train_in_memory(asker.task.with_config(seed=seed), length=trained.length)
        explanation = methods.explainer(member).rank(query)
        found.append(explanation.influences[np.argsort(explanation.example_ids)])
    order = np.argsort(several.explanation.example_ids)
    influences, errors = several.explanation.influences[order], several.explanation.standard_errors
    assert errors is not None
    np.testing.assert_allclose(influences, np.mean(found, axis=0), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(errors[order], np.std(found, axis=0, ddof=1) / 3**0.5, rtol=1e-6, atol=1e-9)
    assert list(several.frame.columns[:3]) == ["influence", "standard error", "sign"]


@pytest.mark.slow
def test_methods(request: pytest.FixtureRequest) -> None:
    refused = {("asker", "criage"), ("rating_asker", "gr"), ("rating_asker", "replay")}
    for name, question in QUESTIONS.items():
        asker: Asker = request.getfixturevalue(name)
        for method, entry in asker.methods.items():
            # What only a training rating by rating allows; the rest is as in batches.
            if (name, method) not in refused and (name != "single_rating_asker" or method == "gr"):
                answer = asker.answer(question, method, k=2)
                assert answer.method == method
                assert answer.estimates == entry.estimates
                assert np.isfinite(answer.explanation.influences).all()
    asker, rating_asker = request.getfixturevalue("asker"), request.getfixturevalue("rating_asker")
    with pytest.raises(InputError, match=r"method must be one of gr, .*, nh for triples; got 'fia'"):
        asker.answer("e1,r1,e2", "fia")
    with pytest.raises(InputError, match=r"method must be one of fia, .*, nh for ratings; got 'influence'"):
        rating_asker.answer("u1,i2", "influence")
    with pytest.raises(InputError, match="criage explains models trained with loss='sigmoid'; this one's loss is soft"):
        asker.answer("e1,r1,e2", "criage")
    with pytest.raises(InputError, match="batch_size=1"):
        rating_asker.answer("u1,i2", "gr")
    with pytest.raises(InputError, match="replaying a training of ratings needs optimizer='sgd' or 'adagrad'"):
        rating_asker.answer("u1,i2", "replay")
    with pytest.raises(InputError, match="k must be at least 1; got 0"):
        asker.answer("e1,r1,e2", k=0)
    with pytest.raises(InputError, match="unknown relation 'r9'"):
        asker.answer("e1,r9,?")


def test_settings_of_methods(rating_asker: Asker) -> None:
    damped = Asker(rating_asker.trained, settings={"fia": {"settings": FiaSettings(damping=10.0)}})
    sizes = [np.abs(one.answer("u1,i2").explanation.influences).max() for one in (damped, rating_asker)]
    assert sizes[0] < sizes[1] / 2


def cost_of(seconds: float, task: Task[Any], **more: bool) -> methods.Cost:
    return methods.Cost(0, seconds, **more)


def test_what_takes_long_is_told(
    asker: Asker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh, entry = Asker(asker.trained), methods.METHODS["triples"]["gr"]
    for seconds, told in ((9.0, ""), (34.4, "Method gr will take about 34 s of one core.\n")):
        slow = dataclasses.replace(entry, cost=functools.partial(cost_of, seconds))
        monkeypatch.setitem(methods.METHODS["triples"], "gr", slow)
        fresh.answer("e1,r1,e2", "gr", k=2)
        assert capsys.readouterr().err == told
        fresh.answer("e1,r1,e2", "nh")
        capsys.readouterr()
    slow = dataclasses.replace(entry, cost=functools.partial(cost_of, 1e6))
    monkeypatch.setitem(methods.METHODS["triples"], "gr", slow)
    with pytest.raises(InputError, match="the limit is 10 minutes"):
        fresh.answer("e1,r1,e2", "gr")
    slow = dataclasses.replace(entry, cost=functools.partial(cost_of, 1800.0, at_most=True, limited=False))
    monkeypatch.setitem(methods.METHODS["triples"], "gr", slow)
    Asker(asker.trained).answer("e1,r1,e2", "gr")
    assert capsys.readouterr().err == "Method gr will take at most about 30 minutes of one core.\n"


def test_warnings_are_told_once(rating_asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = Diagnostics(solver="cg", damping=0, residual=0.5, converged=False, negative_curvature=True)
    good = Diagnostics(solver="cg", damping=0, residual=0)
    fresh = Asker(rating_asker.trained)
    explainer = fresh.explainer("fia")
    found = explainer.influences([fresh.answer("u1,i2").explanation.query])
    for systems, suffix in (((bad, bad, good), " (2 of 3 systems)"), ((bad,), ""), ((good,), None)):
        replaced = [dataclasses.replace(found[0], systems=systems)]
        monkeypatch.setattr(explainer, "influences", lambda queries, replaced=replaced: replaced)
        wanted = ("negative curvature: influences may be wrong, even in sign", "not solved: relative residual 0.5")
        told = [warning for warning in fresh.answer("u1,i2").warnings if warning != fresh.quality.warning]
        assert told == ([] if suffix is None else [one + suffix for one in wanted])


def test_connections(asker: Asker) -> None:
    triples = asker.task.dataset
    query = Query(*(int(part) for part in triples.train[0]))
    head, tail = (triples.entities.names[i] for i in (query.head, query.tail))
    connections = asker.task.examples(np.arange(60), query).connection
    told = dict(zip(map(tuple, triples.train.tolist()), connections, strict=True))
    assert told[query.head, query.relation, query.tail] == "same head and relation and tail"
    for (first, relation, last), text in told.items():
        assert ("same" in text) == (first == query.head or relation == query.relation or last == query.tail)
        assert (f"{head} as its tail" in text) == (last == query.head)
        assert (f"{tail} as its head" in text) == (first == query.tail)
        shares = {first, last} & {query.head, query.tail} or relation == query.relation
        assert (text == "none") == (not shares)


def test_rolling_back_together(asker: Asker) -> None:
    explainer = GradientRollback(asker.trained)
    explanation, trained = explainer.rank(Query(1, 1, 2)), asker.trained
    for place in (0, 5, -1):
        one = explanation.example_ids[[place]]
        assert explainer.change_without(explanation, one) == pytest.approx(-explanation.influences[place])
    table = trained.parameters.table.copy()
    few = explanation.example_ids[:4]
    assert trained.deltas is not None
    for i in few:
        for row, delta in zip(
            asker.task.model.rows_of(asker.task.dataset.train[[i]])[0], trained.deltas[i], strict=True
        ):
            table[row] -= delta
    parameters = dataclasses.replace(trained.parameters, table=table)
    (want,) = asker.task.value(parameters, [explanation.query])
    assert explainer.rolled_back.together(explanation.query, few) == pytest.approx(want)
    assert explainer.change_without(explanation, few) == pytest.approx(want - explanation.prediction)


@pytest.mark.parametrize(
    "name", ["asker", pytest.param("single_rating_asker", marks=pytest.mark.slow), "sequence_asker"]
)
def test_a_check_is_by_training_anew(request: pytest.FixtureRequest, name: str) -> None:
    """As long as the explained model, whose epoch may have been selected; it is the first of the trainings."""
    asker: Asker = request.getfixturevalue(name)
    answer = asker.answer("e1,r1,?" if name == "asker" else QUESTIONS[name], k=4)
    task, query = asker.task, answer.explanation.query
    seeds = 1 if name == "single_rating_asker" else 2
    first, all_of_them, *_ = checks = asker.check(answer, seeds=seeds, jobs=2)
    assert first.example_ids == tuple(answer.explanation.example_ids[:1])
    assert all_of_them.example_ids == tuple(answer.explanation.example_ids[:4])
    assert first.before == all_of_them.before
    for seed in range(seeds):
        other = task.with_config(seed=task.config.seed + seed) if seed else task
        removals = [[], list(first.example_ids), list(all_of_them.example_ids)]
        parts = [other.train(removed=removed, length=asker.trained.length).parameters for removed in removals]
        values = [task.value(parameters, [query])[0] for parameters in parts]
        assert [first.before[seed], first.after[seed], all_of_them.after[seed]] == values
        tops = [task.top(parameters, query) for parameters in parts]
        for check, top in zip(checks[:2], tops[1:], strict=True):
            assert (check.top_changed is not None) == (task.answer_of(query) is not None)
            assert check.top_changed is None or check.top_changed[seed] == (top != tops[0])
    assert first.before[0] == answer.value
    if answer.estimates:
        assert first.predicted == pytest.approx(-answer.explanation.influences[0])
    else:
        assert first.predicted is all_of_them.predicted is None
    with pytest.raises(InputError, match="seeds must be at least 1; got 0"):
        asker.check(answer, seeds=0)
    with pytest.raises(InputError, match="jobs must be at least 1; got 0"):
        asker.check(answer, jobs=0)
    with pytest.raises(InputError, match="a check of this model trains anew"):
        Asker(asker.trained, retraining_length=5)


def test_only_the_best_answer_can_be_replaced(asker: Asker, sequence_asker: Asker) -> None:
    """Of another one, nothing is said of changes of the best."""
    for one, start in ((asker, "e1,r1"), (sequence_asker, "i1,i2,i3")):
        answers = one.answer(f"{start},?", k=1).alternatives
        assert [
            one.check(one.answer(f"{start},{answer.name}", k=1), controls=False)[0].top_changed is None
            for answer in answers
        ] == [place > 0 for place in range(len(answers))]


def test_a_check_of_ratings(rating_asker: Asker) -> None:
    """All trainings go on from the explained model."""
    answer = rating_asker.answer("u1,i2", k=3)
    first, all_of_them = rating_asker.check(answer, seeds=2, jobs=2, controls=False)
    trained, query = rating_asker.trained, answer.explanation.query
    for place, seed in enumerate((1, 2)):
        for removed, got in (
            ([], first.before[place]),
            (list(first.example_ids), first.after[place]),
            (list(all_of_them.example_ids), all_of_them.after[place]),
        ):
            training = trained.task.train(removed=removed, length=300, seed=seed, start=trained.state)
            assert got == trained.task.value(training.parameters, [query])[0]
    assert first.predicted == -answer.explanation.influences[0]
    assert all_of_them.predicted == pytest.approx(-answer.explanation.influences[:3].sum())
    assert all_of_them.top_changed is None
    assert rating_asker.task.check_length(trained.epoch) == 24_000
    with pytest.raises(InputError, match="retraining_length must be at least 1; got 0"):
        Asker(trained, retraining_length=0)


def check_of(before: list[float], after: list[float]) -> Check:
    return Check(tuple(range(len(before))), -0.2, tuple(before), tuple(after), (False,) * len(before))


def test_verdicts() -> None:
    assert check_of([0.5], [0.4]).verdict == HELD
    assert check_of([0.5], [0.5]).verdict == FAILED
    assert check_of([0.5, 0.5, 0.5], [0.4, 0.41, 0.39]).verdict == HELD
    assert check_of([0.5, 0.5, 0.5], [0.4, 0.7, 0.3]).verdict == UNCERTAIN
    assert check_of([0.5, 0.5, 0.5], [0.6, 0.61, 0.59]).verdict == FAILED
    assert conclusion([check_of([0.5], [0.4]), check_of([0.5], [0.6])]) == (
        "Held in this one training: without the first example the prediction fell. Another seed may differ: "
        "ask for several seeds. "
        "Did NOT hold: without the first example the prediction did not fall in the one training that was done."
    )
    # All fell, but by so different an amount that the mean may be 0.
    uncertain = check_of([0.5, 0.9], [0.4, 0.1])
    assert uncertain.verdict == UNCERTAIN
    assert conclusion([uncertain]).startswith(
        "Not certain: without the first 2 the prediction fell in 2 of 2 trainings"
    )
    assert conclusion([check_of([0.5] * 3, [0.6, 0.61, 0.59])]).startswith("Did NOT hold: without the first 3")
    frame = check_frame([check_of([0.5, 0.5, 0.5], [0.4, 0.41, 0.39])])
    assert frame.iloc[0].to_dict() == {
        "removed": "the first 3",
        "predicted change": "-0.2000",
        "measured change": "-0.1000 [-0.1248, -0.0752]",
        "top-1 changed": "0 of 3",
        "explanation": HELD,
    }


def test_nothing_supports(asker: Asker) -> None:
    answer = asker.answer("e1,r1,e2")
    nothing = dataclasses.replace(answer, frame=answer.opponents)
    with pytest.raises(InputError, match="no example supports the prediction: there is nothing to remove"):
        asker.check(nothing)
