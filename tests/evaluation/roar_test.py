"""Remove and retrain: deterministic on any number of cores, resumable, exact about what it counts."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from gr_tf.attribution.neighborhood import Neighborhood
from gr_tf.attribution.queries import explained_predictions
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.errors import InputError
from gr_tf.evaluation.intervals import proportion_interval
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.retraining import retrain_without
from gr_tf.evaluation.roar import (
    Outcome,
    Removal,
    make_removals,
    parse_ks,
    remove_and_retrain,
    score_outcomes,
)
from gr_tf.models.prediction import tail_probability
from gr_tf.training.trainer import Trainer
from tests.conftest import Trained

OUTCOME = Outcome(0, "GR", "1", 1, 0.003, p_before=0.5, p_after=0.4, top1_before=3, top1_after=3)


def removals_of(trained: Trained) -> list[Removal]:
    model, triples = trained.trainer.model, trained.trainer.triples
    rollback = GradientRollback(model, trained.table, trained.deltas, triples)
    neighborhood = Neighborhood(model, trained.table, triples)
    removals = []
    for i, prediction in enumerate(explained_predictions(model, trained.table, triples)):
        ranking = rollback.rank(prediction.query)
        rankings = {"NH": neighborhood.rank(prediction.query), "GR": ranking}
        removals += make_removals(i, ranking.num_supporting, rankings, ("1", "ALL"))
    return removals


def outcomes_of(trained: Trained, journal_path: pathlib.Path, jobs: int) -> dict[tuple[int, str, str], Outcome]:
    trainer = trained.trainer
    predictions = explained_predictions(trainer.model, trained.table, trainer.triples)
    journal = Journal(journal_path)
    arguments = (trainer, trained.table, trained.epoch, predictions, removals_of(trained), journal, jobs)
    list(remove_and_retrain(*arguments))
    journal.close()
    return {o.key: o for o in (Outcome(**record) for record in journal.records)}


def test_one_core_or_two_or_three_give_the_same_bits(trained: Trained, tmp_path: pathlib.Path) -> None:
    results = [outcomes_of(trained, tmp_path / f"{jobs}.jsonl", jobs) for jobs in (1, 2, 3)]
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == len(removals_of(trained))


def test_resumed_after_a_kill_gives_the_same_bits(trained: Trained, tmp_path: pathlib.Path) -> None:
    straight = outcomes_of(trained, tmp_path / "straight.jsonl", 2)
    lines = (tmp_path / "straight.jsonl").read_bytes().splitlines(keepends=True)
    killed = tmp_path / "killed.jsonl"
    killed.write_bytes(b"".join(lines[:5]) + lines[5][:20])
    assert outcomes_of(trained, killed, 1) == straight
    # Work that was done is found again, and the torn record done anew.
    resumed = killed.read_bytes().splitlines(keepends=True)
    assert resumed[:5] == lines[:5]
    assert len(resumed) == len(lines)
    assert outcomes_of(trained, killed, 1) == straight
    assert len(killed.read_bytes().splitlines()) == len(lines)


def test_a_damaged_journal_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.jsonl"
    for line in ("rubbish", "[1]", '{"b": 1}'):
        path.write_text(f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
        with pytest.raises(InputError, match=r"journal.jsonl:2: damaged"):
            Journal(path, fields=["a"])


def test_journal_records_survive_to_the_bit(tmp_path: pathlib.Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    record = dataclasses.asdict(dataclasses.replace(OUTCOME, p_after=0.1 + 0.2))
    journal.add(record)
    journal.close()
    reopened = Journal(tmp_path / "journal.jsonl")
    assert reopened.records == [record]
    reopened.close()


def test_removal_of_nothing_changes_nothing(trained: Trained, tmp_path: pathlib.Path) -> None:
    trainer = trained.trainer
    predictions = explained_predictions(trainer.model, trained.table, trainer.triples)
    journal = Journal(tmp_path / "journal.jsonl")
    removal = Removal(0, "GR", "ALL", ())
    (outcome,) = remove_and_retrain(trainer, trained.table, trained.epoch, predictions, [removal], journal, 1)
    assert outcome.p_after == outcome.p_before
    assert not outcome.probability_drop
    assert not outcome.top1_change


def test_retrainings_are_real(trained: Trained) -> None:
    """What a measured table says is what training without the examples says."""
    query = explained_predictions(trained.trainer.model, trained.table, trained.trainer.triples)[0].query
    removed = [np.array([3]), np.array([], np.int64), np.array([1, 2])]

    def measure(place: int, table: np.ndarray) -> tuple[int, float]:
        return place, tail_probability(trained.trainer.model, table, query)

    measured = dict(retrain_without(trained.trainer, 2, removed, measure, jobs=2))
    for place, ids in enumerate(removed):
        table = trained.trainer.run(removed=ids, epochs=2).table
        assert measured[place] == tail_probability(trained.trainer.model, table, query)
    assert len(set(measured.values())) == 3
    with pytest.raises(InputError, match="jobs must be at least 1"):
        list(retrain_without(trained.trainer, 2, removed, measure, jobs=0))


def test_an_error_in_a_retraining_ends_the_evaluation(trained: Trained) -> None:
    with pytest.raises(InputError, match="example ids are 0 to 59"):
        list(retrain_without(trained.trainer, 2, [np.array([1]), np.array([999])], lambda place, table: place, jobs=2))


def test_all_methods_remove_as_many_as_gradient_rollback_supports(trained: Trained) -> None:
    removals = {removal.key: removal for removal in removals_of(trained)}
    model, triples = trained.trainer.model, trained.trainer.triples
    rollback = GradientRollback(model, trained.table, trained.deltas, triples)
    for i, prediction in enumerate(explained_predictions(model, trained.table, triples)):
        supporting = rollback.explain(prediction.query, k=None)
        assert removals[i, "GR", "ALL"].example_ids == tuple(sorted(supporting.example_ids.tolist()))
        assert len(removals[i, "NH", "ALL"].example_ids) == len(supporting.example_ids)
        assert removals[i, "GR", "1"].example_ids == (supporting.example_ids[0],)
        json.dumps(dataclasses.asdict(removals[i, "GR", "ALL"]))


@pytest.mark.parametrize(
    ("p_before", "p_after", "drop"),
    [(0.5, 0.4, True), (0.4, 0.5, False), (0.123456, 0.123455, True), (0.1234541, 0.1234539, False)],
)
def test_drops_count_to_five_decimals(p_before: float, p_after: float, drop: bool) -> None:
    assert dataclasses.replace(OUTCOME, p_before=p_before, p_after=p_after).probability_drop is drop


def test_scores() -> None:
    outcomes = [
        OUTCOME,
        dataclasses.replace(OUTCOME, prediction=1, p_after=0.6, num_removed=3),
        dataclasses.replace(OUTCOME, prediction=2, top1_after=1, num_removed=2),
        dataclasses.replace(OUTCOME, method="NH"),
    ]
    gr, nh = score_outcomes(outcomes)
    assert (gr.method, gr.n, gr.mean_removed) == ("GR", 3, 2)
    np.testing.assert_allclose([gr.pd, gr.tc], [200 / 3, 100 / 3])
    assert gr.pd_interval[0] < gr.pd < gr.pd_interval[1]
    assert (nh.method, nh.n, nh.pd, nh.tc) == ("NH", 1, 100, 0)


def test_wilson_interval() -> None:
    """Wilson's formula, written out."""
    z, p, n = 1.959963984540054, 0.3, 50
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    np.testing.assert_allclose(proportion_interval(15, 50), [middle - half, middle + half])
    assert proportion_interval(0, 10)[0] == 0
    assert proportion_interval(10, 10)[1] == 1


def test_parse_ks() -> None:
    assert parse_ks(["1", " all", "10"]) == ("1", "ALL", "10")
    for wrong, message in (
        (["0"], "got '0'"),
        (["-1"], "got '-1'"),
        (["1.5"], "1.5"),
        (["1", "01"], "once"),
        ([], "once"),
    ):
        with pytest.raises(InputError, match=message):
            parse_ks(wrong)


def test_a_recorded_beginning_is_used_where_it_pays(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 16 steps: late removals share most of an epoch, early ones nothing."""
    for module in ("data.negatives", "training.trainer", "evaluation.retraining"):
        monkeypatch.setattr(f"gr_tf.{module}.BLOCK_SIZE", 16)
    trainer = Trainer(trained.trainer.triples, trained.trainer.config)
    blocks = []
    run = trainer.run
    monkeypatch.setattr(trainer, "run", lambda **options: run(**options, on_block=lambda: blocks.append(1)))

    def tables(removals: list[np.ndarray]) -> list[np.ndarray]:
        blocks.clear()
        measured = dict(retrain_without(trainer, 1, removals, lambda place, table: (place, table), jobs=2))
        return [measured[place] for place in range(len(removals))]

    late = [np.array([i]) for i in range(50, 60)]
    for table, removed in zip(tables(late), late, strict=True):
        np.testing.assert_array_equal(table, run(removed=removed, epochs=1).table)
    assert len(blocks) == len(late)
    tables([np.array([i]) for i in range(10)])
    assert len(blocks) == 10 * 4
