"""What chance does, beside a check: an explanation that is none is found out."""

import dataclasses

import numpy as np
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.check import EXPLAINED, NOTHING, RANDOM, Check, check_frame, check_of_dict, conclusion, seeds_frame
from gr_tf.attribution.methods import explainer
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import TripleSet
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


@pytest.fixture(scope="module")
def asker(toy: TripleSet) -> Asker:
    return Asker(train_in_memory(TripleTask(toy, TripleConfig(dim=6, num_negatives=5, epochs=30, learning_rate=0.03))))


def test_controls_are_trainings_without_random_related_examples(asker: Asker) -> None:
    answer = asker.answer("e1,r1,?", k=3)
    checks = asker.check(answer, seeds=2, jobs=2)
    assert [check.what for check in checks] == [EXPLAINED] * 2 + [RANDOM] * 2 + [NOTHING]
    query, task = answer.explanation.query, asker.task
    related = task.related(query)
    for check, count in zip(checks[2:4], (1, 3), strict=True):
        assert len(check.example_ids) == count
        assert np.isin(check.example_ids, related).all()
        assert check.before == checks[0].before
        parameters = task.train(removed=check.example_ids, length=asker.trained.length).parameters
        assert check.after[0] == task.value(parameters, [query])[0]
        assert check.verdict == ""
    nothing = checks[4]
    assert nothing.before == checks[0].before
    assert nothing.after == nothing.before[::-1]
    again = asker.check(answer, seeds=2, jobs=1)
    assert again == checks
    assert [check_of_dict(check.to_dict()) for check in checks] == checks
    assert asker.check(answer, seeds=2, controls=False) == checks[:2]


def test_one_seed_has_another_beside_it(asker: Asker) -> None:
    *_, nothing = asker.check(asker.answer("e1,r1,?", k=1), seeds=1)
    assert nothing.what == NOTHING
    task = asker.task.with_config(seed=asker.task.config.seed + 1)
    query = asker.answer("e1,r1,?").explanation.query
    assert nothing.after == (task.value(task.train(length=asker.trained.length).parameters, [query])[0],)


@pytest.mark.slow
def test_random_examples_presented_as_an_explanation_are_found_out() -> None:
    """Gradient Rollback's are better than chance; a random ranking under its name is not."""
    asker = Asker(train_in_memory(TripleTask(load_triples("nations"), TripleConfig())))
    answer = asker.answer("china,exports3,?", k=10)
    told = conclusion(asker.check(answer, seeds=6, jobs=2))
    assert "10 random related examples change it by" in told
    assert "better than chance (95% interval of the difference below 0)" in told
    random = explainer(asker.trained, "nh", seed=3).rank(answer.explanation.query)
    false = dataclasses.replace(answer, explanation=random, frame=_first(answer.frame, random.example_ids[:10]))
    false_told = conclusion(asker.check(false, seeds=6, jobs=2))
    assert "is better than chance (" not in false_told
    assert "NO better than chance" in false_told or "better than chance is not certain" in false_told


def _first(frame, ids):  # type: ignore[no-untyped-def]
    """The frame of an answer with other examples in it."""
    return frame.iloc[: len(ids)].assign(example_id=ids, influence=1.0)


def _check(what: str, count: int, changes: list[float]) -> Check:
    return Check(tuple(range(count)), None, (0.5,) * len(changes), tuple(0.5 + c for c in changes), None, what)


def test_wordings() -> None:
    first = _check(EXPLAINED, 1, [-0.3, -0.31, -0.29])
    for changes, words in (
        ([-0.01, 0.02, 0.0], "changes it by +0.0033: the explanation is better than chance"),
        ([-0.6, 0.01, 0.0], "that the explanation is better than chance is not certain."),
        ([-0.4, -0.41, -0.5], "But this is NO better than chance: a random related example changes it by -0.4367."),
    ):
        told = conclusion([first, _check(RANDOM, 1, changes), _check(NOTHING, 0, [0.1, -0.1, 0.0])])
        assert told.startswith("Held: without the first example the prediction fell in 3 of 3 trainings")
        assert words in told
    one = conclusion([_check(EXPLAINED, 2, [-0.3]), _check(RANDOM, 2, [-0.1])])
    assert one.endswith("2 random related examples change it by -0.1000 in this training.")
    one = conclusion([_check(EXPLAINED, 1, [-0.1]), _check(RANDOM, 1, [-0.3])])
    assert one.endswith(
        "A random related example changes it by -0.3000 in this training: the explanation is no better."
    )
    few = conclusion([_check(EXPLAINED, 2, [-0.3]), _check(NOTHING, 0, [0.1])])
    assert few.endswith("Fewer than 2 examples are related: chance is not measured.")
    frame = check_frame([first, _check(RANDOM, 1, [-0.01, 0.02, 0.0]), _check(NOTHING, 0, [0.1, -0.3, 0.2])])
    assert frame.removed.tolist() == ["the first example", "1 random related", "nothing, but another seed"]
    assert frame["measured change"].iloc[2] == "by 0.2000"
    assert frame.explanation.tolist() == ["held", "(chance)", "(chance)"]
    by_seed = seeds_frame([first, _check(NOTHING, 0, [0.1, -0.3, 0.2])])
    assert by_seed.columns.tolist() == ["training", "nothing", "the first example"]
    assert by_seed.iloc[1].tolist() == ["2", "0.5000", "0.1900"]
    assert seeds_frame([]).empty
