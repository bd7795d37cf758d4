"""A retraining is a value: the same bits in threads, in another process, and on any number of cores."""

import dataclasses
import multiprocessing
import pathlib
import pickle

import numpy as np
import pytest

from gr_tf.data.triples import TripleSet, read_folder
from gr_tf.errors import InputError
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import MEASURES, Outcome, Retraining, Trainers
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


@pytest.fixture(scope="module")
def explained(graph_folder: pathlib.Path) -> Trained:
    """Of a dataset that can be read again by its folder's name."""
    return train_in_memory(TripleTask(read_folder(graph_folder), TripleConfig(dim=3, num_negatives=4, epochs=2)))


def asked_of(trained: Trained, measure: str = "answers") -> list[Retraining]:
    queries = [trained.task.query_of(example_id) for example_id in (3, 8)]
    return [Retraining.of(trained, removed, measure, queries) for removed in ((), (5,), (8, 3), range(40))]


def _in_a_new_process(pickled: bytes) -> list[Outcome]:
    trainers = Trainers()
    return [trainers.run(asked) for asked in pickle.loads(pickled)]


@pytest.mark.slow
def test_another_process_makes_the_task_again_and_gives_the_same_bits(explained: Trained) -> None:
    asked = asked_of(explained)
    pickled = pickle.dumps(asked)
    assert len(pickled) < 4_096
    assert pickle.loads(pickled) == asked
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(_in_a_new_process, (pickled,))
    here = dict(retrain(asked, 2, known=[explained]))
    assert [here[place] for place in range(len(asked))] == there


def test_the_number_of_jobs_and_the_company_change_nothing(explained: Trained) -> None:
    asked = asked_of(explained)
    alone = [dict(retrain([one], 1, known=[explained]))[0] for one in asked]
    for jobs in (1, 3):
        together = dict(retrain(asked, jobs, known=[explained]))
        assert [together[place] for place in range(len(asked))] == alone


def test_nothing_removed_is_the_explained_model(explained: Trained) -> None:
    for measure in ("value", "exact value", "quality"):
        (asked, *_) = asked_of(explained, measure)
        outcome = dict(retrain([asked], 1, known=[explained]))[0]
        assert outcome.measured == MEASURES[measure](explained.task, explained.parameters, asked.queries)
        assert outcome.epoch == explained.epoch


def test_order_and_repetition_of_the_removed_are_no_difference(explained: Trained) -> None:
    first, second = (Retraining.of(explained, removed, "value") for removed in ((8, 3), np.array([3, 8])))
    assert first == second
    assert first.key == second.key != Retraining.of(explained, (3,), "value").key


def test_checkpoints_of_retrainings_go_with_them(explained: Trained, tmp_path: pathlib.Path) -> None:
    """A training under way that was killed is found again; done ones leave nothing that changes others."""
    ends = tuple(block.first + block.count for block in explained.task.steps.blocks(2))
    # What is measured on the way is not in a checkpoint, and is measured again.
    asked = [*asked_of(explained), Retraining.of(explained, (5,), "quality", looks=ends)]
    plain = dict(retrain(asked, 1, known=[explained]))
    for _ in range(2):
        kept = dict(retrain(asked, 2, known=[explained], folder=tmp_path, checkpoint_seconds=0.0))
        assert kept == plain


def test_progress_counts_every_block_once(explained: Trained) -> None:
    asked = asked_of(explained)
    seen: list[int] = []
    list(retrain(asked, 2, known=[explained], on_found=seen.append, on_block=lambda: seen.append(1)))
    assert sum(seen) == len(asked) * len(explained.task.steps.blocks(explained.length))


def test_what_cannot_be_done_is_told(explained: Trained, toy: TripleSet) -> None:
    (asked, *_) = asked_of(explained)
    with pytest.raises(InputError, match="jobs must be at least 1; got 0"):
        list(retrain([asked], 0, known=[explained]))
    with pytest.raises(InputError, match="example ids are 0 to 59; got 99"):
        list(retrain([dataclasses.replace(asked, removed=(99,))], 1, known=[explained]))
    with pytest.raises(InputError, match="goes on from is not in memory"):
        list(retrain([dataclasses.replace(asked, start="abc")], 1, known=[explained]))
    other = dataclasses.replace(asked.task, checksum="0" * 64)
    with pytest.raises(InputError, match="is not the data that was trained on any more"):
        list(retrain([dataclasses.replace(asked, task=other)], 1))
