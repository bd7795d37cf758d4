"""The binaries for ratings on a toy: what they print and write, what they refuse, and what a SIGKILL costs."""

import contextlib
import pathlib

import numpy as np
import pandas as pd
import pytest

from experiments import fia_rq3
from gr_tf.data.ratings import RatingSet
from gr_tf.runs import files
from gr_tf.runs.journal import Journal
from tests.conftest import rating_lines
from tests.experiments.binaries import kill_when, run_here, start_process

TOY_FLAGS = ("--dataset=yelp", "--min_interactions=4", "--dim=4", "--batch_size=40", "--learning_rate=0.01")
RQ1_FLAGS = ("--training_steps=500", "--retraining_steps=500", "--num_points=6", "--num_retrainings=2")


@pytest.mark.parametrize("model", ["mf", pytest.param("ncf", marks=pytest.mark.slow)])
def test_rq1(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    rating_folder: pathlib.Path,
    model: str,
) -> None:
    arguments = (*TOY_FLAGS, *RQ1_FLAGS, f"--data_dir={rating_folder}", f"--model={model}", f"--run_dir={tmp_path}")
    assert run_here(monkeypatch, "fia_rq1", *arguments, "--jobs=2") == 0
    printed = capsys.readouterr().out
    assert "6 random" in printed
    assert "retraining steps" in printed
    result = files.read_json(tmp_path / "rq1-random" / "result.json")
    observed = [point["observed"] for point in result["points"]]
    for decay, agreement in result["agreement"].items():
        assert [look["steps"] for look in agreement["by_steps"]] == [250, 500]
        pearson = agreement["correlations"]["pearson"]
        assert agreement["by_steps"][-1]["pearson"] == pearson
        computed = [point["computed"][decay] for point in result["points"]]
        assert pearson["r"] == pytest.approx(np.corrcoef(computed, observed)[0, 1])
        assert all(point["systems"][decay][0]["smallest_eigenvalue"] is not None for point in result["points"])
    assert set(result["agreement"]) == {"published", "trained"}
    assert result["accuracy"] == files.read_json(tmp_path / "train" / "result.json")["quality"]
    assert result["settings"]["decay"] == "published"
    assert (tmp_path / "rq1-random" / "scatter.png").read_bytes().startswith(b"\x89PNG")

    # The training is found again; the fewest related ratings come first.
    assert run_here(monkeypatch, "fia_rq1", *arguments, "--selection=fewest") == 0
    fewest = files.read_json(tmp_path / "rq1-fewest" / "result.json")
    counts = [point["num_related"] for point in fewest["points"]]
    assert counts == sorted(counts)
    assert max(counts) <= max(point["num_related"] for point in result["points"])
    assert run_here(monkeypatch, "fia_rq1", *arguments) == 1
    assert "is already finished" in capsys.readouterr().err


@pytest.mark.slow
def test_rq1_with_the_network(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    rating_folder: pathlib.Path,
) -> None:
    flags = (
        "--model=ncf",
        "--network",
        "--decay=trained",
        "--training_steps=200",
        "--retraining_steps=50",
        "--num_points=4",
        "--num_retrainings=1",
    )
    arguments = (*TOY_FLAGS, *flags, f"--data_dir={rating_folder}", f"--run_dir={tmp_path}", "--jobs=1")
    assert run_here(monkeypatch, "fia_rq1", *arguments) == 0
    assert "with network" in capsys.readouterr().out
    result = files.read_json(tmp_path / "rq1-random-trained-network" / "result.json")
    systems = [point["systems"]["trained"] for point in result["points"]]
    assert [[told["solver"] for told in of_point] for of_point in systems] == [["direct", "cg"]] * 4
    # Far from a minimum: what is counted is what the systems say, and nothing is left out.
    agreement = result["agreement"]["trained"]
    assert agreement["negative_curvature"] == sum(of_network["negative_curvature"] for _, of_network in systems)
    assert agreement["unsolved"] == sum(not of_network["converged"] for _, of_network in systems)
    assert all(np.isfinite(list(point["computed"].values())).all() for point in result["points"])


@pytest.mark.slow
def test_rq2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    rating_folder: pathlib.Path,
) -> None:
    arguments = (
        *(flag for flag in TOY_FLAGS if not flag.startswith("--dim=")),
        f"--data_dir={rating_folder}",
        f"--run_dir={tmp_path}",
        "--training_steps=300",
        "--num_timed=5",
    )
    more = ("--num_single=2", "--dims=2,4", "--ia_dims=4")
    assert run_here(monkeypatch, "fia_rq2", *arguments, *more) == 0
    assert "IA / FIA" in capsys.readouterr().out
    result = files.read_json(tmp_path / "rq2" / "result.json")
    assert [row["dim"] for row in result["rows"]] == [2, 4]
    assert result["rows"][0]["ia"] is None
    assert result["rows"][1]["ia"]["iterations"][0] >= 1
    assert result["rows"][0]["fia"]["num_points"] == 5
    first = (tmp_path / "k2" / "rq2" / "result.json").read_bytes()
    # One K more: those measured before stay as they are.
    assert run_here(monkeypatch, "fia_rq2", *arguments, "--num_single=2", "--dims=2,4,6", "--ia_dims=4") == 0
    assert (tmp_path / "k2" / "rq2" / "result.json").read_bytes() == first
    assert [row["dim"] for row in files.read_json(tmp_path / "rq2" / "result.json")["rows"]] == [2, 4, 6]
    # IA's dimensions are those of the default that are asked for.
    other = f"--run_dir={tmp_path / 'other'}"
    assert run_here(monkeypatch, "fia_rq2", *arguments, other, "--num_single=2", "--dims=2,8") == 0
    rows = files.read_json(tmp_path / "other" / "rq2" / "result.json")["rows"]
    assert [row["ia"] is not None for row in rows] == [False, True]
    for flags, message in (
        (("--dims=2,four",), "dims must be whole numbers; got '2,four'"),
        (("--dims=2", "--ia_dims=3"), "ia_dims must be among dims; got 3"),
        (("--num_timed=15",), "num_timed must be at most the 14 test ratings; got 15"),
        (("--num_single=6",), "num_single must be at most the 5 timed; got 6"),
        (("--num_single=1", "--ia_points=6"), "ia_points must be at most the 5 timed; got 6"),
        (("--dim=8",), "dims names the numbers of factors; dim is not used here"),
    ):
        assert run_here(monkeypatch, "fia_rq2", *arguments, "--dims=2,4", "--ia_dims=4", "--num_single=2", *flags) == 1
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_rq3(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    rating_folder: pathlib.Path,
    toy_ratings: RatingSet,
) -> None:
    arguments = (*TOY_FLAGS, f"--data_dir={rating_folder}", f"--run_dir={tmp_path}", "--training_steps=300")
    assert run_here(monkeypatch, "fia_rq3", *arguments, "--title=i3", "--user=u5", "--k=2") == 0
    printed = capsys.readouterr().out
    assert "for i3 by user u5, who has" in printed
    result = files.read_json(tmp_path / "rq3" / "result.json")
    assert len(result["item_based"]) == len(result["user_based"]) == 2
    assert {row["user"] for row in result["item_based"]} == {"u5"}
    assert {row["title"] for row in result["user_based"]} == {"i3"}
    influences = pd.read_csv(tmp_path / "rq3" / "influences.csv")
    assert len(influences) == len(toy_ratings.related(toy_ratings.query("u5", "i3")))
    assert (tmp_path / "rq3" / "figure4.png").read_bytes().startswith(b"\x89PNG")
    # Another question of the same model.
    assert run_here(monkeypatch, "fia_rq3", *arguments, "--title=i4", "--overwrite") == 0
    item = toy_ratings.query("u5", "i4").item
    user = fia_rq3.default_user(toy_ratings, item)
    assert f"by user {toy_ratings.users.names[user]}, " in capsys.readouterr().out
    assert not ((toy_ratings.train.pairs == [user, item]).all(axis=1)).any()
    for flag, message in (
        ("--title=i99", "unknown item 'i99': not in the training data. Did you mean 'i9'"),
        ("--user=bob", "unknown user 'bob'"),
        ("--damping=-1", "damping must be a number of at least 0; got -1.0"),
    ):
        assert run_here(monkeypatch, "fia_rq3", *arguments, "--title=i3", "--overwrite", flag) == 1
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_rq3_where_little_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    """Nothing is held out of two ratings a user, and of three one leaves an item without training rating."""
    data = tmp_path / "few.rating"
    arguments = ("--dataset=few", f"--data_dir={tmp_path}", "--min_interactions=1", "--dim=2", "--batch_size=4")
    data.write_text("".join(f"u{user}\ti{(user + i) % 4}\t{1 + i}\n" for user in range(4) for i in range(2)))
    more = ("--training_steps=20", f"--run_dir={tmp_path / 'two'}")
    assert run_here(monkeypatch, "fia_rq3", *arguments, *more, "--title=i3") == 0
    assert files.read_json(tmp_path / "two" / "train" / "result.json")["quality"]["test"]["rmse"] is None
    data.write_text("".join(f"u{user}\ti{user}{i}\t{1 + i}\n" for user in range(8) for i in range(3)))
    more = ("--training_steps=20", f"--run_dir={tmp_path / 'three'}")
    assert run_here(monkeypatch, "fia_rq3", *arguments, *more, "--title=i10", "--user=u2") == 0
    result = files.read_json(tmp_path / "three" / "rq3" / "result.json")
    assert result["user_based"] == []
    assert result["share_of_top_tenth"]["of_item"] is None
    everyone = "".join(f"u{user}\ti{item}\t3\n" for user in range(4) for item in range(3))
    data.write_text(everyone)
    capsys.readouterr()
    more = ("--training_steps=20", f"--run_dir={tmp_path / 'all'}")
    assert run_here(monkeypatch, "fia_rq3", *arguments, *more, "--title=i1") == 1
    assert "every user has rated 'i1': name one with --user" in capsys.readouterr().err


@pytest.mark.slow
def test_overwriting_keeps_the_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, rating_folder: pathlib.Path
) -> None:
    arguments = (*TOY_FLAGS, f"--data_dir={rating_folder}", f"--run_dir={tmp_path}", "--title=i3", "--user=u5")
    assert run_here(monkeypatch, "fia_rq3", *arguments, "--training_steps=20") == 0
    trained = (tmp_path / "train" / "result.json").read_bytes()
    assert run_here(monkeypatch, "fia_rq3", *arguments, "--training_steps=20", "--k=2", "--overwrite") == 0
    assert (tmp_path / "train" / "result.json").read_bytes() == trained
    assert run_here(monkeypatch, "fia_rq3", *arguments, "--training_steps=30", "--k=2") == 1
    assert (tmp_path / "train" / "result.json").read_bytes() == trained
    assert run_here(monkeypatch, "fia_rq3", *arguments, "--training_steps=30", "--k=2", "--overwrite") == 0
    assert files.read_json(tmp_path / "train" / "result.json")["settings"]["config"]["steps"] == 30


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--dim=0", "dim must be from 1 to"),
        ("--batch_size=4000", "batch_size must be at most the 92 training ratings; got 4000"),
        ("--weight_decay=nan", "weight_decay must be a number of at least 0"),
        ("--solver=lu", "--solver=lu"),
        ("--min_interactions=500", "no rating is left with at least 500"),
        ("--split_seed=-1", "seed must be from 0 to 2147483647; got -1"),
        ("--damping=-1", "damping must be a number of at least 0; got -1.0"),
        ("--num_points=15", "num_points must be at most the 14 test ratings; got 15"),
        ("--num_retrainings=0", "--num_retrainings=0"),
        ("--dataset=movielens-1m", "has no file named ratings.dat"),
        ("--data_dir=/no/such/folder", "/no/such/folder: has no file named *.rating"),
        ("stray", "unexpected argument 'stray'"),
    ],
)
def test_what_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    rating_folder: pathlib.Path,
    flag: str,
    message: str,
) -> None:
    arguments = (
        *TOY_FLAGS,
        "--num_points=6",
        "--training_steps=20",
        f"--data_dir={rating_folder}",
        f"--run_dir={tmp_path / 'run'}",
        flag,
    )
    assert run_here(monkeypatch, "fia_rq1", *arguments) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("fia_rq1: error: ")
    assert message in last
    # Told before the training, too.
    assert not (tmp_path / "run" / "train" / "result.json").exists()


def test_other_ratings_than_trained_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    data = tmp_path / "toy.rating"
    data.write_text("".join(rating_lines()))
    arguments = (
        *TOY_FLAGS,
        f"--data_dir={tmp_path}",
        f"--run_dir={tmp_path / 'run'}",
        "--training_steps=20",
        "--title=i3",
    )
    assert run_here(monkeypatch, "fia_rq3", *arguments) == 0
    data.write_text("".join(rating_lines(num_ratings=119)))
    capsys.readouterr()
    assert run_here(monkeypatch, "fia_rq3", *arguments) == 1
    assert "was begun with checksum = " in capsys.readouterr().err
    assert run_here(monkeypatch, "fia_rq3", *arguments, "--overwrite") == 0


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_to_the_bit(tmp_path: pathlib.Path, rating_folder: pathlib.Path) -> None:
    """SIGKILL once in the training and once in the retrainings, which then go on with one job."""
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    arguments = [
        *TOY_FLAGS,
        f"--data_dir={rating_folder}",
        "--training_steps=20000",
        "--num_points=6",
        "--num_retrainings=3",
    ]
    arguments += ["--retraining_steps=1000", "--checkpoint_seconds=0"]
    journal = killed / "rq1-random" / "retrainings.jsonl"
    command = ("fia_rq1", f"--run_dir={killed}", *arguments)
    kill_when(lambda: bool(list((killed / "train" / "checkpoints").glob("checkpoint-*"))), *command)
    assert not (killed / "train" / "result.json").exists()
    kill_when(lambda: journal.exists() and len(journal.read_bytes().splitlines()) >= 2, *command, "--jobs=2")
    assert not (killed / "rq1-random" / "result.json").exists()
    for folder in (killed, straight):
        process = start_process("fia_rq1", f"--run_dir={folder}", *arguments, "--jobs=1")
        _, error = process.communicate(timeout=200)
        assert process.returncode == 0, error
    points = [files.read_json(folder / "rq1-random" / "result.json")["points"] for folder in (killed, straight)]
    assert points[0] == points[1]


SHARES_FLAGS = ("--dim=4", "--epochs=6", "--learning_rate=0.03", "--weight_decay=0.05", "--initial_deviation=0.3")


@pytest.mark.slow
def test_quality_over_folds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    """A killed command goes on with the fold it was at; no fold is done again."""
    path = tmp_path / "ratings.csv"
    rows = [line.split("\t")[:3] for line in rating_lines()]
    path.write_text("\n".join(["user,item,rating", *map(",".join, rows)]))
    arguments = (*SHARES_FLAGS, f"--data_dir={path}", "--folds=3", f"--run_dir={tmp_path / 'run'}")
    assert run_here(monkeypatch, "rating_quality", *arguments) == 0
    place = tmp_path / "run" / "quality"
    assert str(place) in capsys.readouterr().out
    result = files.read_json(place / "result.json")
    assert [fold["fold"] for fold in result["folds"]] == [0, 1, 2]
    assert result["config"]["optimizer"] == "sgd"
    assert result["config"]["batch_size"] == 1
    for fold in result["folds"]:
        assert 1 <= fold["epoch"] <= 6
        assert fold["quality"]["test"]["rmse"] < 3
        assert fold["baseline"]["test"]["rmse"] < 3

    other = tmp_path / "other" / "quality"
    other.mkdir(parents=True)
    (other / "run.json").write_bytes((place / "run.json").read_bytes())
    with contextlib.closing(Journal(other / "folds.jsonl")) as journal:
        journal.add({**result["folds"][0], "epoch": 99})
    assert run_here(monkeypatch, "rating_quality", *arguments[:-1], f"--run_dir={tmp_path / 'other'}") == 0
    folds = files.read_json(other / "result.json")["folds"]
    assert folds[0]["epoch"] == 99
    assert [fold["quality"] for fold in folds] == [fold["quality"] for fold in result["folds"]]


def test_checks(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    rating_folder: pathlib.Path,
) -> None:
    arguments = (
        *("--dataset=yelp", f"--data_dir={rating_folder}", "--min_interactions=4", *SHARES_FLAGS, "--patience=6"),
        *("--questions=4", "--k=3", "--methods=fia,gr", f"--run_dir={tmp_path}", "--jobs=2"),
    )
    assert run_here(monkeypatch, "rating_checks", *arguments) == 0
    assert "both held" in capsys.readouterr().out
    result = files.read_json(tmp_path / "checks" / "result.json")
    assert list(result["checked"]) == ["fia", "gr"]
    for questions in result["checked"].values():
        assert len({(one["user"], one["item"]) for one in questions}) == 4
        for one in questions:
            first, all_of_them = one["checks"]
            assert first["example_ids"] == all_of_them["example_ids"][:1]
            assert len(all_of_them["example_ids"]) <= 3
            assert first["before"] == all_of_them["before"]
            assert (first["verdict"] == "held") == (first["after"][0] < first["before"][0])
    # The measured changes are not all alike, and FIA says something about them.
    changes = [(one["checks"][1]["predicted"], one["checks"][1]["changes"][0]) for one in result["checked"]["fia"]]
    assert np.std(changes, axis=0).min() > 0
    assert run_here(monkeypatch, "rating_checks", *arguments) == 0
    assert run_here(monkeypatch, "rating_checks", *arguments, "--k=1") == 1
    assert "k must be at least 2; got 1" in capsys.readouterr().err
