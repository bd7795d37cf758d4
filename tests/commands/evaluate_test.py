"""`gr_tf train`, `evaluate` and `export` on toys of every kind."""

import json
import pathlib

import numpy as np
import pytest

from gr_tf.tasks import stage
from tests.commands.program import gr_tf
from tests.conftest import rating_lines, write_graph

FLAGS = {
    "triples": ("--epochs=2", "--dim=4"),
    "ratings": ("--training_steps=60", "--min_interactions=5", "--dim=4"),
    "choices": ("--epochs=2", "--dim=4", "--min_interactions=4"),
    "sequences": ("--epochs=2", "--dim=4", "--min_interactions=5", "--window=6"),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind == "sequences" else kind for kind in FLAGS]
)
def test_from_files_to_a_table(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, kind: str) -> None:
    data, run = tmp_path / "mine", tmp_path / "run"
    if kind == "triples":
        write_graph(data)
    else:
        data.mkdir()
        (data / "toy.rating").write_text("".join(rating_lines()))
    where = (f"--data_dir={data}", f"--kind={kind}", f"--run_dir={run}", *FLAGS[kind])
    assert gr_tf("train", *where) == 0
    printed = capsys.readouterr().out
    assert f"training examples of mine ({kind})." in printed
    assert "valid" in printed
    assert f"gr_tf explain --run_dir={run}" in printed
    # Once more: what is finished is told again.
    assert gr_tf("train", *where) == 0
    assert capsys.readouterr().out == printed

    asked = (f"--run_dir={run}", "--ks=1,2", "--num_queries=3")
    assert gr_tf("evaluate", *asked, *(["--retraining_steps=20"] if kind == "ratings" else [])) == 0
    printed = capsys.readouterr().out
    assert "3 predictions, 12 retrainings." in printed
    first = stage.load(run).task.kind
    assert first == kind
    result = json.loads((run / "evaluate" / "result.json").read_text())
    assert [row["method"] for row in result["table"]][:2] == ["NH", "NH"]
    assert ("TC%" in printed) == (kind != "ratings")

    assert gr_tf("export", f"--run_dir={run}") == 0
    trained = stage.load(run)
    for part, (vectors, names, _) in trained.task.embeddings(trained.parameters).items():
        assert len(vectors) == len(names)
        np.testing.assert_array_equal(np.load(run / "export" / f"{part}.npy"), vectors)


def test_mistakes(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    write_graph(tmp_path / "mine")
    where = (f"--data_dir={tmp_path / 'mine'}", f"--run_dir={tmp_path / 'run'}", *FLAGS["triples"])
    for command, flags, message in (
        ("evaluate", (*where, "--ks=0"), "each of --ks must be a whole number from 1, or ALL; got '0'"),
        ("evaluate", (*where, "--methods=fia"), "tracin, nh for triples; got 'fia'"),
        ("evaluate", (*where, "--jobs=0"), "--jobs=0"),
        ("evaluate", (f"--run_dir={tmp_path / 'none'}",), "has no finished training"),
        ("export", (f"--run_dir={tmp_path / 'none'}",), "has no finished training"),
        ("export", (), "name the folder of a run with --run_dir."),
        ("export", (f"--run_dir={tmp_path}", "--data_dir=x"), "data_dir"),
    ):
        assert gr_tf(command, *flags) == 1
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith(f"gr_tf {command}: error: ")
        assert message in error
    assert not (tmp_path / "run").exists()
