"""The experiments on models of knowledge graphs that people would use, run as a user would."""

import pathlib

import pytest

from gr_tf.runs import files
from tests.experiments.binaries import run_here


@pytest.mark.slow
def test_batch_sizes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    asked = (f"--data_dir={graph_folder}", f"--run_dir={tmp_path}", "--batch_sizes=16", "--epochs=1", "--dim=4")
    few = ("--predictions=2", "--num_seeds=4", "--test_triples=2", "--triples_a_point=3", "--num_negatives=3")
    assert run_here(monkeypatch, "batch_sizes", *asked, *few) == 0
    told = capsys.readouterr().out
    result = files.read_json(tmp_path / "batch_sizes" / "result.json")
    assert [(one["optimizer"], one["batch_size"]) for one in result["trainings"]] == [("adagrad", 16), ("adam", 16)]
    for one in result["trainings"]:
        assert [(row["method"], row["k"], row["n"]) for row in one["removals"]][::2] == [("NH", "1", 2), ("GR", "1", 2)]
        assert set(one["fidelity"]) == {"nh", "gr"}
        assert "{:.2f} [{:.2f}, {:.2f}]".format(*one["fidelity"]["gr"]) in told


def test_graph_quality(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    asked = (f"--data_dir={graph_folder}", f"--run_dir={tmp_path}", "--epochs=2", "--dim=4")
    assert run_here(monkeypatch, "graph_quality", *asked) == 0
    told = capsys.readouterr().out
    result = files.read_json(tmp_path / "graph_quality" / "result.json")
    assert list(result["counts"]) == ["tails", "heads", "both", "both, all triples"]
    assert f"{result['counts']['both']['mrr']:.4f}" in told
    assert run_here(monkeypatch, "graph_quality", *asked, "--batch_size=1") == 1


def test_the_recipe_of_a_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, graph_folder: pathlib.Path
) -> None:
    asked = (f"--data_dir={graph_folder}", "--epochs=1", "--num_queries=2", "--ks=1", "--recipe=own")
    assert run_here(monkeypatch, "gr_table1", *asked, f"--run_dir={tmp_path}") == 0
    config = files.read_json(tmp_path / "table1" / "result.json")["settings"]["config"]
    assert config["reciprocal"]
    assert config["optimizer"] == "adagrad"
