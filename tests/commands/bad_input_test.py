"""What a user gets wrong ends in one clear line, exit status 1, and nothing written over."""

import errno
import pathlib
import shutil

import pandas as pd
import pytest

from gr_tf.commands import main
from gr_tf.runs import files
from tests.commands.program import gr_tf
from tests.experiments.binaries import run_here, start_process

TOY_FLAGS = ("--dim=4", "--num_negatives=3", "--epochs=2", "--learning_rate=0.03")


def snapshot(folder: pathlib.Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): files.sha256(p) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def finished(graph_folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run directory with all three steps finished."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    for command, arguments in (
        ("train", (f"--data_dir={graph_folder}", *TOY_FLAGS)),
        ("evaluate", ("--ks=1,ALL", "--num_queries=0")),
    ):
        assert gr_tf(command, f"--run_dir={folder}", *arguments) == 0
    return folder


@pytest.fixture
def run_dir(finished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of it to damage."""
    return pathlib.Path(shutil.copytree(finished, tmp_path / "run"))


def refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    message: str,
    binary: str,
    *arguments: object,
) -> None:
    """A command or an experiment's binary fails with one line that has the message."""
    capsys.readouterr()
    command = binary in main.COMMANDS
    assert (gr_tf(binary, *arguments) if command else run_here(monkeypatch, binary, *arguments)) == 1
    *before, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"gr_tf {binary}: error: " if command else f"{binary}: error: ")
    assert message in last
    # Before it only the notes of the reader, and progress.
    notes = ("repeat an earlier one", "skipped.", "too.", "it/s]")
    assert all(any(note in line for note in notes) for line in before), before


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--dim=0", "--dim must be from 1 to"),
        ("--dim=ten", "--dim=ten"),
        ("--learning_rate=-1", "--learning_rate must be above 0 and at most 1; got -1.0"),
        ("--learning_rate=nan", "--learning_rate must be above 0"),
        ("--num_negatives=0", "--num_negatives must be from 1 to"),
        ("--epochs=0", "--epochs must be from 1 to"),
        ("--seed=-3", "--seed must be from 0 to"),
        ("--loss=hinge", "--loss=hinge"),
        ("--dtype=float16", "--dtype=float16"),
        ("--checkpoint_seconds=-1", "--checkpoint_seconds=-1"),
        ("--no_such_flag=1", "no_such_flag"),
        ("stray", "unexpected argument 'stray'"),
        ("--dataset=natoins", "unknown dataset 'natoins'"),
        ("--data_dir=/no/such/folder", "/no/such/folder: no such file or folder"),
    ],
)
def test_train_flags(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    flag: str,
    message: str,
) -> None:
    arguments = (f"--run_dir={tmp_path / 'run'}", *([] if "--data" in flag else ["--dataset=nations"]), flag)
    refused(monkeypatch, capsys, message, "train", *arguments)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("binary", "arguments", "message"),
    [
        ("gr_explain", ["--k=0"], "--k must be at least 1; got 0"),
        ("gr_explain", ["--head=e1", "--relation=r1", "--k=0"], "--k must be at least 1; got 0"),
        ("gr_explain", ["--head=e1"], "one question needs both --head and --relation"),
        ("gr_explain", ["--head=e11", "--relation=r1"], "unknown entity 'e11': not in the training data. Did you"),
        ("gr_explain", ["--head=e1", "--relation=rr1"], "unknown relation 'rr1': not in the training data. Did you"),
        ("gr_explain", ["--head=e1", "--relation=r1", "--tail=E1"], "unknown entity 'E1'"),
        ("gr_explain", [], "explain is already finished"),
        ("gr_evaluate", ["--ks=1,ALL"], "evaluate is already finished"),
        ("evaluate", [], "explain was begun with num_queries = None, not 20"),
        ("evaluate", ["--ks=1,2", "--num_queries=0"], "evaluate was begun with ks ="),
        ("explain", ["--query=e1,r1,?", "--overwrite"], "--overwrite is for a new training: name the data too"),
        ("evaluate", ["--ks=0"], "each of --ks must be a whole number from 1, or ALL; got '0'"),
        ("evaluate", ["--jobs=0"], "--jobs=0"),
        ("evaluate", ["--nh_seed=-1"], "--nh_seed=-1"),
        ("evaluate", ["--nh_rule=released", "--nh_seed=1"], "--nh_seed is not for --nh_rule=released"),
        ("gr_evaluate", ["--nh_rule=released", "--nh_seed=1"], "--nh_seed is not for --nh_rule=released"),
    ],
)
def test_later_steps(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    finished: pathlib.Path,
    binary: str,
    arguments: list[str],
    message: str,
) -> None:
    before = snapshot(finished)
    refused(monkeypatch, capsys, message, binary, f"--run_dir={finished}", *arguments)
    assert snapshot(finished) == before


def test_finished_training_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    finished: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    before = snapshot(finished)
    arguments = (f"--run_dir={finished}", f"--data_dir={graph_folder}", *TOY_FLAGS)
    refused(monkeypatch, capsys, "train is already finished", "gr_train", *arguments, "--recipe=own")
    refused(monkeypatch, capsys, "train was begun with config.dim = 4, not 5", "train", *arguments, "--dim=5")
    refused(monkeypatch, capsys, "train was begun with", "gr_table1", f"--run_dir={finished}")
    refused(monkeypatch, capsys, "each of --ks must be a whole number", "gr_table1", *arguments, "--ks=0")
    assert snapshot(finished) == before


def test_steps_in_the_wrong_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, run_dir: pathlib.Path
) -> None:
    refused(
        monkeypatch, capsys, "train does not exist: run gr_tf train first", "gr_explain", f"--run_dir={tmp_path / 'x'}"
    )
    shutil.rmtree(run_dir / "explain")
    refused(monkeypatch, capsys, "explain does not exist: run gr_explain first", "gr_evaluate", f"--run_dir={run_dir}")
    (run_dir / "train" / "result.json").unlink()
    refused(monkeypatch, capsys, "train is not finished: run gr_tf train first", "gr_explain", f"--run_dir={run_dir}")


@pytest.mark.parametrize(
    "name", ["train/parameters/table.npy", "train/rollback/deltas.npy", "explain/rankings/influences.npy"]
)
@pytest.mark.parametrize("how", ["truncated", "edited"])
def test_damaged_arrays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run_dir: pathlib.Path, name: str, how: str
) -> None:
    path = run_dir / name
    data = path.read_bytes()
    path.write_bytes(data[:-100] if how == "truncated" else data[:-1] + bytes([data[-1] ^ 1]))
    arguments = (f"--run_dir={run_dir}", "--overwrite")
    refused(monkeypatch, capsys, f"{pathlib.Path(name).name}: truncated or edited", "gr_evaluate", *arguments)
    if not name.startswith("explain"):
        asked = (f"--run_dir={run_dir}", "--query=e1,r1,?")
        refused(monkeypatch, capsys, f"{pathlib.Path(name).name}: truncated or edited", "explain", *asked)


def test_another_dataset(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    data, run = shutil.copytree(graph_folder, tmp_path / "data"), tmp_path / "run"
    assert gr_tf("train", f"--run_dir={run}", f"--data_dir={data}", *TOY_FLAGS) == 0
    train = pathlib.Path(data) / "train.txt"
    train.write_text(train.read_text().replace("e1", "e2"))
    message = "data: is not the data that was trained on any more"
    refused(monkeypatch, capsys, message, "evaluate", f"--run_dir={run}")
    arguments = (f"--run_dir={run}", f"--data_dir={data}", *TOY_FLAGS)
    refused(monkeypatch, capsys, "was begun with checksum = ", "train", *arguments)


def test_retrained_differently_since_explaining(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run_dir: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    arguments = (f"--run_dir={run_dir}", f"--data_dir={graph_folder}", *TOY_FLAGS, "--overwrite")
    assert gr_tf("train", *arguments) == 0
    assert gr_tf("evaluate", f"--run_dir={run_dir}", "--overwrite", "--ks=1", "--num_queries=0") == 0  # the same bits
    assert gr_tf("train", *arguments, "--seed=1") == 0
    refused(monkeypatch, capsys, "explains another training", "gr_evaluate", f"--run_dir={run_dir}", "--overwrite")


def test_unwritable_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").write_text("")
    arguments = (f"--run_dir={tmp_path}/file/run", "--dataset=nations")
    refused(monkeypatch, capsys, "file/run/train: Not a directory", "train", *arguments)


def test_full_disk(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    def full(path: object, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")  # as a write says it, without a name

    arguments = (f"--run_dir={tmp_path / 'run'}", f"--data_dir={graph_folder}", *TOY_FLAGS)
    with monkeypatch.context() as context:
        context.setattr(pathlib.Path, "write_text", full)
        message = "train/run.json: cannot be written: No space left on device"
        refused(context, capsys, message, "train", *arguments)
    assert gr_tf("train", *arguments) == 0


def write_triples(folder: pathlib.Path, train: str, valid: str, test: str) -> pathlib.Path:
    folder.mkdir()
    for split, text in (("train", train), ("valid", valid), ("test", test)):
        (folder / f"{split}.txt").write_text(text, encoding="utf-8")
    return folder


def test_the_users_files_survive_overwrite(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    """The run's folder may be the data's: the steps keep to their subfolders."""
    data = pathlib.Path(shutil.copytree(graph_folder, tmp_path / "data"))
    (data / "thesis.tex").write_text("years of work")
    before = snapshot(data)
    for extra in ((), ("--overwrite",)):
        arguments = (f"--run_dir={data}", f"--data_dir={data}", *TOY_FLAGS, "--ks=1", *extra)
        assert gr_tf("evaluate", *arguments, "--num_queries=0") == 0
    assert {name: digest for name, digest in snapshot(data).items() if name in before} == before


def test_a_table_of_an_older_training_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    arguments = (f"--run_dir={tmp_path / 'run'}", f"--data_dir={graph_folder}", *TOY_FLAGS)
    assert run_here(monkeypatch, "gr_table1", *arguments, "--ks=1") == 0
    refused(monkeypatch, capsys, "table1 is already finished", "gr_table1", *arguments, "--ks=1")
    assert run_here(monkeypatch, "gr_train", *arguments, "--overwrite", "--seed=5") == 0
    message = "explain was made from another training than the one there is now"
    refused(monkeypatch, capsys, message, "gr_table1", *arguments, "--ks=1", "--seed=5")


def test_edited_settings_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run_dir: pathlib.Path
) -> None:
    manifest = run_dir / "train" / "parameters" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"learning_rate": 0.03', '"learning_rate": 0.3'))
    refused(
        monkeypatch, capsys, "manifest.json: missing or edited", "gr_evaluate", f"--run_dir={run_dir}", "--overwrite"
    )


def test_a_graph_of_three_triples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    """GR-10 removes the whole training set: what is left is the initial model."""
    data = write_triples(tmp_path / "data", "a\tr\tb\nb\tr\tc\nc\tr\ta\n", "a\tr\tc\n", "b\tr\ta\n")
    arguments = (f"--run_dir={tmp_path / 'run'}", f"--data_dir={data}", "--epochs=9", "--num_negatives=1")
    assert gr_tf("evaluate", *arguments) == 0
    rows = files.read_json(tmp_path / "run" / "evaluate" / "result.json")["retrainings"]
    assert {row["num_removed"] for row in rows if row["k"] == "10"} == {3}


def test_nothing_left_to_predict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    lines = "a\tr\ta\na\tr\tb\nb\tr\ta\nb\tr\tb\n"
    data = write_triples(tmp_path / "data", lines, lines, lines)
    arguments = (f"--run_dir={tmp_path / 'run'}", f"--data_dir={data}", "--num_negatives=1")
    refused(monkeypatch, capsys, "no test row has a prediction", "evaluate", *arguments, "--epochs=9")


def test_unusual_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    lines = 'a  b\tre, l\tNaN\n"q\tre, l\ta  b\né\tnull\t007\n007\tre, l\t"q\n'
    data = write_triples(tmp_path / "data", lines, lines, lines)
    arguments = (f"--run_dir={tmp_path / 'run'}", f"--data_dir={data}", "--num_negatives=2", "--epochs=9")
    assert gr_tf("evaluate", *arguments, "--ks=1", "--num_queries=0") == 0
    explanations = pd.read_csv(tmp_path / "run" / "explain" / "explanations.csv", keep_default_na=False, dtype=str)
    assert set(explanations["head"]) | set(explanations["tail"]) <= {"a  b", "NaN", '"q', "é", "007"}
    message = "unknown entity 'a b': not in the training data. Did you mean 'a  b'"
    for question in (("explain", '--query=a b,"re, l",?'), ("gr_explain", "--relation=re, l", "--head=a b")):
        refused(monkeypatch, capsys, message, question[0], f"--run_dir={tmp_path / 'run'}", *question[1:])


def test_flags_that_a_step_does_not_have(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], finished: pathlib.Path
) -> None:
    process = start_process("gr_explain", f"--run_dir={finished}", "--data_dir=/no/such")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Unknown command line flag 'data_dir'" in err


def test_help_lists_the_flags() -> None:
    process = start_process("gr_table1", "--help")
    out, _ = process.communicate(timeout=120)
    for flag in ("--data_dir", "--[no]overwrite", "--dim", "--ks", "--jobs", "--run_dir"):
        assert flag in out


def test_diverging_training_stops(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    graph_folder: pathlib.Path,
) -> None:
    arguments = (f"--run_dir={tmp_path / 'run'}", f"--data_dir={graph_folder}")
    diverging = ("--dtype=float32", "--learning_rate=1", "--epochs=5000", "--dim=64", "--optimizer=sgd")
    refused(monkeypatch, capsys, "; a lower learning rate may help.", "train", *arguments, *diverging)
    assert not (tmp_path / "run" / "train" / "result.json").exists()


def test_no_traceback_from_a_real_process(tmp_path: pathlib.Path) -> None:
    process = start_process("gr_table1", f"--run_dir={tmp_path / 'run'}", "--dim=0")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert out == ""
    assert err.splitlines() == ["gr_table1: error: --dim must be from 1 to 16384; got 0."]
