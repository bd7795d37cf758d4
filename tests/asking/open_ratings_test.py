"""Which item a user would rate highest, and why."""

import dataclasses

import numpy as np
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.minimal import minimal_sets, refuse_unless_top
from gr_tf.asking.page import page
from gr_tf.data.dataset import fields_of, numbers_of, query_of_numbers
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.errors import InputError
from gr_tf.tasks.alternative import Alternative


def best_by_hand(asker: Asker, user: int) -> list[tuple[int, float]]:
    """Every item that the user rated neither in training nor in validation, one by one."""
    data, found = asker.task.dataset, []
    rated = {tuple(pair) for part in (data.train, data.valid) for pair in part.pairs.tolist()}
    for item in range(len(data.items)):
        if (user, item) not in rated and item in data.train.pairs[:, 1]:
            (stars,) = asker.task.value(asker.trained.parameters, [RatingQuery(user, item)])
            found.append((item, float(stars)))
    return sorted(found, key=lambda one: -one[1])


def test_the_best_items(rating_asker: Asker) -> None:
    task, parameters = rating_asker.task, rating_asker.trained.parameters
    for user in range(len(task.dataset.users)):
        query = RatingQuery(user, 0, item_asked=True)
        expected = best_by_hand(rating_asker, user)
        assert task.best(parameters, query, 100) == expected
        assert task.best(parameters, query, 2) == expected[:2]
        assert task.top(parameters, query) == (expected[0][0] if expected else None)
    assert task.best(parameters, RatingQuery(0, 0), 5) == []


def test_equal_items_by_id(rating_asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    task = rating_asker.task
    monkeypatch.setattr(type(task), "value", lambda self, parameters, queries: np.ones(len(queries)))
    queries = [RatingQuery(user, 0, item_asked=True) for user in range(len(task.dataset.users))]
    found = [[item for item, _ in task.best(rating_asker.trained.parameters, query, 100)] for query in queries]
    assert found == [sorted(items) for items in found]
    assert max(map(len, found)) > 2


def test_an_answer(rating_asker: Asker) -> None:
    asker = rating_asker
    answer = asker.answer("u1,?", k=3)
    query = answer.explanation.query
    (item, stars), *others = best_by_hand(asker, query.user)
    assert (query.item, query.item_asked, answer.value) == (item, True, stars)
    assert answer.asked == ("u1", "?")
    assert answer.predicted == asker.task.dataset.title(item)
    assert [one.value for one in answer.alternatives] == pytest.approx(
        [stars, *(value for _, value in others[:4])], rel=1e-5
    )
    told = answer.to_dict()
    assert told["stars"] == stars
    assert set(told["alternatives"][0]) == {"name", "stars"}
    named = asker.answer(f"u1,{answer.predicted}", k=3)
    assert (named.asked[1], named.alternatives) == (answer.predicted, ())
    np.testing.assert_array_equal(named.explanation.influences, answer.explanation.influences)
    text = page(asker, answer)
    assert f"The model predicts {stars:.2f} stars" in text
    assert '<th scope="col" class="number">stars</th>' in text


def test_checks_tell_whether_another_item_wins(single_rating_asker: Asker) -> None:
    asker = single_rating_asker
    answer = asker.answer("u1,?", k=4)
    task, query = asker.task, answer.explanation.query
    first, *_ = checks = asker.check(answer, controls=False)
    for check in checks:
        without = task.train(removed=list(check.example_ids), length=asker.trained.length).parameters
        assert check.top_changed == (task.top(without, query) != query.item,)
    pair = asker.answer(f"u1,{answer.predicted}", k=4)
    (of_pair, *_) = asker.check(pair, controls=False)
    assert of_pair == dataclasses.replace(first, top_changed=None)


@pytest.mark.slow
def test_smallest_sets(single_rating_asker: Asker) -> None:
    asker = single_rating_asker
    answer = asker.answer("u1,?")
    found = minimal_sets(asker, answer, most=12)
    assert found.sufficient.example_ids is not None or found.necessary.example_ids is not None
    if found.necessary.example_ids is not None:
        (top,) = asker.checker.tops_without(answer.explanation.query, [np.array(found.necessary.example_ids)])
        assert asker.task.dataset.title(top or 0) == found.instead != answer.predicted
    with pytest.raises(InputError, match="the rating of an item has no other to change to: ask with"):
        refuse_unless_top(asker, asker.answer(f"u1,{answer.predicted}"))


def test_smallest_sets_need_a_prediction_that_stays(rating_asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of batches go on from the trained model, which moves predictions too."""
    answer = rating_asker.answer("u1,?")
    monkeypatch.setattr(rating_asker.checker, "tops_without", lambda query, removals, jobs: [None] * len(removals))
    with pytest.raises(InputError, match="stays if the training goes on with all examples"):
        minimal_sets(rating_asker, answer)


def test_a_user_who_rated_everything(rating_asker: Asker, toy_ratings: RatingSet) -> None:
    items = np.arange(len(toy_ratings.items))
    pairs = np.stack([np.zeros_like(items), items], axis=1).astype(np.int32)
    train = type(toy_ratings.train)(pairs, np.ones(len(items)))
    task = rating_asker.task.with_dataset(dataclasses.replace(toy_ratings, train=train))
    with pytest.raises(InputError, match=r"has nothing left to answer: the user has rated every item\."):
        task.ask(rating_asker.trained.parameters, [toy_ratings.users.names[0], "?"])


def test_queries_as_numbers() -> None:
    """What names its item looks as it did when no other question could be asked."""
    plain, asked = RatingQuery(3, 4), RatingQuery(3, 4, item_asked=True)
    assert (repr(plain), numbers_of(plain)) == ("RatingQuery(user=3, item=4)", [3, 4])
    assert fields_of(plain) == {"user": 3, "item": 4}
    for query in (plain, asked):
        assert query_of_numbers(RatingQuery, numbers_of(query)) == query
    assert repr(plain) != repr(asked)


def test_stars_are_no_probability() -> None:
    assert Alternative("x", 0.5).probability == 0.5
    with pytest.raises(AttributeError, match="'x' has no probability, but a value in stars"):
        _ = Alternative("x", 4.5, "stars").probability
