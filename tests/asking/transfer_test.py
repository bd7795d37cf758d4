"""Others are given the examples behind an answer, and only these."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.transfer import EXAMPLES, NOTHING, RANDOM, Transfer, found_transfer, transfer
from gr_tf.data.ratings import RatingQuery, RatingSet, RatingSplit, make_rating_set
from gr_tf.data.triples import HEAD, RELATION, Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.subjects import RatingSubjects, TripleSubjects
from gr_tf.tasks.trained import train_in_memory
from gr_tf.training.rating_config import RatingConfig


def test_subjects_of_triples(toy: TripleSet) -> None:
    head, relation, tail = map(int, toy.train[0])
    query = Query(head, relation, tail)
    subjects = TripleSubjects(toy, query)
    assert subjects.what == "head"
    own = toy.train[subjects.own]
    assert ((own[:, 0] == head) | (own[:, 2] == head)).all()
    assert not (own == query.triple).all(axis=1).any()
    known = {tuple(triple) for part in (toy.train, toy.valid, toy.test) for triple in part.tolist()}
    heads = set(toy.train[toy.train[:, 1] == relation, 0].tolist())
    assert set(subjects.others.tolist()) == {one for one in heads - {head, tail} if (one, relation, tail) not in known}
    assert len(subjects.others)
    other = int(subjects.others[0])
    given = subjects.given_to(other, subjects.own)
    assert given
    assert not known & set(given)
    assert all(other in (h, t) and head not in (h, t) for h, _, t in given)
    larger = subjects.with_added(given)
    np.testing.assert_array_equal(larger.train[: len(toy.train)], toy.train)
    np.testing.assert_array_equal(larger.train[len(toy.train) :], given)
    # Who asks for a head asks about the tail.
    of_head = TripleSubjects(toy, Query(head, relation, tail, HEAD))
    assert (of_head.what, of_head.query_of(other)) == ("tail", Query(head, relation, other, HEAD))
    assert TripleSubjects(toy, Query(head, relation, tail, RELATION)).what == "head"


def test_subjects_of_ratings(toy_ratings: RatingSet) -> None:
    user, item = map(int, toy_ratings.train.pairs[0])
    subjects = RatingSubjects(toy_ratings, RatingQuery(user, item))
    assert set(toy_ratings.train.pairs[subjects.own, 0]) == {user}
    assert item not in toy_ratings.train.pairs[subjects.own, 1]
    for other in subjects.others.tolist():
        for part in (toy_ratings.train, toy_ratings.valid, toy_ratings.test):
            assert (other, item) not in set(map(tuple, part.pairs.tolist()))
    other = int(subjects.others[0])
    given = subjects.given_to(other, subjects.own)
    larger = subjects.with_added(given)
    added = larger.train.pairs[len(toy_ratings.train) :]
    assert set(added[:, 0]) == {other}
    values = dict(
        zip(toy_ratings.train.pairs[subjects.own, 1].tolist(), toy_ratings.train.values[subjects.own], strict=True)
    )
    assert [values[item] for item in added[:, 1].tolist()] == larger.train.values[len(toy_ratings.train) :].tolist()


def test_a_transfer_is_measured_by_training(asker: Asker) -> None:
    """With everything that is given masked, the others are predicted what a training by hand says."""
    answer = next(
        one
        for one in (asker.answer(f"e{number},r1,?", k=20) for number in range(1, 9))
        if np.isin(one.supporting_ids, asker.task.subjects(one.explanation.query).own).sum() > 1
    )
    moved = transfer(asker, answer, count=2, seeds=2)
    assert transfer(asker, answer, count=2, seeds=2, jobs=2) == moved
    subjects = asker.task.subjects(answer.explanation.query)
    assert set(moved.example_ids) <= set(subjects.own.tolist())
    names = {subjects.name_of(one): one for one in subjects.others.tolist()}
    own, added, queries = np.array(moved.example_ids), [], []
    for name, given in zip(moved.others, moved.given, strict=True):
        examples = subjects.given_to(names[name], own)
        assert len(examples) == given
        added.append(examples)
        queries.append(subjects.query_of(names[name]))
    # The first other alone, with the given examples next to masked ones in the places of all others.
    total = sum(2 * given for given in moved.given)
    rows = [added[0][0]] * total
    rows[: len(added[0])] = added[0]
    larger = asker.task.with_dataset(subjects.with_added(rows))
    first = asker.task.num_examples
    for seed in (0, 1):
        member = larger.member(seed, ["seed"])
        for condition, kept in ((NOTHING, 0), (EXAMPLES, len(added[0]))):
            removed = np.arange(first + kept, first + total)
            trained = member.train(removed=removed, length=asker.trained.length)
            value = member.value(trained.parameters, queries[:1])[0]
            assert moved.values[condition][0][seed] == value
    assert moved.values[NOTHING] != moved.values[EXAMPLES] != moved.values[RANDOM]
    assert moved.top is not None
    found = found_transfer(moved)
    assert list(found.examples["head"]) == list(moved.others)
    assert moved.conclusion in found.text


def test_others_who_have_the_answer_are_left_out(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be carried over to those whom the model gives it without any gift."""
    monkeypatch.setattr("gr_tf.asking.transfer._measured", lambda *asked: (((), (), ()), None))
    answer, task = asker.answer("e1,r1,?", k=20), asker.task
    subjects = task.subjects(answer.explanation.query)
    names = {subjects.name_of(one): one for one in subjects.others.tolist()}
    (only,) = transfer(asker, answer, count=1000).others
    has_it, top = subjects.query_of(names[only]), task.top
    wanted = task.answer_of(answer.explanation.query)
    monkeypatch.setattr(task, "top", lambda *asked: wanted if asked[1] == has_it else top(*asked))
    with pytest.raises(InputError, match="there is no other head to give the examples to: each has the answer"):
        transfer(asker, answer, count=1000)


def told(own: float, random: float) -> Transfer:
    """Of four others, who hardly differ."""
    nothing = tuple((0.1 + 0.01 * number,) for number in range(4))
    given = [
        tuple((value + change * (1 + 0.1 * number),) for number, (value,) in enumerate(nothing))
        for change in (own, random)
    ]
    return Transfer("head", ("a", "b", "c", "d"), "x", "probability", (1,), (1,) * 4, (nothing, *given), None)


def test_conclusions() -> None:
    assert (
        "rose for 4 of 4 others, by +0.2300 on average; given as many random ones, by +0.0115."
        in told(0.2, 0.01).conclusion
    )
    assert "better than random ones (95% interval" in told(0.2, 0.01).conclusion
    assert "NO better than random ones" in told(0.01, 0.2).conclusion
    one = told(0.2, 0.01)
    alone = dataclasses.replace(one, others=("a",), given=(1,), values=tuple(part[:1] for part in one.values))
    assert "One other is too few" in alone.conclusion
    assert "top-1" not in str(one.frame)


def test_best_answers_are_counted() -> None:
    """Of one training each, or of each of several: never a mean of them."""
    top = (((False,),) * 4, ((True,), (False,), (True,), (True,)), ((False,), (False,), (False,), (True,)))
    one = dataclasses.replace(told(0.2, 0.01), top=top)
    assert "x is the best answer for 3 of 4 others with the examples, 1 with random ones, and 0 with" in one.conclusion
    assert one.frame["given the examples"].str.endswith(" (top-1)").tolist() == [True, False, True, True]
    values = tuple(tuple(of_other * 2 for of_other in part) for part in one.values)
    tops = (((False, False),) * 4, ((True, False), *((True, True),) * 3), ((False, True), *((False, False),) * 3))
    two = dataclasses.replace(one, values=values, top=tops)
    assert (
        "x is the best answer in 7 of 8 cases (4 others with 2 seeds) with the examples, 1 with random ones, and 0 with"
    ) in two.conclusion
    assert two.frame["given the examples"].str.endswith(" (top-1 in 1 of 2)").tolist() == [True, False, False, False]
    assert two.frame["given the examples"].str.endswith(" (top-1 in 2 of 2)").tolist() == [False, True, True, True]
    assert "top-1" not in str(two.frame["given nothing"].tolist())


def test_what_cannot_be_transferred(asker: Asker, rating_asker: Asker, sequence_asker: Asker) -> None:
    answer = asker.answer("e1,r1,?")
    with pytest.raises(InputError, match="count must be at least 1; got 0"):
        transfer(asker, answer, count=0)
    with pytest.raises(InputError, match="a check of this model goes on from it"):
        transfer(rating_asker, rating_asker.answer("u1,i1"))
    with pytest.raises(InputError, match="sequences are not given away"):
        transfer(sequence_asker, sequence_asker.answer("u1,?"))


def test_ratings_are_transferred() -> None:
    """Users rated half of the items, so that there is something to give."""
    generator = np.random.default_rng(0)
    pairs = [(user, item) for user in range(12) for item in range(16) if generator.random() < 0.5]
    frame = (
        pd.DataFrame(pairs, columns=["user", "item"]).astype(str).assign(rating=generator.integers(1, 6, len(pairs)))
    )
    ratings = make_rating_set("half", frame, {}, RatingSplit(min_interactions=1))
    config = RatingConfig(dim=2, optimizer="adagrad", epochs=3, batch_size=8, learning_rate=0.1)
    asker = Asker(train_in_memory(RatingTask(ratings, config)))
    item = next(item for item in range(16) if len(RatingSubjects(ratings, RatingQuery(0, item)).others) > 2)
    answer = asker.answer(f"{ratings.users.names[0]},{ratings.items.names[item]}", method="gr", k=4)
    moved = transfer(asker, answer, count=2)
    assert moved.what == "user"
    assert moved.unit == "stars"
    assert np.shape(moved.values) == (3, 2, 1)
    assert (np.ptp(moved.values, axis=0) > 0).all()
