"""The paper's example explanations, on a toy graph that stands in for FB15k-237."""

import pathlib

import numpy as np
import pytest

from gr_tf.attribution.rollback import GradientRollback
from gr_tf.data.triples import Query, TripleSet
from gr_tf.report import published
from gr_tf.runs import files
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig
from tests.experiments.binaries import run_here

FEW = ("--dim=4", "--num_negatives=3", "--epochs=2", "--num_seeds=2")


def test_where_printed_triples_stand(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
    toy: TripleSet,
) -> None:
    asked = (f"--data_dir={graph_folder}", f"--run_dir={tmp_path}", *FEW)
    assert run_here(monkeypatch, "gr_examples", *asked) == 1
    assert "does not have the paper's example /m/0mwk9" in capsys.readouterr().err

    query = Query(*map(int, toy.test[0]))
    printed = int(TripleTask(toy, TripleConfig()).related(query)[3])
    names = toy.names_of(query), toy.names_of(toy.query_of(printed))
    monkeypatch.setattr(published, "EXAMPLES", (names,))
    assert run_here(monkeypatch, "gr_examples", *asked) == 0
    shown = capsys.readouterr().out
    assert " - ".join(names[0]) in shown

    result = files.read_json(tmp_path / "examples" / "result.json")
    (example,), task = result["examples"], TripleTask(toy, TripleConfig().of_dict(result["settings"]["config"]))
    assert len(example["seeds"]) == 2
    for seed, told in enumerate(example["seeds"]):
        trained = train_in_memory(task.with_config(seed=seed))
        ranking = GradientRollback(trained).rank(query)
        assert told["rank"] == 1 + ranking.example_ids.tolist().index(printed)
        assert (told["first"], told["paper"]) == (int(ranking.example_ids[0]), printed)
        assert told["prediction"] == pytest.approx(task.exact_value(trained.parameters, [query])[0], rel=1e-12)
        for what, value in told["without"].items():
            without = trained.task.train(removed=np.array([told[what]])).parameters
            assert value == pytest.approx(task.exact_value(without, [query])[0], rel=1e-12)
    # What is finished is only shown again.
    assert run_here(monkeypatch, "gr_examples", *asked) == 0
    assert capsys.readouterr().out == shown
    # Of more seeds, only the new one is trained and retrained.
    more = (*asked, "--num_seeds=3")
    assert run_here(monkeypatch, "gr_examples", *more) == 1
    assert "was begun with num_seeds = 2, not 3. Pass --overwrite to begin anew" in capsys.readouterr().err
    files_before = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("explained-*.json")}
    lines = (tmp_path / "work" / "retrainings.jsonl").read_text().splitlines()
    assert run_here(monkeypatch, "gr_examples", *more, "--overwrite") == 0
    assert {path: path.stat().st_mtime_ns for path in files_before} == files_before
    after = (tmp_path / "work" / "retrainings.jsonl").read_text().splitlines()
    assert after[: len(lines)] == lines
    assert len(lines) < len(after) <= len(lines) + 3
    seeds = files.read_json(tmp_path / "examples" / "result.json")["examples"][0]["seeds"]
    assert seeds[:2] == example["seeds"]
