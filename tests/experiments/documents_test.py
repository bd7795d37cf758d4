"""The documents: figures from the result files, examples that run, a CI that does what they say."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from experiments import readme

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("document", readme.DOCUMENTS)
def test_figures_are_those_of_the_result_files(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert "<!-- figures: " in text
    assert readme.with_figures(text) == text


def test_readme_python_runs(tmp_path: pathlib.Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example, _ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "influence" in done.stdout


@pytest.mark.skipif("GR_TF_DATA" not in os.environ, reason="GR_TF_DATA names no folder with the real datasets")
def test_readme_python_for_ratings_runs() -> None:
    """On the folder instead of a download."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    folder = pathlib.Path(os.environ["GR_TF_DATA"]) / "ml-100k"
    local = example.replace('("movielens-100k")  #', f'("movielens-100k", {str(folder)!r})  #')
    assert local != example
    done = subprocess.run([sys.executable, "-c", local], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "prediction_without" in done.stdout
    assert "->" in done.stdout


def test_ci_runs_the_readme_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    assert sum(".ci/check" in block for block in blocks) == 1


def test_binaries_share_their_flags() -> None:
    """A flag that two modules define would keep them from one process, as these tests and readme.py need."""
    names = [path.stem for path in (ROOT / "experiments").glob("*.py") if path.stem != "__init__"]
    imports = "\n".join(f"import experiments.{name}" for name in names)
    done = subprocess.run([sys.executable, "-c", imports], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
