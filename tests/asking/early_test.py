"""What no model could answer is refused before it is trained."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gr_tf.asking import early
from gr_tf.asking.groups import group_of
from gr_tf.data.choice_sources import load_choices
from gr_tf.data.choices import ChoiceSet, ChoiceSplit
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sources import load_triples
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.triple_config import TripleConfig
from tests.commands.program import gr_tf

CONFIG = TripleConfig(dim=3, num_negatives=3, epochs=2)


@pytest.fixture
def task(toy: TripleSet) -> TripleTask:
    return TripleTask(toy, CONFIG)


def all_but(count: int) -> Task[Any]:
    """Choices of which one user, "all", made all but a few."""
    rows = [(f"u{user}", f"i{item}") for user in range(6) for item in range(6) if (user + item) % 3]
    rows += [("all", f"i{item}") for item in range(6)]
    made = load_choices(pd.DataFrame(rows, columns=["user", "item"]), split=ChoiceSplit(min_interactions=2))
    user = made.user_of("all")
    # Nothing of theirs is held out, but for the first few.
    of_all = np.array([[user, 0, item] for item in range(count, 6)], np.int32)
    train = np.concatenate([made.train[made.train[:, 0] != user], of_all])
    parts = {part: rows[rows[:, 0] != user] for part, rows in (("valid", made.valid), ("test", made.test))}
    whole = dataclasses.replace(made, train=train, **parts)
    return ChoiceTask(whole, TripleConfig(dim=2, num_negatives=2, epochs=1, optimizer="adagrad", batch_size=8))


def test_nothing_is_left_to_answer() -> None:
    with pytest.raises(InputError, match=r"\(all, \?\) has nothing left to answer: the user is known to have chosen"):
        early.refuse_question(all_but(0), ["all", "?"])
    early.refuse_question(all_but(1), ["all", "?"])
    with pytest.raises(InputError, match=r"\(all, \?\) has only one item left to answer"):
        early.refuse_question(all_but(1), ["all", "?"], swaps=True)
    early.refuse_question(all_but(2), ["all", "?"], swaps=True)


def test_the_same_answer_twice(task: TripleTask) -> None:
    with pytest.raises(InputError, match="rather_than must name another answer than e2, which is explained; got 'e2'"):
        early.refuse_question(task, ["e1", "r1", "e2"], rather_than="e2")
    early.refuse_question(task, ["e1", "r1", "e2"], rather_than="e3")
    early.refuse_question(task, ["e1", "r1", "?"], rather_than="e3")


def test_what_is_known_has_no_smallest_sets(task: TripleTask) -> None:
    head, relation, tail = task.dataset.names(task.dataset.train[:1]).iloc[0]
    with pytest.raises(InputError, match=f"most probable new answer; {tail} is known already: ask with"):
        early.refuse_question(task, [head, relation, tail], searches=True)
    early.refuse_question(task, [head, relation, "?"], searches=True)
    known = {tuple(triple) for part in (task.dataset.train, task.dataset.valid) for triple in part.tolist()}
    other = next(one for one in range(9) if (*task.dataset.train[0, :2].tolist(), one) not in known)
    early.refuse_question(task, [head, relation, task.dataset.entities.names[other]], searches=True)


def test_nobody_to_give_examples_to(task: TripleTask, toy_ratings: RatingSet) -> None:
    in_batches = RatingTask(toy_ratings, RatingConfig(dim=2, steps=10, batch_size=16))
    with pytest.raises(InputError, match="others are given examples in a training from the start"):
        early.refuse_transfer(in_batches, ["u1", "?"], given=False)
    early.refuse_transfer(
        RatingTask(toy_ratings, RatingConfig(dim=2, steps=10, batch_size=1)), ["u1", "?"], given=False
    )
    with pytest.raises(InputError, match="others are given examples in a training from the start"):
        early.refuse_transfer(task, ["e1", "r1", "?"], given=True)
    rows = [("a", "knows", "b"), ("a", "likes", "c"), ("c", "likes", "d"), ("d", "likes", "c"), ("b", "likes", "c")]
    frame = pd.DataFrame(rows, columns=["head", "relation", "tail"])
    of_few = TripleTask(load_triples(frame, valid=frame[1:2], test=frame[1:2]), CONFIG)
    early.refuse_transfer(of_few, ["a", "knows", "?"], given=False)
    with pytest.raises(InputError, match="there is no other head to give the examples to: each is known to have b"):
        early.refuse_transfer(of_few, ["a", "knows", "b"], given=False)


def test_lengths_and_seeds_of_retrainings(task: TripleTask, toy_ratings: RatingSet) -> None:
    with pytest.raises(InputError, match="it takes no retraining_length"):
        early.refuse_retraining(task, 5, trainings=1, seeds=1)
    early.refuse_retraining(RatingTask(toy_ratings, RatingConfig(dim=2, batch_size=16)), 5, trainings=1, seeds=1)
    last = task.with_config(seed=(1 << 32) - 3)
    early.refuse_retraining(last, None, trainings=1, seeds=3)
    early.refuse_retraining(last, None, trainings=2, seeds=1)
    early.refuse_retraining(last, None, trainings=3, seeds=0)
    for trainings, seeds in ((1, 4), (3, 1)):
        with pytest.raises(InputError, match="seed leaves too few seeds for 3 more trainings: seed must be") as caught:
            early.refuse_retraining(last, None, trainings=trainings, seeds=seeds)
        assert caught.value.on_command_line.startswith("--seed leaves too few")


def test_commands_refuse_before_they_train(
    capsys: pytest.CaptureFixture[str], graph_folder: pathlib.Path, rating_folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    triples, ratings = f"--data_dir={graph_folder}", (f"--data_dir={rating_folder}", "--min_interactions=4")
    adam = (*ratings, "--optimizer=adam", "--batch_size=16")
    for arguments, told in (
        ((*adam, "--query=u1,?", "--transfer=2"), "others are given examples in a training from the start"),
        ((triples, "--query=e1,r1,e2", "--rather_than=e2"), "--rather_than must name another answer than e2"),
        ((triples, "--query=e1,r1,?", "--seed=4294967295", "--verify"), "--seed leaves too few seeds for 1 more"),
        ((triples, "--query=e1,r1,?", "--seed=4294967294", "--minimal"), "--seed leaves too few seeds for 2 more"),
        ((*ratings, "--query=u1,?", "--retraining_steps=5"), "it takes no --retraining_steps"),
        ((triples, "--query=e1,r1,?", "--minimal", "--verify_seeds=2"), "--verify_seeds must be at least 3"),
    ):
        assert gr_tf("explain", *arguments, f"--run_dir={tmp_path / 'run'}") == 1
        assert told in capsys.readouterr().err.splitlines()[-1]
        assert not (tmp_path / "run").exists()


def test_a_group_of_choices(toy_choices: ChoiceSet) -> None:
    """Parts have the kind's names, and a table of questions its columns."""
    task = ChoiceTask(toy_choices, TripleConfig(dim=2, num_negatives=2, epochs=1, optimizer="adagrad", batch_size=8))
    user = toy_choices.user_name(int(toy_choices.test[0, 0]))
    queries = group_of(task, f"user:{user}").queries
    assert {query.head for query in queries} == {toy_choices.test[0, 0]}
    assert queries[-1].tail in toy_choices.test[:, 2]
    with pytest.raises(InputError, match=r"a group is .*user:NAME, item:NAME .* with columns user,item; got 'head:x'"):
        group_of(task, "head:x")
