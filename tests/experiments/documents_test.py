"""The documents: tables from the result files, commands and notes that exist, examples that run."""

import contextlib
import importlib
import io
import os
import pathlib
import re
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from absl import flags

from experiments import readme
from gr_tf.data.sources import load_triples
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import Atlas
from gr_tf.runs import files

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = ("README.md", "BUILD_NOTES.md", "experiments/README.md", "gr_tf/README.md")
BINARIES = sorted(path.stem for path in (ROOT / "experiments").glob("*.py") if path.stem != "__init__")
# Of MovieLens: on the folder instead of a download.
REAL = pytest.mark.skipif("GR_TF_DATA" not in os.environ, reason="GR_TF_DATA names no folder with the real datasets")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", readme.DOCUMENTS)
def test_tables_are_those_of_the_result_files(document: str) -> None:
    text = text_of(document)
    assert "<!-- figures: " in text
    assert readme.with_figures(text) == text


def test_every_table_stands_once() -> None:
    text = "\n".join(map(text_of, readme.DOCUMENTS))
    names = re.findall(r"^<!-- figures: (\w+) -->", text, re.MULTILINE)
    assert sorted(names) == sorted(readme.FIGURES)


def test_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= 250


def test_links_lead_somewhere() -> None:
    for document in DOCUMENTS:
        folder = (ROOT / document).parent
        for link in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", text_of(document)):
            assert (folder / link).exists(), f"{document}: {link}"


def test_result_files_have_a_command() -> None:
    listed = text_of("experiments/README.md").partition("## The command of each file")[2]
    for path in sorted(readme.RESULTS.iterdir()):
        name = re.sub(r"^(table5)_.*", r"\1_DATASET_MODEL", re.sub(r"^(atlas_nations)_\w+$", r"\1_MODEL", path.stem))
        assert f"`{path.stem}.json`" in listed or f"`{path.name}`" in listed or f"`{name}.json`" in listed, path.name


def test_notes_are_cited_by_titles_that_exist() -> None:
    notes = text_of("BUILD_NOTES.md")
    titles = {title.rstrip(".,") for title in re.findall(r"^(?:\*\*|#+ )(.+?)(?:\*\*|$)", notes, re.MULTILINE)}
    paths = [path for folder in ("gr_tf", "experiments", "tests") for path in (ROOT / folder).rglob("*.py")]
    for path in [*paths, *(ROOT / document for document in DOCUMENTS)]:
        joined = re.sub(r"\n\s*(?:#\s)?\s*", " ", path.read_text(encoding="utf-8"))
        assert not re.search(r"BUILD_NOTES(\.md)? \d", joined), path
        for cited in re.findall(r'BUILD_NOTES, ((?:"[^"]+"(?: and )?)+)', joined):
            assert set(re.findall(r'"([^"]+)"', cited)) <= titles, f"{path}: {cited}"


def test_files_in_the_notes_exist() -> None:
    names = [str(path) for folder in ("gr_tf", "experiments", "tests") for path in (ROOT / folder).rglob("*.py")]
    notes, _, _ = text_of("BUILD_NOTES.md").partition("## Changelog")
    for document, text in (("BUILD_NOTES.md", notes), ("gr_tf/README.md", text_of("gr_tf/README.md"))):
        for name in re.findall(r"`([\w/]+\.py)`", text):
            assert any(path.endswith(f"/{name}") for path in names), f"{document}: {name}"


def commands(text: str) -> Iterator[tuple[str, str]]:
    """The programs that a document names, as modules, each with its arguments."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("#")[0].split("&&")]
    spans = re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for call in (*lines, *(" ".join(span.split()) for span in spans)):
        program, _, rest = call.removeprefix("python -m experiments.").partition(" ")
        if program == "gr_tf" and re.match(r"[a-z]", rest):
            program, _, rest = rest.partition(" ")
            yield f"gr_tf.commands.{program}", rest
        elif program in BINARIES:
            yield f"experiments.{program}", rest
        else:
            assert not re.match(r"python -m experiments\.\w", call), call


def test_commands_in_the_documents_exist() -> None:
    """Their flags too, among those that --help lists. All are imported together: no flag is defined twice."""
    for binary in BINARIES:
        importlib.import_module(f"experiments.{binary}")
    found = [call for document in DOCUMENTS for call in commands(text_of(document).partition("## Changelog")[0])]
    assert len({module for module, _ in found}) >= 20
    for module, arguments in found:
        program = importlib.import_module(module)
        listed = {flag.name for flag in flags.FLAGS.get_key_flags_for_module(program)}
        if module.startswith("gr_tf."):
            listed = {name for _, names in program.sections() for name in names}
        asked = set(re.findall(r"--(\w+)", arguments.partition(", then")[0])) - {"help"}
        assert asked <= listed | {f"no{name}" for name in listed}, f"{module} {arguments}"


@pytest.mark.parametrize(
    ("binary", "retrains"),
    [("gr_table1", True), ("loo_atlas", True), ("necessary", True), ("graph_growth", False), ("fia_rq2", False)],
)
def test_engines_are_flags_of_programs_that_retrain(binary: str, retrains: bool) -> None:
    program = importlib.import_module(f"experiments.{binary}")
    listed = {flag.name for flag in flags.FLAGS.get_key_flags_for_module(program)}
    assert ({"engine", "address", "jobs"} <= listed) == ("engine" in listed) == retrains


def run_example(document: str, place: int, replacements: Mapping[str, str]) -> str:
    """Runs one of a document's Python examples, with some words replaced; returns what it prints."""
    example = re.findall(r"```python\n(.*?)```", text_of(document), re.DOTALL)[place]
    for words, instead in replacements.items():
        assert example.count(words) == 1, words
        example = example.replace(words, instead)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, f"{document}[{place}]", "exec"), {"__name__": "example"})
    return printed.getvalue()


def ml_100k() -> str:
    return repr(str(pathlib.Path(os.environ["GR_TF_DATA"]) / "ml-100k"))


def test_python_for_graphs_runs() -> None:
    printed = run_example("README.md", 0, {})
    assert printed.count("exports3") == 3
    assert re.search(r"0\.\d+ -> 0\.\d+\n$", printed)


@pytest.mark.slow
@REAL
def test_python_for_ratings_runs() -> None:
    """Shorter: fewer steps."""
    shorter = {'{"model": "mf"}))': '{"model": "mf"}) | {"epochs": 4})'}
    printed = run_example("README.md", 1, {'("movielens-100k")  #': f'("movielens-100k", {ml_100k()})  #', **shorter})
    assert "prediction_without" in printed
    assert printed.count("ratings: ") == 3


def test_python_for_frames_runs() -> None:
    printed = run_example("README.md", 2, {})
    assert printed.startswith("Quality(")
    assert "-> 'usa'" in printed or "Answer(" in printed


@pytest.mark.slow
def test_python_for_keras_runs() -> None:
    printed = run_example("README.md", 3, {"import keras\n": "import keras\nkeras.utils.set_random_seed(0)\n"})
    assert printed.count("example_id") == 2


def test_python_with_the_atlas_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter: of fewer trainings, by a faster method."""
    monkeypatch.chdir(ROOT)
    printed = run_example(
        "experiments/README.md", 0, {"range(1_000, 1_005)": "range(1_000, 1_002)", '"replay"': '"gr"'}
    )
    assert "standard_error" in printed
    assert "truth" in printed


@pytest.mark.slow
def test_python_for_ones_own_influences_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    printed = run_example("experiments/README.md", 1, {})
    near, adjacent = map(float, re.findall(r"'(?:shared >= 2|adjacent)': \[(0\.\d+), ", printed))
    assert 0.5 < near < 0.65
    assert 0.2 < adjacent < 0.4
    assert re.search(r"\{1: 1\.\d+, 10: 1\.\d+\}", printed)


def test_the_committed_atlases() -> None:
    """Under 10 MB, and those of Nations as reliable as the tables say."""
    triples = load_triples("nations")
    paths = sorted((ROOT / "experiments" / "results").glob("atlas_*.npz"))
    of_nations = [path for path in paths if path.name.startswith("atlas_nations_")]
    assert of_nations
    assert sum(path.stat().st_size for path in paths) < 10_000_000
    for path in of_nations:
        atlas = Atlas.load(path)
        assert len(atlas.seeds) >= 20
        assert atlas.expected.shape == atlas.standard_errors.shape == (len(atlas.queries), triples.num_examples)
        rows = files.read_json(path.with_suffix(".json"), checked=False)["rows"]
        (told,) = (row["spearman"]["half"] for row in rows if row["stratum"] == "shared >= 2")
        masks = agreement.strata(atlas.shared(triples))["shared >= 2"]
        halves = agreement.per_query(atlas.halves[0], atlas.halves[1], masks, agreement.spearman_rows)
        assert np.nanmean(halves) == pytest.approx(told, abs=0.05)  # One pair of halves, and the mean over twenty.


def test_ci_runs_the_readme_commands() -> None:
    blocks = re.findall(r"```bash\n(.*?)```", text_of("README.md"), re.DOTALL)
    assert sum(".ci/check" in block for block in blocks) == 1
