"""Choices as a graph of one relation: items compete with items, and what people see of it."""

import re
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.methods import explainer, method_of, methods_of
from gr_tf.data.choices import ChoiceSet
from gr_tf.data.triples import HEAD, TAIL, Query
from gr_tf.errors import InputError
from gr_tf.evaluation.compared import compared
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.given import given_of
from gr_tf.tasks.kinds import own_config
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.training.triple_config import TripleConfig

SETTINGS: dict[str, Any] = {"dim": 4, "num_negatives": 5, "epochs": 3, "optimizer": "adagrad", "batch_size": 16}


@pytest.fixture(scope="module")
def trained(toy_choices: ChoiceSet) -> Trained:
    return train_in_memory(ChoiceTask(toy_choices, TripleConfig(**SETTINGS)))


def test_items_compete_with_items(trained: Trained, toy_choices: ChoiceSet) -> None:
    """A training moves users' rows only by their own choices: with one user's left out, that row stays as drawn."""
    task = trained.task
    for candidates in ("drawn", "1vsall"):
        other = task.with_config(candidates=candidates)
        user = toy_choices.user_of("u1")
        own = np.flatnonzero(toy_choices.train[:, HEAD] == user)
        table = other.train(removed=own).parameters.table
        np.testing.assert_array_equal(table[user], other.initial_parameters.table[user])
        assert not np.array_equal(table[user + 1], other.initial_parameters.table[user + 1])
        candidate_ids = other.losses().train[1]
        assert set(np.unique(candidate_ids)) <= set(range(len(toy_choices.items)))
    num_items = len(toy_choices.items)
    assert task.with_config(candidates="1vsall").losses().train[1].shape[1] == num_items
    assert task.losses().train[1].shape[1] == SETTINGS["num_negatives"]


def test_probabilities_are_over_items(trained: Trained, toy_choices: ChoiceSet) -> None:
    user = toy_choices.user_of("u3")
    items = range(len(toy_choices.items))
    values = trained.task.value(trained.parameters, [Query(user, 0, item) for item in items])
    assert sum(values) == pytest.approx(1, rel=1e-6)
    best = trained.task.best(trained.parameters, Query(user, 0, 0), 100)
    known = {tail for part in (toy_choices.train, toy_choices.valid) for head, _, tail in part.tolist() if head == user}
    assert {item for item, _ in best} == set(items) - known
    assert [chance for _, chance in best] == sorted(values[[item for item, _ in best]], reverse=True)


def test_the_baseline_is_popularity(trained: Trained, toy_choices: ChoiceSet) -> None:
    data = toy_choices
    counts = np.bincount(data.train[:, TAIL], minlength=len(data.items))
    ranks = []
    for head, _, tail in data.test.tolist():
        known = np.concatenate([part[part[:, HEAD] == head, TAIL] for part in (data.train, data.valid)])
        others = np.setdiff1d(np.arange(len(data.items)), [*known, tail])
        ranks.append(1 + (counts[others] > counts[tail]).sum() + (counts[others] == counts[tail]).sum() / 2)
    told = trained.task.baseline(data.test)
    assert told["mrr"] == pytest.approx(np.mean(1 / np.array(ranks)))
    assert told["hits_at_10"] == np.mean(np.array(ranks) <= 10)


def test_what_people_see(trained: Trained, toy_choices: ChoiceSet) -> None:
    task, data = trained.task, toy_choices
    query, is_open = task.read_question(["u1", "?"])
    assert is_open
    query = task.with_answer(query, data.item_of("i2"))
    assert task.names_of(query) == ("u1", "i2")
    assert task.asked(query) == ("u1", "?")
    assert task.row_of(query) == {"user": "u1", "item": "i2"}
    everything = np.arange(data.num_examples)
    frame = task.examples(everything, query)
    assert frame.columns.tolist() == ["user", "title", "connection"]
    own = set(frame.title[frame.user == "u1"])
    others = set(frame.user[frame.title == "i2"])
    for user, title, connection in frame.itertuples(index=False):
        expected = [f"by a user who chose {task.names_of(query)[1]}"] if user in others else []
        expected += ["of an item that u1 chose"] if title in own else []
        told = "same user" if user == "u1" else "same item" if title == "i2" else "; ".join(expected) or "none"
        assert connection == told
    related = task.related(query)
    np.testing.assert_array_equal(related, np.flatnonzero(frame.connection.isin(["same user", "same item"])))
    parts = task.embeddings(trained.parameters)
    assert [len(vectors) for vectors, *_ in parts.values()] == [len(data.items), len(data.users), 1]
    np.testing.assert_array_equal(parts["users"][0][1], trained.parameters.table[len(data.items) + 1])
    assert "competes with 5 items drawn at random (softmax loss)" in task.how_trained
    assert f"all {len(data.items)} items" in task.with_config(num_negatives=1000).how_trained


def test_questions_that_are_none(trained: Trained) -> None:
    for parts, message in (
        (("?", "i1"), r"only the item can be asked for: user,item or user,\?; got '\?,i1'\."),
        (("u99", "?"), "unknown user 'u99': not in the training data. Did you mean 'u9'"),
        (("u1", "i99"), "unknown item 'i99': not in the training data."),
    ):
        with pytest.raises(InputError, match=message):
            trained.task.read_question(parts)


def test_settings(toy_choices: ChoiceSet) -> None:
    config = own_config("choices", toy_choices, {})
    assert (config.in_batches, config.reciprocal, config.loss) == (True, False, "softmax")
    with pytest.raises(InputError, match="reciprocal relations are for predicting users; of choices only items"):
        ChoiceTask(toy_choices, own_config("choices", toy_choices, {"reciprocal": True}))
    with pytest.raises(InputError, match="choices are trained in batches: name a batch_size above 1"):
        ChoiceTask(toy_choices, TripleConfig())
    task = ChoiceTask(toy_choices, config)
    for variant in task.variants({}):
        assert task.with_config(**variant).variants({})
    assert {} in task.variants({})
    assert not any("dim" in variant for variant in task.variants({"dim": 3}))
    with pytest.raises(InputError, match=r"can be of triples, ratings, sequences; not of choices\."):
        given_of("choices")


def test_methods_are_those_of_triples() -> None:
    """All but those that need single steps, which choices never have, or what is known of graphs only."""
    others = {name for name, entry in methods_of("triples").items() if entry.needs == "steps"}
    assert others == {"best", "rollback-all"}
    assert list(methods_of("choices")) == [name for name in methods_of("triples") if name not in others]
    assert method_of("choices", None).name == "gr"
    with pytest.raises(InputError, match="for choices; got 'rollback-all'"):
        method_of("choices", "rollback-all")
    assert "tracin, every epoch" in compared("choices")


def test_methods_speak_of_choices(trained: Trained, toy_choices: ChoiceSet) -> None:
    """In titles and errors: choices are served as triples, and are none."""
    told = {name: entry.title for name, entry in methods_of("choices").items()}
    assert told["gr"] == "Gradient Rollback: the fall of the probability if what the choice did is undone"
    assert told["gr-o"].startswith("Gradient Rollback of the choices with the same answer (item) only")
    assert not [title for title in told.values() if re.search("triple|tail|graph", title)]
    assert "triple" in methods_of("triples")["gr"].title
    task = ChoiceTask(toy_choices, TripleConfig(**SETTINGS | {"dim": 64, "loss": "sigmoid"}))
    named = Query(toy_choices.user_of("u1"), 0, toy_choices.item_of("i2"))
    with pytest.raises(InputError, match=r"for item 'i2': the Hessian of its \d+ training choices is singular"):
        explainer(train_in_memory(task, tracking=False), "criage").rank(named)
