"""Checks of a model in a run's folder: what is interrupted continues, what is finished is found, to the bit."""

import dataclasses
import itertools
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.item_swap import item_swap
from gr_tf.asking.opening import ask
from gr_tf.asking.top_answers import check_answers, top_answers
from gr_tf.asking.transfer import transfer
from gr_tf.data.choices import ChoiceSet
from gr_tf.data.ratings import RatingSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import DamagedError
from gr_tf.evaluation import kept_retrainings
from gr_tf.runs import progress
from gr_tf.runs.made_with import decisive
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage
from gr_tf.tasks.choices import ChoiceTask
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.trained import Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.triple_config import TripleConfig
from tests.asking.counted import Counter

CONFIG = TripleConfig(dim=4, num_negatives=5, epochs=4, learning_rate=0.05)
Check = Callable[[Asker], Any]


class Checks(Counter):
    """Does checks, and counts their trainings."""

    def of(self, check: Check, asker: Asker) -> tuple[Any, int]:
        """What a check gives, and how many trainings it did."""
        self.begin()
        return check(asker), self.done

    def interrupt(self, check: Check, asker: Asker, after: int) -> None:
        """A check that is interrupted after some trainings."""
        self.begin(after)
        with pytest.raises(KeyboardInterrupt):
            check(asker)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Checks:
    counted = Checks()
    monkeypatch.setattr(kept_retrainings, "retrain", counted.retrain)
    return counted


@pytest.fixture(scope="module")
def models(
    tmp_path_factory: pytest.TempPathFactory, toy: TripleSet, toy_ratings: RatingSet, toy_choices: ChoiceSet
) -> dict[str, Trained]:
    """The model of a run of each kind; they are loaded, and compiled, once."""
    folder = tmp_path_factory.mktemp("runs")
    in_batches = TripleConfig(dim=3, num_negatives=5, epochs=6, optimizer="adagrad", batch_size=16, learning_rate=0.3)
    going_on = RatingConfig(dim=2, steps=300, batch_size=16, learning_rate=0.01)
    tasks = (TripleTask(toy, CONFIG), ChoiceTask(toy_choices, in_batches), RatingTask(toy_ratings, going_on))
    for task in tasks:
        stage.train(task, folder / task.kind)
    return {task.kind: stage.load(folder / task.kind, task.dataset) for task in tasks}


@pytest.fixture
def open_copy(models: dict[str, Trained], tmp_path: pathlib.Path) -> Callable[[str], Asker]:
    """Opens the run of a kind in a new folder."""
    number = itertools.count()

    def opened(kind: str) -> Asker:
        copy, trained = tmp_path / f"run-{next(number)}", models[kind]
        assert trained.path is not None
        shutil.copytree(trained.path.parent, copy)
        return asker_of(dataclasses.replace(trained, path=copy / trained.path.name))

    return opened


def asker_of(trained: Trained) -> Asker:
    return Asker(trained, retraining_length=30 if trained.goes_on else None)


def of_one(asker: Asker) -> Any:
    return asker.check(asker.answer("e1,r1,?", k=2), seeds=3)


def briefly(asker: Asker) -> Any:
    return asker.check(asker.answer("e1,r1,?", k=2), controls=False)


def of_several(asker: Asker) -> Any:
    """One prediction, a difference, and a group."""
    answers = [
        asker.answer("e1,r1,?", k=2),
        asker.answer("e1,r1,?", k=2, rather_than="e2"),
        asker.group_answer("relation:r1", k=2),
    ]
    return asker.check_all(answers, seeds=2)


def minimal(asker: Asker) -> Any:
    return asker.minimal(asker.answer("e1,r1,?"), most=6).to_dict()


def given_to_others(asker: Asker) -> Any:
    return transfer(asker, asker.answer("e1,r1,?", k=20), count=2, seeds=2)


def swap(asker: Asker) -> Any:
    return item_swap(asker, top_answers(asker, "u1,?", n=2), most=10).to_dict()


def best_items(asker: Asker) -> Any:
    return check_answers(asker, top_answers(asker, "u1,?", n=2, k=2), seeds=2)


def of_a_rating(asker: Asker) -> Any:
    """Goes on from the trained model."""
    return asker.check(asker.answer("u1,i2", "tracin", k=2), seeds=2)


CHECKS: list[tuple[str, Check]] = [
    ("triples", of_one),
    ("triples", of_several),
    ("triples", minimal),
    ("triples", given_to_others),
    ("choices", swap),
    ("choices", best_items),
    ("ratings", of_a_rating),
]


def in_memory(asker: Asker) -> Asker:
    """An asker of the same model without a folder."""
    return asker_of(dataclasses.replace(asker.trained, path=None))


def journal_of(asker: Asker) -> pathlib.Path:
    assert asker.trained.path is not None
    return asker.trained.path.parent / "checks" / "retrainings.jsonl"


def num_kept(asker: Asker) -> int:
    return journal_of(asker).read_bytes().count(b"\n")


def again(asker: Asker) -> Asker:
    """An asker of the same run that knows nothing yet, as in a new process."""
    return asker_of(dataclasses.replace(asker.trained))


@pytest.mark.parametrize(("kind", "check"), CHECKS)
def test_interrupted_and_continued(kind: str, check: Check, open_copy: Callable[[str], Asker], counter: Checks) -> None:
    asker = open_copy(kind)
    once = check(in_memory(asker))
    assert not journal_of(asker).exists()
    whole, total = counter.of(check, asker)
    assert whole == once
    assert total == num_kept(asker) > 4
    stopped = open_copy(kind)
    counter.interrupt(check, stopped, 1)
    counter.interrupt(check, again(stopped), 2)
    assert num_kept(stopped) == 3
    assert counter.of(check, again(stopped)) == (once, total - 3)
    assert counter.of(check, again(stopped)) == (once, 0)
    assert num_kept(stopped) == total


def test_other_questions_of_a_run(open_copy: Callable[[str], Asker], counter: Checks) -> None:
    """What was trained for another question is no answer to this one; of more seeds, the first are known."""
    asker = open_copy("triples")
    once, total = counter.of(of_one, asker)
    for question in ("e2,r1,?", "e1,?,e2"):

        def other(asker: Asker, question: str = question) -> Any:
            return asker.check(asker.answer(question, k=2), controls=False)

        found, done = counter.of(other, asker)
        assert found == other(in_memory(asker))
        assert done == 2
    more, done = counter.of(lambda asker: asker.check(asker.answer("e1,r1,?", k=2), seeds=4), asker)
    assert done == len(more) - 1 + 1
    assert [check.after[:3] for check in more[:-1]] == [check.after for check in once[:-1]]
    assert counter.of(of_one, again(asker)) == (once, 0)
    assert num_kept(asker) == total + 2 * 2 + done


def test_another_model_finds_nothing(
    open_copy: Callable[[str], Asker], counter: Checks, toy: TripleSet, tmp_path: pathlib.Path
) -> None:
    asker = open_copy("triples")
    _, total = counter.of(of_one, asker)
    stage.train(TripleTask(toy, dataclasses.replace(CONFIG, learning_rate=0.051)), tmp_path / "other")
    shutil.copytree(journal_of(asker).parent, tmp_path / "other" / "checks")
    other = asker_of(stage.load(tmp_path / "other", toy))
    found, done = counter.of(of_one, other)
    assert found == of_one(in_memory(other))
    assert done == num_kept(other) - total >= total - 1
    # A check that goes on from the model: by the model's checksum.
    rated = open_copy("ratings")
    _, total = counter.of(of_a_rating, rated)
    going_on = asker_of(dataclasses.replace(rated.trained, fingerprint="another"))
    assert counter.of(of_a_rating, going_on)[1] == total


@pytest.mark.parametrize("cut", [1, 40, 150])
def test_a_kill_while_a_line_is_written(open_copy: Callable[[str], Asker], counter: Checks, cut: int) -> None:
    asker = open_copy("triples")
    once, _ = counter.of(of_one, asker)
    journal = journal_of(asker)
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-cut])
    assert counter.of(of_one, again(asker)) == (once, 1)
    assert journal.read_bytes() == whole
    journal.write_bytes(whole.replace(b'"epoch": 4', b'"epoch": 3', 1))
    with pytest.raises(DamagedError, match=r"checks/retrainings.jsonl:1: edited"):
        of_one(again(asker))


def test_other_versions(
    open_copy: Callable[[str], Asker],
    counter: Checks,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asker = open_copy("triples")
    with monkeypatch.context() as earlier:
        now = decisive()
        earlier.setattr(kept_retrainings, "decisive", lambda: now | {"gr_tf": "0.0.1"})
        once, total = counter.of(of_one, asker)
    with monkeypatch.context() as any_version:
        any_version.setattr(RunDir, "any_version", True)
        accepting = again(asker)
        assert counter.of(of_one, accepting) == (once, 0)
        told = f"gr_tf 0.0.1, not {now['gr_tf']}"
        assert accepting.facts()["retrainings were made with"] == told
        assert capsys.readouterr().err.count(f"retrainings were made with {told}: the last digits may differ.") == 1
    # Not asked to accept them, it trains again, and replaces nothing.
    fresh = again(asker)
    assert counter.of(of_one, fresh) == (once, total)
    assert num_kept(asker) == 2 * total
    assert "retrainings were made with" not in fresh.facts()
    # One's own are preferred to others'.
    monkeypatch.setattr(RunDir, "any_version", True)
    both = again(asker)
    assert counter.of(of_one, both) == (once, 0)
    assert "retrainings were made with" not in both.facts()


def test_a_run_that_cannot_be_written(
    open_copy: Callable[[str], Asker], counter: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is found; nothing is kept."""
    asker, empty = open_copy("triples"), open_copy("triples")
    counter.interrupt(of_one, asker, 3)
    once, total = counter.of(of_one, open_copy("triples"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for _ in range(2):
        assert counter.of(of_one, again(asker)) == (once, total - 3)
        assert counter.of(of_one, again(empty)) == (once, total)
    assert not journal_of(empty).parent.exists()


def test_a_training_that_is_done_anew_loses_its_checks(
    graph_folder: pathlib.Path, tmp_path: pathlib.Path, counter: Checks
) -> None:
    where: dict[str, Any] = {"data_dir": graph_folder, "run_dir": tmp_path / "run", "dim": 4, "epochs": 3}
    asker = ask(**where)
    once, total = counter.of(briefly, asker)
    mine = journal_of(asker).with_name("mine.txt")
    mine.write_text("mine")
    assert counter.of(briefly, again(asker)) == (once, 0)
    assert counter.of(briefly, ask(**where, overwrite=True)) == (once, total)
    assert mine.read_text() == "mine"


def test_progress_counts_what_is_found_as_done_already(
    open_copy: Callable[[str], Asker], counter: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the rate and the time left are those of what is missing."""
    found, done = 0, 0

    class Watched(progress.Progress):
        def pass_over(self, count: int) -> None:
            nonlocal found
            found += count
            super().pass_over(count)

        def advance(self) -> None:
            nonlocal done
            done += 1
            super().advance()

    monkeypatch.setattr(progress, "Progress", Watched)
    asker = open_copy("triples")
    blocks = len(asker.task.steps.blocks(asker.trained.length))
    counter.interrupt(of_one, asker, 3)
    found = done = 0
    _, missing = counter.of(of_one, again(asker))
    assert (found, done) == (3 * blocks, missing * blocks)
    # A search counts sets.
    asker = open_copy("triples")
    answer, empty = asker.answer("e1,r1,?"), [[], [0], [1]]
    removals = [np.array(ids, np.int64) for ids in empty]
    asker.checker.tops_without(answer.explanation.query, removals[:1])
    found = done = 0
    with progress.progress("retrainings", 3) as bar:
        tops = again(asker).checker.tops_without(answer.explanation.query, removals, 1, bar)
    assert (found, done) == (1, 2)
    assert tops == in_memory(asker).checker.tops_without(answer.explanation.query, removals)
