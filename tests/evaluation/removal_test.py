"""Remove and retrain: deterministic on any number of cores, resumable, exact about what it counts, for every kind."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution import methods
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.evaluation import removal
from gr_tf.evaluation.explained import explain_run
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.removal import (
    Outcome,
    Removal,
    make_removals,
    parse_ks,
    remove_and_retrain,
    score_outcomes,
)
from gr_tf.evaluation.retraining import Retraining
from gr_tf.evaluation.statistics import proportion_interval
from gr_tf.models.parameters import Parameters
from gr_tf.report.tables import removal_frame
from gr_tf.runs.journal import Journal
from gr_tf.tasks import stage
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig

OUTCOME = Outcome(0, "GR", "1", 1, 0.003, p_before=0.5, p_after=0.4, top1_before=3, top1_after=3)


def queries_of(trained: Trained) -> list[Any]:
    return [prediction.query for prediction in trained.task.test_predictions(trained.parameters)]


def removals_of(trained: Trained) -> list[Removal]:
    rollback, neighborhood = GradientRollback(trained), methods.explainer(trained, "nh", seed=0)
    removals = []
    for i, query in enumerate(queries_of(trained)):
        ranking = rollback.rank(query)
        for method, of_method in {"NH": neighborhood.rank(query), "GR": ranking}.items():
            removals += make_removals(i, method, of_method, ("1", "ALL"), ranking.num_supporting)
    return removals


def outcomes_of(trained: Trained, journal: pathlib.Path, jobs: int) -> list[Outcome]:
    return remove_and_retrain(trained, queries_of(trained), removals_of(trained), journal, jobs)


def test_one_core_or_two_or_three_give_the_same_bits(trained: Trained, tmp_path: pathlib.Path) -> None:
    results = [outcomes_of(trained, tmp_path / f"{jobs}.jsonl", jobs) for jobs in (1, 2, 3)]
    assert results[0] == results[1] == results[2]
    asked = removals_of(trained)
    assert [(one.prediction, one.method, one.k) for one in results[0]] == [
        (one.prediction, one.method, one.k) for one in asked
    ]
    # The same examples are removed once, whoever names them.
    distinct = {(removal.prediction, removal.example_ids) for removal in asked}
    assert len((tmp_path / "1.jsonl").read_bytes().splitlines()) == len(distinct)


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


def test_journal_records_survive_to_the_bit(tmp_path: pathlib.Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    record = {"measured": [[0.1 + 0.2, None]]}
    journal.add(record)
    journal.close()
    reopened = Journal(tmp_path / "journal.jsonl")
    assert reopened.records == [record]
    reopened.close()


def test_removal_of_nothing_changes_nothing(trained: Trained, tmp_path: pathlib.Path) -> None:
    nothing = [Removal(0, "GR", "ALL", ())]
    (outcome,) = remove_and_retrain(trained, queries_of(trained), nothing, tmp_path / "journal.jsonl", 1)
    assert outcome.p_after == outcome.p_before
    assert not outcome.probability_drop
    assert not outcome.top1_change


def test_retrainings_are_real(trained: Trained) -> None:
    """What a measured table says is what training without the examples says."""
    task, query = trained.task, queries_of(trained)[0]
    removed = [(3,), (), (1, 2)]
    asked = [Retraining.of(trained, ids, "value", [query], length=2) for ids in removed]
    measured = {place: outcome.measured[0] for place, outcome in retrain(asked, 2, known=[task])}
    for place, ids in enumerate(removed):
        assert measured[place] == task.value(task.train(removed=ids, length=2).parameters, [query])[0]
    assert len(set(measured.values())) == 3
    with pytest.raises(InputError, match="jobs must be at least 1"):
        list(retrain(asked, 0, known=[task]))


def test_an_error_in_a_retraining_ends_the_evaluation(trained: Trained) -> None:
    asked = [Retraining.of(trained, ids, "value", queries_of(trained)[:1]) for ids in ((1,), (999,))]
    with pytest.raises(InputError, match="example ids are 0 to 59"):
        list(retrain(asked, 2, known=[trained]))


def test_all_methods_remove_as_many_as_gradient_rollback_supports(trained: Trained) -> None:
    removals = {(removal.prediction, removal.method, removal.k): removal for removal in removals_of(trained)}
    rollback = GradientRollback(trained)
    for i, query in enumerate(queries_of(trained)):
        supporting = rollback.explain(query, k=None)
        assert removals[i, "GR", "ALL"].example_ids == tuple(sorted(supporting.example_ids.tolist()))
        assert len(removals[i, "NH", "ALL"].example_ids) == len(supporting.example_ids)
        assert removals[i, "GR", "1"].example_ids == (supporting.example_ids[0],)
        json.dumps(dataclasses.asdict(removals[i, "GR", "ALL"]))


def test_gr_o_is_gradient_rollback_of_the_triples_with_the_querys_tail(trained: Trained) -> None:
    same_tail = methods.explainer(trained, "gr-o")
    for query in queries_of(trained):
        whole, own = GradientRollback(trained).rank(query), same_tail.rank(query)
        expected = whole.only(trained.task.dataset.train[whole.example_ids, 2] == query.tail)
        np.testing.assert_array_equal(own.example_ids, expected.example_ids)
        np.testing.assert_array_equal(own.influences, expected.influences)
        np.testing.assert_array_equal(own.without, expected.without)


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
    assert [gr[name] for name in ("method", "n", "mean_removed")] == ["GR", 3, 2]
    np.testing.assert_allclose([gr["pd"], gr["tc"]], [200 / 3, 100 / 3])
    assert gr["pd_interval"][0] < gr["pd"] < gr["pd_interval"][1]
    assert [nh[name] for name in ("method", "n", "pd", "tc")] == ["NH", 1, 100, 0]


def test_without_alternatives_there_is_no_tc() -> None:
    (score,) = score_outcomes([dataclasses.replace(OUTCOME, top1_before=None, top1_after=None)])
    assert [score[name] for name in ("pd", "tc", "tc_interval")] == [100, None, None]
    assert list(removal_frame([score]).columns) == ["method", "removed", "PD% [95%]", "n"]


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
    for module in ("data.negatives", "training.triple_steps"):
        monkeypatch.setattr(f"gr_tf.{module}.BLOCK_SIZE", 16)
    task = trained.task.with_config()
    run, query = task.train, queries_of(trained)[:1]
    blocks: list[int] = []

    def parameters(removals: list[int]) -> list[Parameters]:
        found = {}

        def counted(**options: Any) -> Any:
            training = run(**options | {"on_block": lambda *_: blocks.append(1)})
            found[options["removed"]] = training.parameters
            return training

        blocks.clear()
        monkeypatch.setattr(task, "train", counted)
        asked = [Retraining.of(trained, [i], "value", query, task=task.reference, length=1) for i in removals]
        list(retrain(asked, 2, known=[task]))
        return [found[(i,)] for i in removals]

    late = list(range(50, 60))
    for shortened, removed in zip(parameters(late), late, strict=True):
        np.testing.assert_array_equal(shortened.table, run(removed=[removed], length=1).parameters.table)
    assert len(blocks) == len(late)
    parameters(list(range(10)))
    assert len(blocks) == 10 * 4


def made_tasks(ratings: RatingSet, sequences: SequenceSet) -> dict[str, Task[Any]]:
    small: dict[str, Any] = {"dim": 3, "steps": 300, "learning_rate": 0.01, "dtype": "float64"}
    return {
        "batches": RatingTask(ratings, RatingConfig(batch_size=40, **small)),
        "one by one": RatingTask(ratings, RatingConfig(batch_size=1, **small)),
        "sequences": SequenceTask(
            sequences, SequenceConfig(dim=3, hidden=4, epochs=2, batch_size=16, kept_epochs=(1, 2))
        ),
    }


@pytest.mark.parametrize(
    ("name", "methods_asked", "expected"),
    [
        ("batches", ("fia", "nh"), ["NH", "FIA"]),
        pytest.param("one by one", ("NH", "GR"), ["NH", "GR"], marks=pytest.mark.slow),
        pytest.param("sequences", ("tracin", "nh"), ["NH", "TRACIN"], marks=pytest.mark.slow),
    ],
)
def test_every_kind_is_explained_removed_and_retrained(
    toy_ratings: RatingSet,
    toy_sequences: SequenceSet,
    tmp_path: pathlib.Path,
    name: str,
    methods_asked: tuple[str, ...],
    expected: list[str],
) -> None:
    """Each outcome is what a training without the examples gives, beside one with everything."""
    task = made_tasks(toy_ratings, toy_sequences)[name]
    stage.train(task, tmp_path)
    explain_run(tmp_path, num_queries=4)
    done = removal.evaluate(tmp_path, methods=methods_asked, ks=("1", "ALL"), jobs=2)
    result = done.result()
    assert [(row["method"], row["k"], row["n"]) for row in result["table"]] == [
        (method, k, 4) for method in expected for k in ("1", "ALL")
    ]
    assert all((row["tc"] is None) == (task.kind == "ratings") for row in result["table"])
    trained = stage.load(tmp_path)
    removals = json.loads((done.path / "removals.json").read_text())["removals"]
    told = json.loads((tmp_path / "explain" / "result.json").read_text())["predictions"]
    start = trained.state if task.continues else None
    for row, removed in list(zip(result["retrainings"], removals, strict=True))[::5]:
        query = task.dataset.query_class(**told[row["prediction"]]["query"])
        assert task.row_of(query).items() <= row.items()
        whole, without = (task.train(removed=ids, start=start).parameters for ids in ((), removed["example_ids"]))
        assert row["p_before"] == task.value(whole, [query])[0]
        assert row["p_after"] == task.value(without, [query])[0]
        assert row["pd"] == (round(row["p_after"], 5) < round(row["p_before"], 5))
        if task.answer_of(query) is not None:
            assert row["top1_after"] == task.answer_key(query, task.top(without, query) or 0)
    with pytest.raises(InputError, match="is already finished"):
        removal.evaluate(tmp_path, methods=methods_asked, ks=("1", "ALL"), jobs=2)
    with pytest.raises(InputError, match=f"method must be one of .* for {task.kind}; got 'criage'"):
        removal.evaluate(tmp_path, methods=["CRIAGE"], jobs=2)
    with pytest.raises(InputError, match="released_defects change the"):
        removal.evaluate(tmp_path, methods=["nh"], released_defects=["frozen_learning_rate"], jobs=1)
