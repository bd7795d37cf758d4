"""What answers, checks and models show of themselves: one line in Python, escaped HTML in notebooks, figures, pages."""

import pathlib
import xml.etree.ElementTree
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.checks import Checks
from gr_tf.asking.confirmed import Confirmation, check_seeds
from gr_tf.attribution.base import Influences
from gr_tf.data.sources import load_triples
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.trained import Checkpoint, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

HOSTILE = [
    "<script>alert(1)</script>",
    "$\\frac{$",
    "a\nb",
    "\"q\" & 's'",
    "\u0645\u0631\u062d",
    "{{ 7 * 7 }}",
    "x" * 300,
]


@pytest.fixture(scope="module")
def hostile() -> Asker:
    generator = np.random.default_rng(0)
    rows = {
        (*generator.choice(HOSTILE, 1), f"r{generator.integers(3)}", *generator.choice(HOSTILE, 1)) for _ in range(99)
    }
    triples = load_triples(pd.DataFrame(sorted(rows)))
    config = TripleConfig(dim=4, num_negatives=5, epochs=2, batch_size=1)
    return Asker(train_in_memory(TripleTask(triples, config), validating=True))


def told(name: str, asker: Asker) -> list[tuple[Any, str]]:
    """Everything that an asker gives, and how each is told."""
    question = {"asker": "e1,r1,?", "rating_asker": "u1,i2", "sequence_asker": "i1,i2,i3,?"}[name]
    answer, task = asker.answer(question, k=3), asker.task
    explainer = asker.explainer(answer.method)
    (influences,) = explainer.influences([answer.explanation.query])
    return [
        (asker, "Asker(Trained("),
        (answer, "Answer(("),
        (answer.explanation, "Explanation("),
        (influences, "Influences("),
        (explainer, f"{type(explainer).__name__}(of {type(task).__name__}("),
        (asker.trained, f"Trained({type(task).__name__}("),
        (task, f"{type(task).__name__}({task.config.model} on {type(task.dataset).__name__}("),
        (task.dataset, f"{type(task.dataset).__name__}({task.dataset.name!r}: {task.num_examples:,} train, "),
        (asker.trained.parameters, "Parameters(table ("),
        (asker.quality, "Quality(test "),
    ]


@pytest.mark.parametrize("name", ["asker", "rating_asker", "sequence_asker"])
def test_everything_is_told_in_one_line(request: pytest.FixtureRequest, name: str) -> None:
    for thing, start in told(name, request.getfixturevalue(name)):
        text = repr(thing)
        assert text.startswith(start), text
        assert len(text.splitlines()) == 1
        assert len(text) < 400, text
        assert "array(" not in text


def test_other_values_are_told_in_one_line() -> None:
    parameters = Parameters(np.zeros((3, 2)), (np.zeros(4),))
    assert repr(parameters) == "Parameters(table (3, 2) float64, shared [(4,)])"
    assert repr(Checkpoint(parameters, 0.1)) == f"Checkpoint({parameters!r}, learning_rate=0.1)"
    assert repr(Vocabulary("user", ("a", "b"))) == "Vocabulary('user', 2 names)"
    nothing = Influences(np.zeros(0, np.int64), np.zeros(0), 0.5)
    assert repr(nothing) == "Influences(0 examples, prediction 0.5)"


def test_notebooks_show_names_as_text(hostile: Asker) -> None:
    answer = hostile.answer((HOSTILE[0], "r1", "?"), k=20)
    checks = hostile.check(answer, seeds=2)
    assert isinstance(checks, Checks)
    for name in HOSTILE[:4]:
        assert len(repr(hostile.answer((name, "r1", "?"))).splitlines()) == 1
    minimal = hostile.minimal(answer, most=2)
    shown: list[Any] = [answer, answer.explanation, checks, hostile.quality, minimal]
    for html in (one._repr_html_() for one in shown):
        # Concatenation with other texts escapes nothing, for it is a plain text.
        assert type(html) is str
        assert len(html) < 100_000
        # Well-formed, so that whatever a name has is text.
        tree = xml.etree.ElementTree.fromstring(html)
        assert {element.tag for element in tree.iter()}.isdisjoint({"script", "img", "a"})
    texts = set(xml.etree.ElementTree.fromstring(answer._repr_html_()).itertext())
    for name in {*answer.frame["head"], *answer.frame["tail"]}:
        assert name in texts
    drawn = xml.etree.ElementTree.fromstring(answer._repr_html_()).find(".//svg")
    assert drawn is not None
    assert len(drawn.findall("g/path")) == 1 + min(10, len(answer.frame))
    assert checks.conclusion in "".join(xml.etree.ElementTree.fromstring(checks._repr_html_()).itertext())
    assert len(checks.frame) == len(checks)


def test_the_plot_has_a_bar_for_each_example(hostile: Asker) -> None:
    answer = hostile.answer((HOSTILE[0], "r1", "?"), k=20)
    figure: Any = answer.plot()
    assert figure._repr_png_().startswith(b"\x89PNG")
    (axes,) = figure.axes
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == sorted(answer.frame.influence, reverse=True)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == len(widths)
    assert all(label.isprintable() and len(label) <= 60 for label in labels)
    several = hostile.answer((HOSTILE[0], "r1", "?"), k=2, trainings=2)
    assert len(several.plot().axes[0].collections) == 1  # Standard errors.


def test_an_answers_page(asker: Asker, tmp_path: pathlib.Path) -> None:
    answer = asker.answer("e1,r1,?", k=3)
    path = answer.page(tmp_path / "why.html")
    assert f"Why <bdi>{answer.predicted}</bdi>?" in path.read_text()
    with pytest.raises(InputError, match="exists already"):
        answer.page(path)
    path.write_text("")
    assert answer.page(str(path), overwrite=True).stat().st_size > 1000


@pytest.mark.parametrize(
    ("whole", "after", "stays", "expected"),
    [
        ([1, 1, 1], [2, 3, 2], False, (3, 3, 0, 0)),
        ([1, 1, 1], [2, 1, 2], False, (3, 2, 0, 1)),
        ([1, 5, 1], [2, 2, 1], False, (3, 1, 1, 1)),
        ([1, 1, 5, 5], [1, 2, 1, 5], True, (4, 1, 2, 1)),
    ],
)
def test_confirmation(whole: list[int], after: list[int], stays: bool, expected: tuple[int, ...]) -> None:
    found = Confirmation.of(1, whole, after, stays=stays)
    assert (found.trainings, found.held, found.unpredicted, found.failed) == expected
    text = found.text("x")
    assert text.startswith(f"Confirmed in {found.held} of {found.trainings} trainings of different seeds")
    assert ("does NOT hold" in text) == bool(found.failed)
    assert ("x is not predicted even with all examples" in text) == bool(found.unpredicted)


def test_fewer_than_three_trainings_confirm_nothing(asker: Asker) -> None:
    assert check_seeds(3) == 3
    answer = asker.answer("e1,r1,?")
    with pytest.raises(InputError, match=r"seeds must be at least 3 for minimal sets: .*; got 2\."):
        asker.minimal(answer, seeds=2)


def test_sets_are_confirmed_by_trainings_of_other_seeds(asker: Asker) -> None:
    """What is said of other seeds is seen in trainings of one's own."""
    answer, task = asker.answer("e1,r1,?", k=60), asker.task
    query, length = answer.explanation.query, asker.trained.length
    found = asker.minimal(answer, most=30, jobs=2)
    needed = found.necessary.example_ids
    assert needed
    assert found.confirmed_necessary is not None
    members = [task.member(place, ["seed"]) for place in range(3)]
    whole = [member.top(member.train(length=length).parameters, query) for member in members]
    without = [member.top(member.train(length=length, removed=sorted(needed)).parameters, query) for member in members]
    assert found.confirmed_necessary == Confirmation.of(task.answer_of(query), whole, without, stays=False)
    assert found.confirmed_necessary.text(answer.predicted) in found.found[0].text
    assert found.to_dict()["confirmed_necessary"]["trainings"] == 3
    enough = found.sufficient.example_ids
    assert enough is not None
    others = np.setdiff1d(task.related(query), enough)
    alone = [member.top(member.train(length=length, removed=others).parameters, query) for member in members]
    assert found.confirmed_sufficient == Confirmation.of(task.answer_of(query), whole, alone, stays=True)
    assert found.confirmed_sufficient.held >= 1  # At least where it was found.
    assert found.confirmed_sufficient.text(answer.predicted) in found.found[1].text
    assert "found" not in found.to_dict()


def test_a_set_that_is_needed_changes_the_answer_and_one_that_is_enough_keeps_it(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = asker.answer("e1,r1,?", k=60)
    predicted = asker.task.answer_of(answer.explanation.query)
    monkeypatch.setattr(
        asker.checker, "tops", lambda query, removals, seeds, jobs: [[predicted] * seeds] * (1 + len(removals))
    )
    found = asker.minimal(answer, most=30, seeds=4)
    assert found.confirmed_necessary == Confirmation(4, 0, 0)
    assert found.confirmed_sufficient == Confirmation(4, 4, 0)
