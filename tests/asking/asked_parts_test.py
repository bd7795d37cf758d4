"""Questions for heads and relations, from the question to the check and the page."""

import dataclasses
import json

import numpy as np
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.minimal import minimal_sets
from gr_tf.asking.page import page
from gr_tf.data.triples import HEAD, RELATION, Query, TripleSet
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError
from gr_tf.report.explanation_graph import explanation_graph
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

QUESTIONS = [("?,r1,e2", HEAD, "heads"), ("e1,?,e2", RELATION, "relations")]


@pytest.mark.parametrize(("question", "place", "what"), QUESTIONS)
def test_an_answer(asker: Asker, question: str, place: int, what: str) -> None:
    task, parameters = asker.task, asker.trained.parameters
    answer = asker.answer(question, k=3)
    query: Query = answer.explanation.query
    assert query.place == place
    assert ",".join(answer.asked) == question
    names = task.dataset.relations if place == RELATION else task.dataset.entities
    assert answer.predicted == names.names[query.answer] == answer.alternatives[0].name
    assert query.answer == task.top(parameters, query)
    assert answer.value == task.value(parameters, [query])[0]
    assert answer.value == pytest.approx(answer.alternatives[0].probability, rel=1e-5)
    told = json.loads(json.dumps(answer.to_dict()))
    assert told["asked"] == question.split(",")
    # The triple that it makes, asked as such, is about its tail.
    whole = asker.answer(",".join(task.dataset.names_of(query)), k=3)
    assert whole.explanation.query == Query(*query.triple)
    assert whole.predicted == task.dataset.names_of(query)[2]
    text = page(asker, answer)
    assert f"Is the model any good at predicting {what}?" in text
    assert f"<bdi>{answer.predicted}</bdi> a probability of {answer.value:.4f}" in text
    title = explanation_graph(answer.explanation.first(3), task).axes[0].get_title()
    assert title.startswith(f"({question.replace(',', ', ')}) → {answer.predicted}: ")


def test_a_question_mark_that_is_a_name(toy: TripleSet) -> None:
    """To ask which is not to ask about what is called ?; it is told where both are possible."""
    named = dataclasses.replace(toy, entities=Vocabulary.of("entity", ("?", *toy.entities.names[1:])))
    asker = Asker(train_in_memory(TripleTask(named, TripleConfig(dim=2, num_negatives=2, epochs=1))))
    told = "? asks which; what is itself called ? is asked about as \\?"
    assert told in asker.answer("?,r1,e2", "nh").warnings
    assert told in asker.answer("e1,r1,?", "nh").warnings
    assert told not in asker.answer("e1,?,e2", "nh").warnings
    assert told not in asker.answer("\\?,r1,e2", "nh").warnings
    assert asker.answer("\\?,r1,e2", "nh").asked == ("?", "r1", "e2")


@pytest.mark.parametrize(("question", "place", "what"), QUESTIONS)
def test_a_check_measures_the_question(asker: Asker, question: str, place: int, what: str) -> None:
    """Trainings without the examples are asked the same."""
    answer = asker.answer(question, k=3)
    query, task = answer.explanation.query, asker.task
    first, several = asker.check(answer, seeds=1, jobs=2, controls=False)
    for check in (first, several):
        parameters = task.train(removed=check.example_ids, length=asker.trained.length).parameters
        assert check.before == (answer.value,)
        assert check.after == (task.value(parameters, [query])[0],)
        assert check.top_changed == (task.top(parameters, query) != query.answer,)
    assert asker.trained.deltas is not None
    rolled_back = task.rolled_back(asker.trained.parameters, asker.trained.deltas)
    nothing, ids = np.zeros(0, np.int64), np.array(several.example_ids)
    change = rolled_back.together(query, ids) - rolled_back.together(query, nothing)
    assert several.predicted == pytest.approx(change, abs=1e-14)


@pytest.mark.parametrize(("question", "place", "what"), QUESTIONS)
def test_the_fewest_examples(asker: Asker, question: str, place: int, what: str) -> None:
    answer, task = asker.answer(question, k=60), asker.task
    query = answer.explanation.query
    found = minimal_sets(asker, answer, most=40, jobs=2)
    assert found.necessary.example_ids
    parameters = task.train(removed=found.necessary.example_ids, length=asker.trained.length).parameters
    instead = task.top(parameters, query)
    assert instead is not None
    assert instead != query.answer
    assert found.instead == (task.dataset.relations if place == RELATION else task.dataset.entities).names[instead]


def test_trainings_of_other_seeds_answer_too(asker: Asker) -> None:
    answer = asker.answer("?,r1,e2", k=2, trainings=2)
    assert answer.trainings == 2
    assert list(answer.frame.columns[:3]) == ["influence", "standard error", "sign"]


def test_criage_is_refused(asker: Asker) -> None:
    with pytest.raises(InputError, match="criage explains tails only"):
        asker.answer("?,r1,e2", "criage")
