"""Each file of each kind of run damaged in turn: one line that names it, exit status 1, nothing else changed."""

import json
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence

import pytest

from experiments import fidelity
from gr_tf.evaluation.fidelity_stage import Sizes
from gr_tf.runs import files
from tests.commands.program import gr_tf
from tests.conftest import rating_lines, write_graph
from tests.experiments.binaries import run_here

# Written for people; nothing reads them again.
FOR_PEOPLE = {"removals.json"}
# Made anew by each call, from files that are checked.
MADE_ANEW = {"removal/result.json"}
GRAPH = ("--dim=4", "--num_negatives=3", "--epochs=3", "--learning_rate=0.03")
ATLAS = ("--data_dir=DATA", "--epochs=8", "--dim=4", "--num_negatives=5", "--learning_rate=0.02", "--seed=2")
RATINGS = ("--dataset=yelp", "--min_interactions=4", "--dim=2", "--batch_size=40", "--training_steps=300")
POINTS = ("--points=3", "--batch_seeds=2", "--ratings_a_point=4", "--retraining_steps=100")
SEQUENCES = ("--dataset=yelp", "--min_interactions=4", "--window=5", "--epochs=3", "--kept_epochs=1,2", "--num_seeds=1")
# By kind of run: its commands in the order in which they are run, DATA and RUN being folders. What one has done is
# found by it again.
RUNS: dict[str, Sequence[Sequence[str]]] = {
    "graph": (
        ("gr_tf", "train", "--data_dir=DATA", "--run_dir=RUN", *GRAPH),
        ("gr_tf", "evaluate", "--run_dir=RUN", "--ks=1", "--num_queries=2"),
    ),
    "tuned": (("gr_tf", "train", "--data_dir=DATA", "--run_dir=RUN", "--tune_minutes=0.02"),),
    "table": (("gr_table1", "--data_dir=DATA", "--run_dir=RUN", *GRAPH, "--ks=1", "--num_queries=2"),),
    "atlas": (
        ("loo_atlas", *ATLAS, "--run_dir=RUN/atlas", "--num_seeds=4"),
        ("fidelity", *ATLAS, "--run_dir=RUN/more", "--atlas_dir=RUN/atlas", "--num_seeds=3"),
    ),
    "suspects": (("find_suspects", "--data_dir=DATA", *GRAPH, "--run_dir=RUN", "--flip=0.1", "--num_seeds=1"),),
    "ratings": (
        ("fia_rq1", "--data_dir=DATA", *RATINGS, "--run_dir=RUN", "--num_points=2", "--retraining_steps=60"),
        ("fia_rq3", "--data_dir=DATA", *RATINGS, "--run_dir=RUN", "--title=i3", "--user=u5", "--retraining_steps=60"),
    ),
    "sampled": (("fidelity_ratings", "--data_dir=DATA", *RATINGS, "--run_dir=RUN", *POINTS),),
    "folds": (("rating_quality", "--data_dir=DATA/ratings.csv", "--epochs=2", "--run_dir=RUN", "--folds=2"),),
    "sequences": (("tracin_removal", "--data_dir=DATA", *SEQUENCES, "--run_dir=RUN", "--removed=5"),),
}
QUICK = {"graph"}
# Of each type of file in a run.
MOST = 8


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less of everything."""
    monkeypatch.setattr("gr_tf.evaluation.atlas.CONSENSUS_SEEDS", range(1000, 1003))
    monkeypatch.setattr(fidelity, "SIZES", Sizes(subsets=6, subset_seeds=2, own_seeds=2, candidates=7, shuffles=2))


def _without_a_key(text: str) -> str:
    value = json.loads(text)
    del value[next(key for key in value if key != files.CHECKSUM)]
    return json.dumps(value)


def _other_digit(text: str) -> str:
    """The text with its first single digit behind a colon changed, or else the first digit of all."""
    found = re.search(r": (\d)", text) or re.search(r"(\d)", text)
    assert found
    place = found.start(1)
    return text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]


JSON_DAMAGES: dict[str, Callable[[str], str]] = {
    "empty object": lambda text: "{}",
    "empty list": lambda text: "[]",
    "null": lambda text: "null",
    "nothing": lambda text: "",
    "a key is gone": _without_a_key,
    "a digit changed": _other_digit,
    "cut": lambda text: text[: len(text) // 2],
    "deep": lambda text: "[" * 100_000,
}
LINE_DAMAGES: dict[str, Callable[[list[str]], list[str]]] = {
    "empty object": lambda lines: ["{}\n", *lines[1:]],
    "null": lambda lines: ["null\n", *lines[1:]],
    "a key is gone": lambda lines: [_without_a_key(lines[0]) + "\n", *lines[1:]],
    "a digit changed": lambda lines: [_other_digit(lines[0]), *lines[1:]],
    "a line is cut": lambda lines: [lines[0][: len(lines[0]) // 2] + "\n", *lines[1:]],
    "the first line twice": lambda lines: [lines[0], *lines],
}
BINARY_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-9],
    "a bit changed": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "nothing": lambda content: b"",
}


def _damages(path: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """What is wrong, and the damaged content of a file."""
    content = path.read_bytes()
    if path.suffix == ".json":
        yield from ((what, damage(content.decode()).encode()) for what, damage in JSON_DAMAGES.items())
        yield "binary", b"\xff\xfe" + content
    elif path.suffix == ".jsonl":
        lines = content.decode().splitlines(keepends=True)
        yield from ((what, "".join(damage(lines)).encode()) for what, damage in LINE_DAMAGES.items())
        yield "binary", b"\xff\xfe" + content
    else:
        yield from ((what, damage(content)) for what, damage in BINARY_DAMAGES.items())


def _damaged_files(whole: pathlib.Path) -> list[pathlib.Path]:
    """The files that are read again; of those that there are many of, such as a manifest a method, some."""
    chosen = []
    for suffix in (".json", ".jsonl", ".npy", ".npz"):
        found = sorted(path for path in _contents(whole) if path.suffix == suffix and path.name not in FOR_PEOPLE)
        chosen += found[:: -(-len(found) // MOST)] if found else []
    return chosen


def _results(folder: pathlib.Path) -> dict[pathlib.Path, dict[str, object]]:
    """The results of a run, without what differs between equal runs."""
    found = {path.relative_to(folder): files.read_json(path) for path in folder.rglob("result.json")}
    other = ("made_with", "files", "timing", "seconds", "peak_memory_bytes")
    return {
        path: {name: value for name, value in result.items() if name not in other} for path, result in found.items()
    }


def _read_for(damaged: pathlib.Path, run: pathlib.Path) -> Iterator[pathlib.Path]:
    """The results for which a file is read: if they are there, it is not."""
    if damaged.suffix == ".jsonl":
        yield damaged.parent / "result.json"
    if "influences" in damaged.parts:
        yield from run.glob("**/fidelity*/result.json")


def _status(monkeypatch: pytest.MonkeyPatch, command: Sequence[str], data: pathlib.Path, run: pathlib.Path) -> int:
    program, *arguments = (word.replace("DATA", str(data)).replace("RUN", str(run)) for word in command)
    return gr_tf(*arguments) if program == "gr_tf" else run_here(monkeypatch, program, *arguments)


def _contents(folder: pathlib.Path) -> dict[pathlib.Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else (pytest.mark.slow,)) for name in RUNS]
)
def test_each_file_in_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, name: str
) -> None:
    data, run, whole = tmp_path / "data", tmp_path / "run", tmp_path / "whole"
    if name in ("ratings", "sampled", "folds", "sequences"):
        data.mkdir()
        lines = rating_lines(num_users=8, num_items=24, num_ratings=150)
        if name == "folds":
            rows = [",".join(line.split("\t")[:3]) for line in lines]
            (data / "ratings.csv").write_text("\n".join(["user,item,rating", *rows]))
        else:
            (data / "toy.rating").write_text("".join(lines))
    else:
        write_graph(data, num_train=40)
    for command in RUNS[name]:
        capsys.readouterr()
        assert _status(monkeypatch, command, data, run) == 0, capsys.readouterr().err
    run.rename(whole)
    tried = 0
    for path in _damaged_files(whole):
        damages = list(_damages(path))
        for what, content in damages[:: 4 if name in QUICK else 1]:
            shutil.copytree(whole, run)
            damaged = run / path.relative_to(whole)
            damaged.write_bytes(content)
            for finished in _read_for(damaged, run):
                finished.unlink(missing_ok=True)
            told = []
            for command in RUNS[name]:
                capsys.readouterr()
                status, error = _status(monkeypatch, command, data, run), capsys.readouterr().err
                where = f"{damaged}, {what}: {command}: {error}"
                assert status in (0, 1), where
                assert "Traceback" not in error, where
                lines = [line for line in error.splitlines() if ": error: " in line]
                assert len(lines) == status, where
                told += [line for line in lines if damaged.name in line and len(line) < 1000]
            if str(path.relative_to(whole)) in MADE_ANEW:
                assert damaged.read_bytes() == path.read_bytes()
            elif told:
                assert damaged.read_bytes() == content
            else:  # The scores of a method that cannot be compared are not read again.
                assert path.suffix == ".npy", f"{damaged}, {what}: no command says so"
                assert _results(run) == _results(whole)
            shutil.rmtree(run)
            tried += 1
    assert tried >= 4
    print(f"{name}: {tried} damaged runs")
