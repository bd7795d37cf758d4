"""`gr_tf suspects` on toys, and who finds mistakes made on purpose."""

import json
import pathlib

import pandas as pd
import pytest

from tests.commands.program import gr_tf
from tests.conftest import rating_lines, write_graph
from tests.experiments.binaries import run_here


@pytest.fixture(params=["triples", "ratings", "sequences", "choices"])
def own(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> list[str]:
    data = tmp_path / "mine"
    if request.param == "triples":
        write_graph(data)
        return [f"--data_dir={data}", "--epochs=2", "--dim=4"]
    data.mkdir()
    # Of choices, every user leaves some: else none of them could be made wrong.
    sizes = (14, 20, 140) if request.param == "choices" else (10, 10, 100)
    rows = [line.split("\t")[:3] for line in rating_lines(*sizes)]
    text = "user,item,rating\n" + "".join(",".join(row) + "\n" for row in rows)
    (data / "ratings.csv").write_text(text)
    if request.param == "ratings":
        return [f"--data_dir={data}", "--training_steps=60", "--min_interactions=5"]
    if request.param == "choices":
        return [f"--data_dir={data}", "--kind=choices", "--epochs=2", "--dim=4"]
    return [f"--data_dir={data}", "--kind=sequences", "--epochs=2", "--dim=4", "--min_interactions=5", "--window=6"]


def test_names_that_are_formulas(tmp_path: pathlib.Path) -> None:
    """RUN/suspects-loss.csv has names as they are, unless it is for a spreadsheet."""
    write_graph(tmp_path / "mine")
    for path in (tmp_path / "mine").iterdir():
        path.write_text(path.read_text().replace("e3", "=e3"))
    where = (f"--data_dir={tmp_path / 'mine'}", "--epochs=1", "--dim=2", f"--run_dir={tmp_path / 'run'}")
    for flags, name in (((), "=e3"), (("--spreadsheet_safe",), "'=e3")):
        assert gr_tf("suspects", *where, *flags) == 0
        path = tmp_path / "run" / "suspects-loss.csv"
        found = pd.read_csv(path)
        path.unlink()
        assert {text for text in (*found["head"], *found["tail"]) if "e3" in text} == {name}


def test_ones_own_data(capsys: pytest.CaptureFixture[str], own: list[str], tmp_path: pathlib.Path) -> None:
    where = (*own, f"--run_dir={tmp_path / 'run'}")
    first = ["fia"] if "--training_steps=60" in own else [] if "--kind=sequences" in own else ["gr"]
    for by in (None, *first, "tracin"):
        assert gr_tf("suspects", *where, "--k=3", *([f"--by={by}"] if by else [])) == 0
        assert "The most suspicious of" in capsys.readouterr().out
        found = pd.read_csv(tmp_path / "run" / f"suspects-{by or 'loss'}.csv")
        assert found.columns[0] == (by or "loss")
        assert found[by or "loss"].is_monotonic_decreasing
        assert sorted(found.example_id) == list(range(len(found)))
    path = tmp_path / "run" / "suspects-loss.csv"
    before = path.stat().st_mtime_ns
    assert gr_tf("suspects", *where) == 0  # The same again replaces nothing.
    assert path.stat().st_mtime_ns == before
    path.write_text("years of work")
    capsys.readouterr()
    assert gr_tf("suspects", *where) == 1
    assert "suspects-loss.csv: exists already. Pass --overwrite to replace it" in capsys.readouterr().err
    assert path.read_text() == "years of work"
    assert gr_tf("suspects", f"--run_dir={tmp_path / 'run'}", "--overwrite") == 0
    assert path.read_text() != "years of work"
    assert gr_tf("suspects", *where, "--by=luck") == 1
    assert f"--by must be one of {', '.join([*first, 'tracin', 'harm', 'loss'])} for" in capsys.readouterr().err


@pytest.mark.slow
def test_mistakes_on_purpose(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own: list[str], tmp_path: pathlib.Path
) -> None:
    where = (*own, f"--run_dir={tmp_path / 'run'}", "--flip=0.1")
    if "--kind=sequences" in own:
        assert run_here(monkeypatch, "find_suspects", *where) == 1
        assert "mistakes cannot be made on purpose in data of this kind" in capsys.readouterr().err
        return
    assert run_here(monkeypatch, "find_suspects", *where, "--num_seeds=2") == 0
    assert "AUROC" in capsys.readouterr().out
    path = tmp_path / "run" / "suspects" / "result.json"
    result = json.loads(path.read_text())
    assert [len(row["auroc"]) for row in result["rows"]] == [2] * 5
    assert all(0 <= value <= 1 for row in result["rows"] for value in (*row["auroc"], *row["recall"]))
    # More seeds go on from what is there.
    before = (tmp_path / "run" / "suspects" / "detections.jsonl").read_text()
    assert run_here(monkeypatch, "find_suspects", *where, "--num_seeds=3") == 0
    assert (tmp_path / "run" / "suspects" / "detections.jsonl").read_text().startswith(before)
    more = json.loads(path.read_text())
    assert [row["auroc"][:2] for row in more["rows"]] == [row["auroc"] for row in result["rows"]]
    capsys.readouterr()
    assert run_here(monkeypatch, "find_suspects", *own, f"--run_dir={tmp_path / 'other'}", "--flip=1") == 1
    assert "the share of mistakes must be above 0 and below 1; got 1.0" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
