"""The binaries on a toy graph: what they print and write, and what a SIGKILL costs."""

import dataclasses
import pathlib
import re

import numpy as np
import pandas as pd
import pytest

from gr_tf.data.triples import read_folder
from gr_tf.evaluation import explained as explaining
from gr_tf.evaluation import removal
from gr_tf.evaluation.released import DEFECTS
from gr_tf.runs import files
from gr_tf.tasks import stage as training
from gr_tf.tasks.test_predictions import ExplainedPrediction
from tests.experiments.binaries import kill_when, run_here, start_process

TOY_FLAGS = ("--dim=4", "--num_negatives=3", "--epochs=3", "--learning_rate=0.03")


def test_three_steps_are_table_1(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    steps, whole = tmp_path / "steps", tmp_path / "whole"
    data = (f"--data_dir={graph_folder}", *TOY_FLAGS)
    assert run_here(monkeypatch, "gr_train", f"--run_dir={steps}", *data) == 0
    assert "Selected epoch" in capsys.readouterr().out
    assert run_here(monkeypatch, "gr_explain", f"--run_dir={steps}") == 0
    assert "which 10 test triples ask for" in capsys.readouterr().out
    assert run_here(monkeypatch, "gr_evaluate", f"--run_dir={steps}", "--jobs=1") == 0
    table = capsys.readouterr().out
    assert run_here(monkeypatch, "gr_table1", f"--run_dir={whole}", *data, "--jobs=3") == 0
    assert table.split("\n")[1:7] == capsys.readouterr().out.split("\n")[6:12]

    result = files.read_json(whole / "table1" / "result.json")
    assert result["retrainings"] == files.read_json(steps / "evaluate" / "result.json")["retrainings"]
    assert [(row["method"], row["k"]) for row in result["table"]] == [
        (method, k) for method in ("NH", "GR") for k in ("1", "10", "ALL")
    ]
    assert len(result["retrainings"]) == 6 * result["num_predictions"] == 6 * result["num_queries"]
    assert result["settings"]["checksums"]["train.txt"] == files.sha256(graph_folder / "train.txt")
    removals = files.read_json(whole / "evaluate" / "removals.json")["removals"]
    for row, removed in zip(result["retrainings"], removals, strict=True):
        assert row["num_removed"] == len(removed["example_ids"])
        assert row["pd"] == (round(row["p_after"], 5) < round(row["p_before"], 5))
        assert row["tc"] == (row["top1_after"] != row["tail"])
    explanations = pd.read_csv(whole / "explain" / "explanations.csv")
    difference = explanations["prediction"] - explanations["prediction_without"]
    np.testing.assert_allclose(explanations["influence"], difference, rtol=0, atol=1e-15)
    assert (whole / "table1" / "table.txt").read_text().startswith("Table 1, ")
    assert not (whole / "train" / "checkpoints").exists()
    assert list((whole / "train" / "tensorboard").iterdir())


def test_one_question(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    run_dir = f"--run_dir={tmp_path / 'run'}"
    assert run_here(monkeypatch, "gr_train", run_dir, f"--data_dir={graph_folder}", *TOY_FLAGS) == 0
    capsys.readouterr()
    assert run_here(monkeypatch, "gr_explain", run_dir, "--head=e1", "--relation=r2", "--tail=e5", "--k=3") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("(e1, r2, ?) -> e5, p = 0.")
    assert printed[2].split() == [
        *("head", "relation", "tail", "influence", "prediction", "prediction_without", "example_id")
    ]
    assert len(printed) == 6
    assert not (tmp_path / "run" / "explain").exists()


def test_a_sample_of_queries(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    arguments = (f"--run_dir={tmp_path / 'run'}", f"--data_dir={graph_folder}", *TOY_FLAGS, "--ks=1")
    assert run_here(monkeypatch, "gr_table1", *arguments, "--num_queries=3") == 0
    printed = capsys.readouterr().out
    result = files.read_json(tmp_path / "run" / "table1" / "result.json")
    assert f"3 of {result['num_predictions']} distinct predictions of 10 test triples" in printed
    assert [row["n"] for row in result["table"]] == [3, 3]


def test_seeds(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    arguments = (f"--run_dir={tmp_path / 'run'}", f"--data_dir={graph_folder}", *TOY_FLAGS, "--ks=1")
    assert run_here(monkeypatch, "gr_seeds", *arguments, "--num_seeds=2") == 0
    result = files.read_json(tmp_path / "run" / "first2" / "result.json")
    for i in (0, 1):
        seed = files.read_json(tmp_path / "run" / f"seed{i}" / "table1" / "result.json")
        assert seed["settings"]["config"]["seed"] == i
        assert [row["pd"] for row in seed["table"]] == [row["pd"]["per_seed"][i] for row in result["table"]]


def run_dir_and_data(tmp_path: pathlib.Path, graph_folder: pathlib.Path) -> tuple[str, ...]:
    return (f"--run_dir={tmp_path / 'run'}", f"--data_dir={graph_folder}", *TOY_FLAGS)


def test_table_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    arguments = (*run_dir_and_data(tmp_path, graph_folder), "--num_queries=4", "--ks=1,2")
    assert run_here(monkeypatch, "gr_table2", *arguments) == 0
    assert "GR - CRIAGE, k = 2" in capsys.readouterr().out
    result = files.read_json(tmp_path / "run" / "table2" / "result.json")
    assert result["settings"]["config"]["loss"] == "sigmoid"
    assert [(row["method"], row["k"], row["n"]) for row in result["table"]] == [
        (method, k, 4) for method in ("NH", "CRIAGE", "GR-O", "GR") for k in ("1", "2")
    ]
    assert len(result["significance"]) == 12
    removals = files.read_json(tmp_path / "run" / "evaluate" / "removals.json")["removals"]
    train = read_folder(graph_folder).train_frame
    for row, removed in zip(result["retrainings"], removals, strict=True):
        if row["method"] in ("CRIAGE", "GR-O"):
            assert set(train.loc[removed["example_ids"], "tail"]) <= {row["tail"]}
        assert (row["p_predicted"] is None) == (row["num_removed"] != 1)
    assert run_here(monkeypatch, "gr_table2", *arguments[1:], "--loss=softmax") == 1
    assert "trained with the sigmoid loss; got 'softmax'" in capsys.readouterr().err
    never = ("gr_table1", f"--run_dir={tmp_path / 'never'}", *arguments[1:])
    assert run_here(monkeypatch, *never, "--methods=CRIAGE") == 1
    assert "criage explains models trained with --loss=sigmoid" in capsys.readouterr().err
    assert not (tmp_path / "never").exists()


def test_released_defects(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, graph_folder: pathlib.Path) -> None:
    arguments = (f"--run_dir={tmp_path}", f"--data_dir={graph_folder}", *TOY_FLAGS, "--ks=1", "--methods=GR")
    assert run_here(monkeypatch, "gr_defects", *arguments, "--loss=sigmoid", "--num_queries=4") == 0
    result = files.read_json(tmp_path / "defects" / "result.json")
    assert list(result["table"]) == ["none", *DEFECTS, "merged_correct"]
    tables = {name: files.read_json(tmp_path / name / "table1" / "result.json") for name in result["table"]}
    plain, softmax = (
        [(row["p_before"], row["p_after"]) for row in tables[name]["retrainings"]]
        for name in ("none", "softmax_retraining")
    )
    assert [before for before, _ in plain] == [before for before, _ in softmax]
    assert all(one != other for (_, one), (_, other) in zip(plain, softmax, strict=True))
    assert tables["merged_correct"]["settings"]["right_if"] == "any"
    assert tables["none"]["settings"]["right_if"] == "drawn"
    assert run_here(monkeypatch, "gr_defects", *arguments, "--defects=softmax") == 1
    table = (tmp_path / "softmax_retraining" / "table1" / "table.txt").read_text()
    assert "loss sigmoid" in table.splitlines()[1]
    assert table.splitlines()[1].endswith("released defect softmax_retraining")


def test_options_reach_their_stage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, graph_folder: pathlib.Path
) -> None:
    """Defects decide which predictions are evaluated, right_if which are drawn."""
    run = tmp_path / "run"
    assert run_here(monkeypatch, "gr_table1", *run_dir_and_data(tmp_path, graph_folder), "--ks=1") == 0
    explained = explaining.load(run, training.load(run))
    counts = [3, 1, 5, 0] + [2] * (len(explained.explanations) - 4)
    faked = [
        dataclasses.replace(e, influences=np.where(np.arange(len(e.influences)) < count, 1.0, -1.0))
        for e, count in zip(explained.explanations, counts, strict=True)
    ]
    monkeypatch.setattr(explaining, "load", lambda *_: dataclasses.replace(explained, explanations=faked))
    for defect, expected in (
        ("drop_single", [0, *range(2, len(counts))]),
        ("stop_at_empty", [0, 1, 2]),
    ):
        stage = removal.evaluate(run, methods=["GR"], ks=["1"], released_defects=[defect], jobs=1, overwrite=True)
        assert [row["prediction"] for row in stage.result()["retrainings"]] == expected

    asked: list[str] = []

    def sample(
        predictions: list[ExplainedPrediction], count: int, seed: int, right_if: str
    ) -> list[ExplainedPrediction]:
        asked.append(right_if)
        return predictions[:count]

    monkeypatch.setattr(explaining, "balanced_sample", sample)
    explaining.explain_run(run, 3, num_queries=2, right_if="any", overwrite=True)
    arguments = (*run_dir_and_data(tmp_path, graph_folder), "--num_queries=2", "--right_if=any")
    assert run_here(monkeypatch, "gr_table5", *arguments) == 0
    assert asked == ["any", "any"]


def test_tables_3_and_4(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    assert run_here(monkeypatch, "gr_table3_4", *run_dir_and_data(tmp_path, graph_folder), "--num_seeds=2") == 0
    assert " +- " in capsys.readouterr().out
    result = files.read_json(tmp_path / "run" / "table3_4" / "result.json")
    assert {row["what"]: row["value"] for row in result["statistics"]}["train"] == 60
    for row in result["ranking"]:
        for seed, value in enumerate(row["per_seed"]):
            trained = files.read_json(tmp_path / "run" / f"{row['model']}-seed{seed}" / "train" / "result.json")
            assert value == 100 * trained["quality"]["test"][row["metric"]]
            assert row["paper"] is None


def test_table_5(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    asked = (*run_dir_and_data(tmp_path, graph_folder), "--num_queries=3")
    for beside, message in (
        ("nh,criage", "criage explains models trained with --loss=sigmoid"),
        ("nh,gr", "--beside names other methods than gr, which is timed anyway"),
    ):
        assert run_here(monkeypatch, "gr_table5", *asked, f"--beside={beside}") == 1
        assert message in capsys.readouterr().err
    assert run_here(monkeypatch, "gr_table5", *asked, "--beside=nh") == 0
    shown = capsys.readouterr().out
    assert "the paper: GTX 1080 Ti" in shown
    assert re.search(r"distmult +nh +0\.", shown)
    result = files.read_json(tmp_path / "run" / "table5" / "result.json")
    assert result["num_queries"] == 3
    assert 0 < result["explaining_seconds"]["mean"] <= result["explaining_seconds"]["max"]
    assert result["training_seconds"] > 0
    assert result["beside"]["nh"]["num_adjacent"] == result["num_adjacent"]
    assert result["beside"]["nh"]["explaining_seconds"]["mean"] > 0


@pytest.mark.slow
def test_figures(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    """What is drawn is what the tables' retrainings say."""
    arguments = run_dir_and_data(tmp_path, graph_folder)
    run = tmp_path / "run"
    assert run_here(monkeypatch, "gr_figure2", *arguments, "--constraints=none,unit_norm", "--num_seeds=2") == 0
    assert "r of the changes" in capsys.readouterr().out
    for panel in files.read_json(run / "figure2" / "result.json")["panels"]:
        for seed in panel["seeds"]:
            table = files.read_json(run / f"{panel['constraint']}-seed{seed['seed']}" / "table1" / "result.json")
            assert seed["p_retrained"] == [row["p_after"] for row in table["retrainings"]]
            assert seed["p_predicted"] == [row["p_predicted"] for row in table["retrainings"]]
            assert seed["tc"] == pytest.approx(100 * np.mean([row["tc"] for row in table["retrainings"]]))
            config = table["settings"]["config"]
            assert (config["constraint"], config["seed"]) == (panel["constraint"], seed["seed"])

    assert run_here(monkeypatch, "gr_table1", *arguments) == 0
    table_path = run / "table1" / "result.json"
    table = files.read_json(table_path)
    other = f"--run_dir={tmp_path / 'other'}"
    assert run_here(monkeypatch, "gr_figure2", other, f"--tables={table_path}") == 0
    (panel,) = files.read_json(tmp_path / "other" / "figure2" / "result.json")["panels"]
    assert len(panel["seeds"][0]["p_predicted"]) == table["num_queries"]

    assert run_here(monkeypatch, "gr_figure3", *arguments, "--head=e1", "--relation=r2", "--tail=e5", "--k=4") == 0
    graph = files.read_json(run / "figure3" / "result.json")
    assert graph["query"] == {"head": "e1", "relation": "r2", "tail": "e5"}
    assert len(graph["examples"]) == 4

    assert run_here(monkeypatch, "gr_figure4", f"--run_dir={run}", f"--tables={table_path}") == 0
    boxes = files.read_json(run / "figure4" / "result.json")["boxes"]
    assert [box["k"] for box in boxes] == ["1", "10", "ALL"]
    falls = {
        (row["method"], row["prediction"]): row["p_before"] - row["p_after"]
        for row in table["retrainings"]
        if row["k"] == "10"
    }
    places = sorted({prediction for _, prediction in falls})
    expected = [falls["GR", place] - falls["NH", place] for place in places]
    np.testing.assert_allclose(boxes[1]["differences"], expected, atol=1e-15)
    for name in ("figure2", "figure3", "figure4"):
        assert (run / name / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert run_here(monkeypatch, "gr_figure4", f"--tables={run / 'figure4' / 'result.json'}") == 1
    assert "is not a result of gr_table1" in capsys.readouterr().err


def test_baselines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    """Nations has the paper's numbers beside the baseline; a finished measurement is found again."""
    for _ in range(2):
        assert run_here(monkeypatch, "gr_baselines", f"--run_dir={tmp_path}") == 0
        told = capsys.readouterr().out
        assert "58.88" in told
        result = files.read_json(tmp_path / "baselines" / "result.json")
        assert f"{100 * result['baseline']['test']['mrr']:.2f}" in told


def test_stability(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    # Without the self-loops, which the lemmas' constants do not cover.
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "valid", "test"):
        lines = [line.split("\t") for line in (graph_folder / f"{split}.txt").read_text().splitlines()]
        kept = ["\t".join(line) + "\n" for line in lines if line[0] != line[2]]
        (folder / f"{split}.txt").write_text("".join(kept))
    arguments = (f"--run_dir={tmp_path}", f"--data_dir={folder}", "--num_removed=3", "--epochs=2", "--dim=4")
    assert run_here(monkeypatch, "gr_stability", *arguments) == 0
    assert "bound of Theorems 1 and 2" in capsys.readouterr().out
    result = files.read_json(tmp_path / "stability" / "result.json")
    assert result["share_of_steps_within_bounds"] == {"apart": 1.0, "rolled_back_apart": 1.0}
    assert 0 < result["share_of_distance_left"] < 1
    assert run_here(monkeypatch, "gr_stability", f"--data_dir={graph_folder}") == 1
    assert "training triple 3 has one" in capsys.readouterr().err
    assert run_here(monkeypatch, "gr_stability", f"--data_dir={folder}", "--model=complex") == 1
    assert "only --dim, --epochs and --seed of the training's flags are used here" in capsys.readouterr().err
    assert result["mean_rolled_back_difference"] < result["mean_difference"] < result["theorem_bound"]


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_to_the_bit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, graph_folder: pathlib.Path
) -> None:
    """SIGKILL twice while training and twice while evaluating; the resumed run ends as an undisturbed one."""
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    flags = (f"--data_dir={graph_folder}", "--dim=4", "--num_negatives=3", "--epochs=600", "--learning_rate=0.003")

    def newest_checkpoint() -> int:
        names = (p.name for p in (killed / "train" / "checkpoints").glob("checkpoint-*"))
        return max((int(name.split("-")[1]) for name in names), default=0)

    def retrainings() -> int:
        path = killed / "evaluate" / "retrainings.jsonl"
        return len(path.read_bytes().splitlines()) if path.exists() else 0

    command = ("gr_table1", f"--run_dir={killed}", *flags, "--checkpoint_seconds=0", "--jobs=2")
    kill_when(lambda: newest_checkpoint() >= 50, *command)
    kill_when(lambda: newest_checkpoint() >= 150, *command)
    assert not (killed / "train" / "result.json").exists()
    kill_when(lambda: retrainings() >= 3, *command)
    kill_when(lambda: retrainings() >= 20, *command)
    assert not (killed / "table1").exists()
    process = start_process("gr_table1", f"--run_dir={killed}", *flags, "--jobs=1")
    assert run_here(monkeypatch, "gr_table1", f"--run_dir={straight}", *flags, "--jobs=1") == 0
    _, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    for name in ("train/parameters/manifest.json", "train/rollback/manifest.json", "explain/rankings/manifest.json"):
        assert (killed / name).read_bytes() == (straight / name).read_bytes()
    results = [files.read_json(folder / "table1" / "result.json") for folder in (killed, straight)]
    for result in results:
        del result["seconds"], result["made_with"], result["files"]
    assert results[0] == results[1]
    histories = [files.read_json(folder / "train" / "result.json")["history"] for folder in (killed, straight)]
    assert histories[0] == histories[1]
    assert not list(killed.rglob(".tmp-*"))
