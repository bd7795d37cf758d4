"""The documents: figures from the result files, examples that run, a CI that does what they say."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from experiments import readme
from gr_tf import files
from gr_tf.data.sources import load_triples
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import Atlas

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("document", readme.DOCUMENTS)
def test_figures_are_those_of_the_result_files(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert "<!-- figures: " in text
    assert readme.with_figures(text) == text


# Of MovieLens: on the folder instead of a download.
REAL = pytest.mark.skipif("GR_TF_DATA" not in os.environ, reason="GR_TF_DATA names no folder with the real datasets")


def run_example(place: int, *replacements: tuple[str, str]) -> str:
    """Runs one of README's Python examples, with some words replaced; returns what it prints."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[place]
    for words, instead in replacements:
        assert example.count(words) == 1
        example = example.replace(words, instead)
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ml_100k() -> str:
    return repr(str(pathlib.Path(os.environ["GR_TF_DATA"]) / "ml-100k"))


def test_readme_python_for_ones_own_files_runs(tmp_path: pathlib.Path) -> None:
    folder = ROOT / "gr_tf" / "data" / "nations"
    printed = run_example(0, ('"my/folder"', repr(str(folder))), ('"runs/mine"', repr(str(tmp_path))))
    assert "connection" in printed
    assert " of 3 trainings" in printed


def test_readme_python_runs(tmp_path: pathlib.Path) -> None:
    printed = run_example(1, ('"runs/why"', repr(str(tmp_path / "why"))))
    assert "influence" in printed
    assert printed.endswith("True\n")


def test_readme_python_for_keras_runs() -> None:
    printed = run_example(4, ("import keras\n", "import keras\nkeras.utils.set_random_seed(0)\n"))
    assert printed.count("example_id") == 2


def test_readme_python_with_the_atlas_runs() -> None:
    printed = run_example(5)
    assert "standard_error" in printed
    assert "truth" in printed


@REAL
def test_readme_python_for_ratings_runs() -> None:
    """Shorter: fewer steps, one epoch."""
    printed = run_example(
        2,
        ('("movielens-100k")  #', f'("movielens-100k", {ml_100k()})  #'),
        ("steps=10_000", "steps=1_000"),
        ("steps = 10 * ratings", "steps = ratings"),
    )
    assert printed.count("prediction_without") == 2
    assert "->" in printed


@REAL
def test_readme_python_for_sequences_runs() -> None:
    """Shorter: short histories, one epoch."""
    printed = run_example(
        3,
        ('order="time"', 'order="time", window=5'),
        ("split=split", f"data_dir={ml_100k()}, split=split"),
        ("epochs=20, kept_epochs=(5, 10, 15, 20)", "epochs=1, kept_epochs=(1,)"),
    )
    assert "example_id" in printed
    assert "->" in printed


def test_the_committed_atlases() -> None:
    """Of Nations, under 10 MB, and as reliable as the tables say."""
    triples = load_triples("nations")
    paths = sorted((ROOT / "experiments" / "results").glob("atlas_*.npz"))
    assert paths
    assert sum(path.stat().st_size for path in paths) < 10_000_000
    for path in paths:
        atlas = Atlas.load(path)
        assert len(atlas.seeds) >= 20
        assert atlas.expected.shape == atlas.standard_errors.shape == (len(atlas.queries), triples.num_examples)
        rows = files.read_json(path.with_suffix(".json"))["rows"]
        (told,) = (row["spearman"]["half"] for row in rows if row["stratum"] == "shared >= 2")
        masks = agreement.strata(atlas.shared(triples))["shared >= 2"]
        halves = agreement.per_query(atlas.halves[0], atlas.halves[1], masks, agreement.spearman_rows)
        assert np.nanmean(halves) == pytest.approx(told, abs=0.05)  # One pair of halves, and the mean over twenty.


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
