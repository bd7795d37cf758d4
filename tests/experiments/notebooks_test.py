"""The notebooks run, and are kept without their output."""

import pathlib
from typing import Any

import matplotlib as mpl
import nbformat
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "experiments" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def code_of(path: pathlib.Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["graph", "ratings_and_sequences"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_output_is_cleared(path: pathlib.Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            compile(cell.source, path.name, "exec")


def test_the_first_verified_answer_takes_few_lines() -> None:
    first = code_of(FOLDER / "graph.ipynb")[0]
    assert "why.check(" in first
    assert len([line for line in first.splitlines() if line.strip()]) <= 8


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cells_run(path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process; what a cell ends with shows itself as HTML."""
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    shown = 0
    for source in code_of(path):
        exec(compile(source, path.name, "exec"), names)
        last = source.splitlines()[-1]
        if last.isidentifier() or last in ("why.quality",):
            html = eval(last, names)._repr_html_()
            assert "<table" in html
            assert "<script" not in html
            shown += 1
    assert shown >= 3


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_kernel_runs_them(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    client = pytest.importorskip("nbclient")
    done = client.NotebookClient(
        nbformat.read(path, as_version=4), timeout=300, resources={"metadata": {"path": tmp_path}}
    )
    assert not [
        cell for cell in done.execute().cells if any(out.output_type == "error" for out in cell.get("outputs", ()))
    ]
