"""The binaries for sequences on a toy: what they print and write, what they refuse, and what a SIGKILL costs."""

import dataclasses
import pathlib

import numpy as np
import pytest

from gr_tf.attribution.tracin import TracIn
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSet, SequenceSplit
from gr_tf.errors import InputError
from gr_tf.evaluation import opponents
from gr_tf.report import published
from gr_tf.runs import files
from gr_tf.tasks import stage as training
from gr_tf.tasks.sequences import SequenceLosses, SequenceTask
from gr_tf.training.sequence_config import SequenceConfig
from tests.conftest import rating_lines
from tests.experiments.binaries import kill_when, run_here, start_process

TOY_FLAGS = (
    "--dataset=yelp",
    "--min_interactions=4",
    "--window=5",
    "--dim=3",
    "--hidden=4",
    "--batch_size=16",
    "--learning_rate=0.01",
)
SPLIT = SequenceSplit(min_interactions=4, window=5, order="time", test_share=0.2, valid_share=0.2)
CONFIG = SequenceConfig(dim=3, hidden=4, epochs=6, batch_size=16, kept_epochs=(2, 5))


@pytest.fixture(scope="module")
def choices(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Enough choices of each user that a tenth of them is something."""
    folder = tmp_path_factory.mktemp("choices")
    (folder / "toy.rating").write_text("".join(rating_lines(num_users=8, num_items=24, num_ratings=150)))
    return folder


def published_sequences(choices: pathlib.Path) -> SequenceSet:
    return load_sequences("yelp", choices, SequenceSplit(min_interactions=4, window=5))


def test_table_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, choices: pathlib.Path
) -> None:
    arguments = (*TOY_FLAGS, f"--data_dir={choices}", f"--run_dir={tmp_path}", "--epochs=8", "--kept_epochs=4,8")
    sequences = published_sequences(choices)
    tested, never = (
        next(sequences.title(item) for item in range(1, 25) if (item in sequences.test.targets) is wanted)
        for wanted in (True, False)
    )
    assert run_here(monkeypatch, "tracin_table1", *arguments, f"--movie={tested}") == 0
    assert "proponents" in capsys.readouterr().out
    result = files.read_json(tmp_path / "table1" / "result.json")
    (row,) = result["rows"]
    assert row["title"] == tested
    assert len(row["proponents"]) == len(row["opponents"]) == 2
    influences = [item["influence"] for item in (*row["proponents"], *row["opponents"][::-1])]
    assert influences == sorted(influences, reverse=True)
    assert tested not in [item["title"] for item in (*row["proponents"], *row["opponents"])]
    # Sums over the sequences of a next item.
    trained = training.load(tmp_path / "seed-0", sequences)
    losses = trained.task.losses()
    tracin = TracIn(losses, trained.checkpoints(), losses.trained_layers)
    assert len(trained.checkpoints()) == 2
    of_test = tracin.influences(
        SequenceLosses.batch(sequences.test.only(sequences.test.targets == sequences.target_of(tested)))
    )
    first = sequences.train.targets == sequences.target_of(row["proponents"][0]["title"])
    assert row["proponents"][0]["influence"] == pytest.approx(of_test[first].sum(), rel=1e-4)
    assert row["proponents"][0]["num_train"] == first.sum()
    for flags, message in (
        (("--movie=i99",), "unknown item 'i99': not in the training data. Did you mean 'i9'"),
        ((f"--movie={never}",), f"'{never}' is the next item of no test sequence"),
        ((f"--movie={tested}", "--k=0"), "k must be at least 1; got 0"),
        ((f"--movie={tested}", "--kept_epochs=4,x"), "kept_epochs must be whole numbers; got '4,x'"),
        ((f"--movie={tested}", "--kept_epochs=9"), "kept_epochs must be from 1 to 8; got 9"),
        ((f"--movie={tested}", "--window=1"), "window must be a number of at least 2; got 1"),
        # Refused before the second seed is trained.
        ((f"--movie={tested}", "--num_seeds=2"), "was begun with num_seeds = 1, not 2. Pass --overwrite to begin anew"),
    ):
        assert run_here(monkeypatch, "tracin_table1", *arguments, *flags) == 1
        assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "seed-1").exists()


@pytest.mark.slow
def test_table_1_over_seeds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path, choices: pathlib.Path
) -> None:
    """Sums are means over seeds; the page's movies are looked up in the orders of each seed, and of other movies."""
    sequences = published_sequences(choices)
    first, second = map(sequences.title, np.unique(sequences.test.targets)[:2].tolist())
    often = np.bincount(sequences.train.targets).argsort()[::-1]
    wanted = [title for title in map(sequences.title, often[:6].tolist()) if title not in (first, second)][:4]
    page = {first: (tuple(wanted[:2]), tuple(wanted[2:])), second: (tuple(wanted[2:]), tuple(wanted[:2]))}
    monkeypatch.setattr(published, "TRACIN_TABLE1", page)
    arguments = (*TOY_FLAGS, f"--data_dir={choices}", "--epochs=4", "--kept_epochs=4", "--k=99")
    results = {}
    for name, flags in (("both", ["--num_seeds=2"]), ("one", ["--seed=1"])):
        folder = tmp_path / name
        assert run_here(monkeypatch, "tracin_table1", *arguments, f"--run_dir={folder}", *flags) == 0
        results[name] = files.read_json(folder / "table1" / "result.json")
    assert "are among our first" in capsys.readouterr().out
    rows, rows_of_one = (results[name]["rows"] for name in ("both", "one"))
    for row, alone, other in zip(rows, rows_of_one, rows[::-1], strict=True):
        for what in ("proponents", "opponents"):
            order, order_of_one, order_of_other = ([item["title"] for item in of[what]] for of in (row, alone, other))
            for told in row["paper"][what]:
                assert told["place"] == 1 + order.index(told["title"])
                assert told["places"][1] == 1 + order_of_one.index(told["title"])
                assert told["of_other_movies"] == [1 + order_of_other.index(told["title"])]


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["published", "proper"])
def test_removal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    choices: pathlib.Path,
    protocol: str,
) -> None:
    where = (f"--data_dir={choices}", f"--run_dir={tmp_path}")
    arguments = (*TOY_FLAGS, *where, f"--protocol={protocol}", "--epochs=6", "--kept_epochs=1,2", "--num_seeds=2")
    assert run_here(monkeypatch, "tracin_removal", *arguments, "--removed=5,9") == 0
    assert "Recall@10, change" in capsys.readouterr().out
    result = files.read_json(tmp_path / "removal" / "result.json")
    assert list(result["trainings"]) == ["0", "1"]
    named = [(row["removed"], row["k"]) for row in result["rows"]]
    assert named == [
        ("nothing", 0),
        *((name, k) for k in (5, 9) for name in ("opponents", "random", "highest loss")),
    ]
    for row in result["rows"]:
        for metric in ("mrr", "recall_at_10", "cross_entropy"):
            of_row, whole = (
                [
                    next(t["test"][metric] for t in trainings if (t["removed"], t["k"]) == key)
                    for trainings in result["trainings"].values()
                ]
                for key in ((row["removed"], row["k"]), ("nothing", 0))
            )
            assert row[metric]["mean_difference"] == pytest.approx(np.mean(np.subtract(of_row, whole)))
    # What is removed is chosen by its influence on the test sequences as published, on the validation ones if proper.
    found, _ = files.read_arrays(tmp_path / "seed-1" / "removal" / "scores")
    of_seed = training.load(tmp_path / "seed-1")
    for part, name in (("test", "published"), ("valid", "proper")):
        chosen = SequenceLosses.batch(getattr(of_seed.task.dataset, part))
        influences, _ = opponents.scores(of_seed, chosen, tmp_path / f"on-{part}")
        assert np.array_equal(influences, found["influences"]) == (name == protocol)
    # Removing nothing is the training itself.
    trained = files.read_json(tmp_path / "seed-1" / "train" / "result.json")
    for part in ("test", "valid"):
        assert result["trainings"]["1"][0][part] == trained["quality"][part]
    assert (tmp_path / "removal" / "removal.png").read_bytes().startswith(b"\x89PNG")
    # All of it is found again.
    assert run_here(monkeypatch, "tracin_removal", *arguments, "--removed=5,9") == 0
    assert files.read_json(tmp_path / "removal" / "result.json") == result
    journal = (tmp_path / "seed-1" / "removal" / "trainings.jsonl").read_text()
    assert run_here(monkeypatch, "tracin_removal", *arguments, "--removed=9") == 0
    fewer = files.read_json(tmp_path / "removal" / "result.json")
    assert fewer["rows"] == [row for row in result["rows"] if row["k"] in (0, 9)]
    assert (tmp_path / "seed-1" / "removal" / "trainings.jsonl").read_text() == journal
    assert fewer["shared_with_opponents"]["0"]["opponents 9"] == 9
    assert run_here(monkeypatch, "tracin_removal", *arguments, "--removed=999") == 1
    assert "below the training examples; got 999" in capsys.readouterr().err


def test_removal_with_nothing_to_test_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    """A tenth of five choices is none."""
    (tmp_path / "few.rating").write_text("".join(rating_lines(num_users=4, num_items=5, num_ratings=20)))
    arguments = (*TOY_FLAGS, f"--data_dir={tmp_path}", f"--run_dir={tmp_path / 'run'}", "--removed=2")
    assert run_here(monkeypatch, "tracin_removal", *arguments) == 1
    assert "there are no test sequences: users have too few choices" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_training_stage(tmp_path: pathlib.Path, toy_sequences: SequenceSet) -> None:
    result = training.train(SequenceTask(toy_sequences, CONFIG), tmp_path).result()
    assert result["epoch"] == result["epochs"] == 6
    assert 0 < result["quality"]["test"]["mrr"] < 1
    trained = training.load(tmp_path)
    assert trained.task.dataset.checksum == toy_sequences.checksum
    again = trained.task.train(kept_epochs=CONFIG.kept_epochs)
    for ours, want in zip(trained.parameters.arrays, again.parameters.arrays, strict=True):
        np.testing.assert_array_equal(ours, want)
    assert list(trained.kept) == [2, 5]
    kept = trained.checkpoints()
    assert [checkpoint.learning_rate for checkpoint in kept] == [CONFIG.learning_rate] * 2
    for checkpoint, epoch in zip(kept, (2, 5), strict=True):
        for ours, want in zip(checkpoint.parameters.arrays, again.kept[epoch].arrays, strict=True):
            np.testing.assert_array_equal(ours, want)
    # What goes wrong.
    other = dataclasses.replace(toy_sequences, train=toy_sequences.train.only(slice(50)))
    with pytest.raises(InputError, match="was trained on other data than"):
        training.load(tmp_path, other)
    (tmp_path / "train" / "parameters" / "kept-2.table.npy").unlink()
    with pytest.raises(InputError, match=r"kept-2.table.npy: no such file, but manifest.json lists it"):
        training.load(tmp_path, toy_sequences)


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_to_the_bit(tmp_path: pathlib.Path, choices: pathlib.Path) -> None:
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    tested = published_sequences(choices).title(int(published_sequences(choices).test.targets[0]))
    arguments = [*TOY_FLAGS, f"--data_dir={choices}", "--epochs=400", "--kept_epochs=3,400", f"--movie={tested}"]
    arguments += ["--checkpoint_seconds=0"]
    kill_when(
        lambda: bool(list((killed / "seed-0" / "train" / "checkpoints").glob("checkpoint-*"))),
        "tracin_table1",
        f"--run_dir={killed}",
        *arguments,
    )
    assert not (killed / "seed-0" / "train" / "result.json").exists()
    for folder in (killed, straight):
        process = start_process("tracin_table1", f"--run_dir={folder}", *arguments)
        _, error = process.communicate(timeout=200)
        assert process.returncode == 0, error
        assert "functional_saver" not in error
    rows = [files.read_json(folder / "table1" / "result.json")["rows"] for folder in (killed, straight)]
    assert rows[0] == rows[1]
