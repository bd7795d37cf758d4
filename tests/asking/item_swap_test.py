"""Which of a user's own examples would let another item win."""

import dataclasses
import html
import json
import pathlib

import numpy as np
import pandas as pd
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.checker import random_ids
from gr_tf.asking.item_swap import found_swap, item_swap
from gr_tf.asking.minimal import SmallestSet
from gr_tf.asking.swap_check import SwapCheck
from gr_tf.asking.top_answers import top_answers
from gr_tf.asking.top_page import top_page
from gr_tf.data.choices import ChoiceSet
from gr_tf.errors import InputError
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.trained import train_in_memory
from gr_tf.training.triple_config import TripleConfig
from tests.commands.program import gr_tf


@pytest.fixture(scope="module")
def swapper(toy_choices: ChoiceSet) -> Asker:
    config = TripleConfig(dim=3, num_negatives=5, epochs=6, optimizer="adagrad", batch_size=16, learning_rate=0.3)
    return Asker(train_in_memory(ChoiceTask(toy_choices, config)))


@pytest.mark.slow
def test_what_is_found_was_trained_without(swapper: Asker) -> None:
    """Of some users there is something to find; every member is the user's own, and needed."""
    task, found = swapper.task, 0
    for user in ("u1", "u2", "u3", "u5"):
        answers = top_answers(swapper, f"{user},?", n=2)
        swap, query = item_swap(swapper, answers, most=20), answers[0].explanation.query
        told, *confirmed = found_swap(swap)
        assert swap.smallest.retrainings <= 20
        if swap.smallest.example_ids is None:
            assert swap.instead is None
            assert swap.check is None
            assert not confirmed
            assert swap.to_dict()["confirmed"] is None
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
        page = top_page(swapper, answers, found=[told, *confirmed])
        assert told.text in page
        assert swap.check is not None
        assert html.escape(swap.check.text) in page.replace("&#39;", "&#x27;")
        assert swap.to_dict()["example_ids"] == swap.smallest.example_ids
    assert found


def test_other_seeds_confirm_it_beside_chance(swapper: Asker) -> None:
    """What is said of other trainings is seen in trainings of one's own."""
    task, length = swapper.task, swapper.trained.length
    swap = next(
        found
        for user in ("u1", "u2", "u3", "u5")
        if (found := item_swap(swapper, top_answers(swapper, f"{user},?", n=2), most=20, seeds=4)).check is not None
    )
    check, user = swap.check, swap.examples.user.iloc[0]
    assert check is not None
    query = top_answers(swapper, f"{user},?", n=1)[0].explanation.query
    own, removed = task.own_examples(query), np.sort(np.array(swap.smallest.example_ids, np.int64))
    assert own is not None
    random = [random_ids(own, len(removed), place, query) for place in range(4)]
    members = [task.member(place, ["seed"]) for place in range(4)]

    def tops(removals: list[np.ndarray]) -> tuple[int | None, ...]:
        pairs = zip(members, removals, strict=True)
        return tuple(one.top(one.train(length=length, removed=gone).parameters, query) for one, gone in pairs)

    assert check.whole == tops([removed[:0]] * 4)
    assert check.without == tops([removed] * 4)
    assert check.random == tops(random)
    assert len({tuple(gone) for gone in random}) > 1
    # The first training is that of the search.
    assert check.whole[0] == check.best != check.without[0] == check.instead
    told = swap.to_dict()["confirmed"]
    assert told["trainings"] == 4
    assert told["best_without"][0] == swap.instead
    assert told["held"] == check.confirmed.held >= 1


def test_what_is_tried_supports_the_best_item_more(swapper: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own examples of positive differences, the largest first."""
    tried: list[list[int]] = []

    def nothing(ranking: list[int], test: object, most: int) -> SmallestSet:
        tried.append(ranking)
        return SmallestSet(None, 0, False)

    monkeypatch.setattr("gr_tf.asking.item_swap.smallest_set", nothing)
    fewer = 0
    for user in ("u1", "u2", "u3", "u5"):
        answers = top_answers(swapper, f"{user},?", n=2)
        item_swap(swapper, answers)
        own = swapper.task.own_examples(answers[0].explanation.query)
        assert own is not None
        best, other = (
            pd.Series(answer.explanation.influences, answer.explanation.example_ids).reindex(own, fill_value=0.0)
            for answer in answers
        )
        differences = (best - other).sort_values(ascending=False, kind="stable")
        assert tried[-1] == differences.index[differences > 0].tolist()
        fewer += len(tried[-1]) < len(own)
    assert fewer


def test_how_a_confirmation_is_told() -> None:
    names = {1: "one", 2: "two", 3: "three"}
    check = SwapCheck(1, 2, names, 2, (1, 1, 3, 1), (2, 3, 1, 1), (1, 1, 1, None))
    assert check.text == (
        "Confirmed in 2 of 4 trainings of different seeds: it does NOT hold in 1; in 1, which says nothing of it, one "
        "is not predicted even with all examples. The winner is two in 1 of these 2. Chance: without 2 random examples "
        "of the user another item wins in 1 of 4 trainings; with nothing removed, in 1 of 4 seeds."
    )
    assert check.frame.to_dict("list") == {
        "training": ["1", "2", "3", "4"],
        "best without nothing": ["one", "one", "three", "one"],
        "best without these": ["two", "three", "one", "one"],
        "best without 2 random of the user's": ["one", "one", "one", "-"],
    }
    assert check.to_dict()["held_without_random"] == 1
    assert check.to_dict()["another_item_with_nothing_removed"] == 1
    same = dataclasses.replace(check, random=(2, 2, 2, 1))
    assert same.text.endswith("The set is NO better than chance.")
    whole = dataclasses.replace(check, random=None)
    assert whole.text.endswith("the user has no other examples to remove at random.")
    assert whole.by_chance is whole.to_dict()["held_without_random"] is None
    assert "NO better" not in check.text + whole.text


def test_fewer_than_three_trainings_confirm_no_swap(swapper: Asker) -> None:
    with pytest.raises(InputError, match=r"seeds must be at least 3 for an item swap: .*; got 2\."):
        item_swap(swapper, top_answers(swapper, "u1,?", n=2), seeds=2)


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


@pytest.mark.slow
def test_by_command(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    """--verify_seeds counts the trainings that confirm a swap, at least three, and asks for no other check."""
    rows = [f"u{user},i{(user * 3 + place * (1 + user % 4)) % 12}" for user in range(14) for place in range(6)]
    (tmp_path / "choices.csv").write_text("user,item\n" + "\n".join(dict.fromkeys(rows)) + "\n")
    run = (f"--data_dir={tmp_path}", "--min_interactions=2", "--epochs=6", "--dim=3", f"--run_dir={tmp_path / 'run'}")
    asked = ("explain", *run, "--top=2", "--swap", "--k=2", "--tune_minutes=0")
    swaps = []
    for user in range(6):
        assert gr_tf(*asked, f"--query=u{user},?", "--verify_seeds=4", "--output=json") == 0
        told = json.loads(capsys.readouterr().out)
        assert not any(one["checks"] for one in told["answers"])
        swaps.append(told["swap"])
    found = [(user, swap) for user, swap in enumerate(swaps) if swap["example_ids"]]
    assert found
    for _, swap in found:
        assert swap["confirmed"]["trainings"] == len(swap["confirmed"]["best_without"]) == 4
    page, user = tmp_path / "swap.html", found[0][0]
    assert gr_tf(*asked, f"--query=u{user},?", f"--report={page}") == 0
    text = capsys.readouterr().out
    for part in ("of 3 trainings of different seeds", "Chance: ", "best without nothing", "Does another item win in"):
        assert part in text
        assert part in page.read_text(encoding="utf-8")
