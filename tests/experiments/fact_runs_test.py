"""Kelpie's protocol, run as a user would."""

import pathlib

import pytest

from gr_tf.runs import files
from tests.experiments.binaries import run_here

FEW = (
    "--epochs=3",
    "--dim=4",
    "--num_negatives=3",
    "--batch_size=16",
    "--optimizer=adagrad",
    "--reciprocal",
    "--jobs=1",
)


@pytest.fixture
def asked(graph_folder: pathlib.Path, tmp_path: pathlib.Path) -> tuple[str, ...]:
    return (f"--data_dir={graph_folder}", f"--run_dir={tmp_path}", "--seeds=2", "--num_facts=3", *FEW)


@pytest.mark.slow
def test_necessary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, asked: tuple[str, ...]
) -> None:
    assert run_here(monkeypatch, "necessary", *asked, "--methods=gr,random") == 0
    told = capsys.readouterr().out
    result = files.read_json(tmp_path / "necessary" / "result.json")
    rows = {(row["method"], row.get("k")): row for row in result["rows"]}
    assert list(rows) == [
        *(("nothing", None), ("nothing, another order", None)),
        *((method, k) for method in ("random", "gr") for k in (1, 4)),
    ]
    assert result["seeds"] == [0, 1, 2]
    assert result["before"]["hits_at_1"][0] == 1
    assert "ranked first" in told
    low = rows["gr", 1]["beyond"]["random"]["value"][1]
    assert f"[{low:+.3f}, " in told
    assert set(rows["random", 1]["beyond"]) == set()
    # The journal's trainings are found again; there are none of new seeds or methods but those that are asked for.
    journal = tmp_path / "work" / "retrainings.jsonl"
    before = len(journal.read_text().splitlines())
    assert run_here(monkeypatch, "necessary", *asked, "--methods=gr,random") == 0
    assert run_here(monkeypatch, "necessary", *asked, "--methods=gr,shape", "--ks=1") == 1
    assert run_here(monkeypatch, "necessary", *asked, "--methods=gr,shape", "--ks=1", "--overwrite") == 0
    assert len(journal.read_text().splitlines()) == before + 3
    again = files.read_json(tmp_path / "necessary" / "result.json")
    assert next(row for row in again["rows"] if row["method"] == "gr")["own"] == rows["gr", 1]["own"]


def test_sufficient(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, asked: tuple[str, ...]
) -> None:
    assert run_here(monkeypatch, "sufficient", *asked, "--methods=gr,random", "--ks=2", "--others=2") == 0
    told = capsys.readouterr().out
    result = files.read_json(tmp_path / "sufficient" / "result.json")
    assert [(row["method"], row.get("k")) for row in result["rows"]][2:] == [("random", 2), ("gr", 2)]
    assert 0 < result["num_others"] <= 6
    assert result["before"]["hits_at_1"][0] == 0
    assert "PR%" in told
    assert f"{result['num_others']} others are given facts" in told


def test_facts_of_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, asked: tuple[str, ...]
) -> None:
    facts, graph = tmp_path / "facts.tsv", pathlib.Path(asked[0].partition("=")[2])
    trained = (graph / "train.txt").read_text().splitlines()
    lines = [line for line in (graph / "test.txt").read_text().splitlines() if line not in trained][:7]
    facts.write_text("\n".join([*lines, "e1\tr0\tnobody", lines[0]]) + "\n")
    runs = tmp_path / "runs"
    few = [*(one for one in asked if "run_dir" not in one), f"--run_dir={runs}", f"--facts={facts}", "--seeds=1"]
    assert run_here(monkeypatch, "necessary", *few, "--methods=random", "--ks=1") == 0
    printed = capsys.readouterr()
    assert f"{facts}:8: 'nobody' is in no training triple" in printed.err
    assert f"{facts}:9: repeats an earlier fact" in printed.err
    assert "of 9 facts" in printed.out
    assert "(2 are left out)" in printed.out
    facts.write_text(f"{lines[0]}\n{trained[5]}\n")
    assert run_here(monkeypatch, "necessary", *few, "--overwrite") == 1
    assert f"{facts}:2: " in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["--methods=unheard", "--methods=gr,gr", "--ks=ALL", "--methods=rollback-all"])
def test_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: tuple[str, ...], wrong: str
) -> None:
    assert run_here(monkeypatch, "necessary", *asked, wrong) == 1
    # After what the reader found odd.
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith("necessary: error: ")
