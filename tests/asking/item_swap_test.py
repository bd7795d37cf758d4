"""Which of a user's own examples would let another item win."""

import dataclasses

import numpy as np
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.item_swap import found_swap, item_swap
from gr_tf.asking.top_answers import top_answers
from gr_tf.asking.top_page import top_page
from gr_tf.data.choices import ChoiceSet
from gr_tf.errors import InputError
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.trained import train_in_memory
from gr_tf.training.triple_config import TripleConfig


@pytest.fixture(scope="module")
def swapper(toy_choices: ChoiceSet) -> Asker:
    config = TripleConfig(dim=3, num_negatives=5, epochs=6, optimizer="adagrad", batch_size=16, learning_rate=0.3)
    return Asker(train_in_memory(ChoiceTask(toy_choices, config)))


def test_what_is_found_was_trained_without(swapper: Asker) -> None:
    """Of some users there is something to find; every member is the user's own, and needed."""
    task, found = swapper.task, 0
    for user in ("u1", "u2", "u3", "u5"):
        answers = top_answers(swapper, f"{user},?", n=2)
        swap, query = item_swap(swapper, answers, most=20), answers[0].explanation.query
        told = found_swap(swap)
        assert swap.smallest.retrainings <= 20
        if swap.smallest.example_ids is None:
            assert swap.instead is None
            assert "nothing was found" in told.title
            continue
        found += 1
        ids = np.array(swap.smallest.example_ids)
        assert set(swap.examples.user) == {user}
        without = task.train(removed=ids, length=swapper.trained.length).parameters
        top = task.top(without, query)
        assert top is not None
        assert task.answer_name(query, top) == swap.instead != swap.best == answers[0].predicted
        for member in ids if len(ids) > 1 else []:
            tops = swapper.checker.tops_without(query, [ids[ids != member]])
            assert tops == [query.tail]
        # The difference of the influences on the two items.
        for difference, example_id in zip(swap.examples.difference, ids, strict=True):
            each = [float(a.explanation.influences[a.explanation.example_ids == example_id].sum()) for a in answers]
            assert difference == pytest.approx(each[0] - each[1])
            assert difference > 0
        assert f"{swap.instead} is the best instead of {swap.best}" in told.text
        assert told.text in top_page(swapper, answers, found=[told])
        assert swap.to_dict()["example_ids"] == swap.smallest.example_ids
    assert found


def test_ratings_have_users_too(single_rating_asker: Asker) -> None:
    swap = item_swap(single_rating_asker, top_answers(single_rating_asker, "u1,?", n=2), most=6)
    assert set(swap.examples.user) <= {"u1"}


def test_what_is_refused(swapper: Asker, asker: Asker, rating_asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="of the best item and a runner-up: ask for at least 2 answers"):
        item_swap(swapper, top_answers(swapper, "u1,?", n=1))
    with pytest.raises(InputError, match="an item swap is of users' own examples; triples have none"):
        item_swap(asker, top_answers(asker, "e1,r1,?", n=2))
    monkeypatch.setattr(rating_asker.checker, "tops_without", lambda query, removals, jobs: [None])
    answers = [dataclasses.replace(rating_asker.answer("u1,?"))] * 2
    with pytest.raises(InputError, match="needs a best item that stays if the training goes on with all examples"):
        item_swap(rating_asker, answers)
