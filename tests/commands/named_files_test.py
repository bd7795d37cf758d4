"""Commands replace no file unless they are asked to."""

import pathlib
from collections.abc import Sequence

import pytest

from tests.commands.program import gr_tf
from tests.conftest import write_graph

QUERY = "--query=e1,r1,?"


@pytest.fixture
def where(tmp_path: pathlib.Path) -> Sequence[str]:
    write_graph(tmp_path / "mine")
    return (f"--data_dir={tmp_path / 'mine'}", f"--run_dir={tmp_path / 'run'}", "--epochs=2", "--dim=4")


def test_a_report_replaces_nothing(
    capsys: pytest.CaptureFixture[str], where: Sequence[str], tmp_path: pathlib.Path
) -> None:
    page, data, run = tmp_path / "why.html", tmp_path / "mine" / "train.txt", tmp_path / "run"
    page.write_text("years of work")
    triples = data.read_bytes()
    for report, flags, message in (
        (page, (), "why.html: exists already. Pass --overwrite to replace it, or name another."),
        (data, (), "train.txt: exists already."),
        (data, ("--overwrite",), "train.txt: is a file of the data or the model, and is not replaced."),
        ("/dev/full", ("--overwrite",), "/dev/full: is no regular file, and is not replaced."),
        (run, (), "run: is the run's folder, or holds it: name a file."),
        (run / "train" / "why.html", (), "are the run's own: write to "),
    ):
        assert gr_tf("explain", *where, QUERY, f"--report={report}", *flags) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert message in error
    assert not run.exists()
    assert (page.read_text(), data.read_bytes()) == ("years of work", triples)

    assert gr_tf("explain", *where, QUERY, f"--report={page}", "--overwrite") == 0
    assert page.read_text().startswith("<!doctype html>")
    trained = (run / "train" / "result.json").stat().st_mtime_ns
    # The report is replaced; the training is the one that is there.
    for asked in (where, where[1:2]):
        assert gr_tf("explain", *asked, QUERY, f"--report={page}", "--overwrite") == 0
    assert (run / "train" / "result.json").stat().st_mtime_ns == trained
    another = (where[0], f"--run_dir={tmp_path / 'another'}", *where[2:])
    assert gr_tf("explain", *another, QUERY, f"--report={run / 'train' / 'result.json'}", "--overwrite") == 1
    assert "is a file of a run, and is not replaced" in capsys.readouterr().err
    assert gr_tf("train", *where, "--overwrite") == 0
    assert (run / "train" / "result.json").stat().st_mtime_ns != trained


def test_an_export_replaces_nothing(
    capsys: pytest.CaptureFixture[str], where: Sequence[str], tmp_path: pathlib.Path
) -> None:
    assert gr_tf("train", *where) == 0
    asked = ("export", where[1], f"--output_dir={tmp_path / 'mine'}")
    (tmp_path / "mine" / "entities.tsv").write_text("years of work")
    for flags, message in (
        ((), "entities.tsv: exists already. Pass --overwrite"),
        (("--overwrite",), "entities.tsv: is a file of the data"),
    ):
        capsys.readouterr()
        assert gr_tf(*asked, *flags) == 1
        assert message in capsys.readouterr().err
        assert (tmp_path / "mine" / "entities.tsv").read_text() == "years of work"
        assert not (tmp_path / "mine" / "entities.npy").exists()
    assert gr_tf("export", where[1]) == 0
    names = {path.name for path in (tmp_path / "run" / "export").iterdir()}
    assert gr_tf("export", where[1]) == 1
    assert gr_tf("export", where[1], "--overwrite") == 0
    assert {path.name for path in (tmp_path / "run" / "export").iterdir()} == names
