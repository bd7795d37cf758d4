"""loo_atlas, fidelity and those of ratings on a toy."""

import dataclasses
import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import fidelity, fidelity_rating_batches, fidelity_rating_rollback
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import Atlas
from gr_tf.evaluation.compared import compared
from gr_tf.evaluation.fidelity_stage import Sizes
from gr_tf.evaluation.method_names import with_present_names
from gr_tf.evaluation.sampled_fidelity import correlations
from gr_tf.report.fidelity_tables import frame
from tests.conftest import rating_lines, write_graph
from tests.experiments.binaries import ROOT, run_here

TRAINING = ("--model=distmult", "--epochs=8", "--dim=4", "--num_negatives=5", "--learning_rate=0.02")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less of everything."""
    monkeypatch.setattr("gr_tf.evaluation.atlas.CONSENSUS_SEEDS", range(1000, 1003))
    monkeypatch.setattr(fidelity, "SIZES", Sizes(subsets=6, subset_seeds=2, own_seeds=2, candidates=7, shuffles=2))


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_atlas_and_fidelity(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    write_graph(tmp_path / "mine", num_train=40)
    where = (f"--data_dir={tmp_path / 'mine'}", *TRAINING, "--seed=2")
    runs = f"--run_dir={tmp_path / 'atlas'}"
    assert run_here(monkeypatch, "fidelity", *where, f"--atlas_dir={tmp_path / 'atlas'}") == 1
    assert "has no finished atlas: run loo_atlas first" in capsys.readouterr().err
    assert run_here(monkeypatch, "loo_atlas", *where, runs, "--num_seeds=1") == 1
    assert "num_seeds must be at least 2" in capsys.readouterr().err
    assert run_here(monkeypatch, "loo_atlas", *where, runs, "--num_seeds=3", "--varied=initial") == 0
    assert run_here(monkeypatch, "loo_atlas", *where, runs, "--num_seeds=4") == 0
    assert "shared >= 2" in capsys.readouterr().out
    folder = tmp_path / "atlas" / "distmult"
    first = Atlas.load(folder / "both4" / "atlas.npz")
    # One seed is lost, the others are found again; every number is the same.
    shutil.rmtree(folder / "both4")
    shutil.rmtree(folder / "trainings" / "both" / "seed2")
    assert run_here(monkeypatch, "loo_atlas", *where, runs, "--num_seeds=4", "--jobs=2") == 0
    np.testing.assert_array_equal(Atlas.load(folder / "both4" / "atlas.npz").halves, first.halves)

    asked = (*where, f"--atlas_dir={tmp_path / 'atlas'}", f"--run_dir={tmp_path / 'fidelity'}", "--num_seeds=3")
    capsys.readouterr()
    assert run_here(monkeypatch, "fidelity", *asked) == 0
    printed = capsys.readouterr().out
    assert "blended with gr" in printed
    place = tmp_path / "fidelity" / "distmult" / "fidelity3"
    assert (place / "fidelity.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((place / "result.json").read_text())
    methods = {row["method"] for row in result["rows"]} | set(result["refused"])
    assert set(compared("triples")) <= methods
    assert {"tracin, every epoch", "replay with epoch 1, median", "influence + cosine + replay"} <= methods
    assert {row["trainings"] for row in result["rows"]} == {1, 2, 3}
    assert [row["stratum"] for row in result["ceilings"]] == ["all", "adjacent", "shared >= 2"]
    # A finished table is printed again.
    assert run_here(monkeypatch, "fidelity", *asked) == 0
    assert capsys.readouterr().out == printed
    # Seeds have one use.
    monkeypatch.setattr(fidelity, "SIZES", dataclasses.replace(fidelity.SIZES, first_seed=4))
    assert run_here(monkeypatch, "fidelity", *asked) == 1
    assert "seed 4 would serve for the atlas and for the explained trainings" in capsys.readouterr().err
    # An atlas of another training is refused.
    assert run_here(monkeypatch, "fidelity", *asked, "--epochs=7") == 1
    assert "is of another dataset or configuration" in capsys.readouterr().err


@pytest.mark.slow
def test_of_ratings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train.rating").write_text("".join(rating_lines()))
    asked = [
        "--dataset=mine",
        f"--data_dir={tmp_path / 'mine'}",
        "--min_interactions=2",
        "--batch_size=20",
        "--dim=2",
        "--training_steps=500",
        "--retraining_steps=250",
        "--points=3",
        "--batch_seeds=2",
        f"--run_dir={tmp_path / 'run'}",
    ]
    assert run_here(monkeypatch, "fidelity_ratings", *asked, "--ratings_a_point=50") == 1
    assert "related ratings; --ratings_a_point is 50" in capsys.readouterr().err
    assert run_here(monkeypatch, "fidelity_ratings", *asked, "--ratings_a_point=4") == 0
    printed = capsys.readouterr().out
    assert "fia, published decay" in printed
    assert "gr: Gradient Rollback needs a training that kept" in printed
    journal = tmp_path / "run" / "fidelity" / "retrainings.jsonl"
    lines = journal.read_text().splitlines()
    ids = {tuple(json.loads(line)["removed"]) for line in lines}
    assert () in ids
    assert len(lines) == 2 * len(ids)
    # Half of the retrainings are lost, and done again.
    first = json.loads((tmp_path / "run" / "fidelity" / "result.json").read_text())
    (tmp_path / "run" / "fidelity" / "result.json").unlink()
    journal.write_text("".join(f"{line}\n" for line in lines[: len(lines) // 2]))
    assert run_here(monkeypatch, "fidelity_ratings", *asked, "--ratings_a_point=4") == 0
    assert capsys.readouterr().out == printed
    assert json.loads((tmp_path / "run" / "fidelity" / "result.json").read_text())["rows"] == first["rows"]
    assert next(row["method"] for row in first["rows"]) == "nh"


@pytest.mark.slow
def test_rollback_of_ratings(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    rating_folder: pathlib.Path,
) -> None:
    """Ends in a table of all methods; a seed that is lost is computed again to the same bits."""
    asked = [
        "--dataset=yelp",
        "--min_interactions=4",
        f"--data_dir={rating_folder}",
        "--dim=2",
        "--learning_rate=0.01",
        "--epochs=2",
        "--points=4",
        "--ratings_a_point=4",
        f"--run_dir={tmp_path / 'run'}",
    ]
    for flag, message in (
        ("--num_seeds=3", "num_seeds must be at least 4, for two halves of the truth; got 3"),
        ("--seed=9998", "seeds 10000 and up are those of the explained trainings"),
        ("--batch_size=5", "rating by rating needs batch_size 1; got 5"),
        ("--training_steps=9", "--training_steps is not used here: --epochs sets the length"),
        ("--damping=1", "--damping is not used here"),
        ("--epochs=0", "steps must be from 1 to"),
    ):
        assert run_here(monkeypatch, "fidelity_rating_rollback", *asked, "--num_seeds=4", flag) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
    few = ("nh", "gr", "fia, published decay", "tracin, every epoch")
    monkeypatch.setattr(fidelity_rating_rollback, "METHODS", few)
    assert run_here(monkeypatch, "fidelity_rating_rollback", *asked, "--num_seeds=4", "--jobs=1") == 0
    printed = capsys.readouterr().out
    assert "Two seeds agree at Spearman" in printed
    trainings, written = tmp_path / "run" / "trainings", tmp_path / "run" / "fidelity4"
    result = json.loads((written / "result.json").read_text())
    assert [row["method"] for row in result["rows"]] == list(few)
    random, rollback = result["rows"][0], result["rows"][1]
    # What two epochs at this rate leave of a rating is what its own steps did.
    assert rollback["spearman"]["own"][0] > 0.5 > random["spearman"]["own"][0]
    shutil.rmtree(trainings / "truth" / "seed2")
    for place in (trainings / "explained").glob("*/seed10001"):
        shutil.rmtree(place)
    shutil.rmtree(written)
    assert run_here(monkeypatch, "fidelity_rating_rollback", *asked, "--num_seeds=4", "--jobs=2") == 0
    assert capsys.readouterr().out == printed
    assert json.loads((written / "result.json").read_text())["rows"] == result["rows"]


@pytest.mark.slow
def test_batches_of_ratings(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    rating_folder: pathlib.Path,
) -> None:
    """Replay with the first epoch is the derivative of what is measured: by far the best on its own training."""
    asked = [
        "--dataset=yelp",
        "--min_interactions=4",
        f"--data_dir={rating_folder}",
        "--dim=2",
        "--batch_size=10",
        "--epochs=4",
        "--points=4",
        "--ratings_a_point=6",
        "--num_seeds=4",
        f"--run_dir={tmp_path / 'run'}",
    ]
    for flag, message in (
        ("--optimizer=adam", "--optimizer must be sgd or adagrad: trainings by adam cannot be replayed."),
        ("--patience=2", "--patience is not used here: --epochs sets the length"),
        ("--training_steps=9", "--training_steps is not used here: --epochs sets the length"),
        ("--damping=1", "--damping is not used here"),
    ):
        assert run_here(monkeypatch, "fidelity_rating_batches", *asked, flag) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
    few = ("nh", "tracin", "replay", "replay with epoch 1")
    monkeypatch.setattr(fidelity_rating_batches, "METHODS", few)
    assert run_here(monkeypatch, "fidelity_rating_batches", *asked, "--jobs=1") == 0
    assert "Two seeds agree at Spearman" in capsys.readouterr().out
    result = json.loads((tmp_path / "run" / "fidelity4" / "result.json").read_text())
    assert not result["refused"]
    own = {row["method"]: row["pearson"]["own"][0] for row in result["rows"]}
    assert list(own) == list(few)
    assert own["replay with epoch 1"] > 0.99 > own["tracin"] > own["nh"]


def test_correlations_of_one_of_all_and_of_their_own() -> None:
    """Scores that are half the expected effects, with noise that cancels over trainings; against scipy's."""
    generator = np.random.default_rng(0)
    expected = generator.normal(size=(100, 10))
    effects = expected + generator.normal(size=(8, 100, 10))
    noise = generator.normal(size=effects.shape)
    scores, own = expected / 2 + noise - noise.mean(axis=0), effects + noise
    told = correlations(scores, own, effects)
    truth = effects.mean(axis=0)
    for name, of in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):

        def mean(found: np.ndarray, true: np.ndarray, of: Any = of) -> float:
            return float(np.mean([of(*rows)[0] for rows in zip(found, true, strict=True)]))

        one = np.mean([mean(training, truth) for training in scores])
        every = mean(scores.mean(axis=0), truth)
        of_own = np.mean([mean(*both) for both in zip(own, effects, strict=True)])
        assert [told[name][kind][0] for kind in ("one", "all", "own")] == pytest.approx([one, every, of_own])
        assert one < of_own < every
    assert told["slope"][0] == pytest.approx(2, abs=0.1)
    limits = agreement.reliability(effects, np.ones((100, 10), bool), agreement.pearson_rows)
    # Effects and noise of the same size: 1/2, and 8/9 for eight seeds; a little less over only ten ratings a point.
    assert limits["one_seed"] == pytest.approx(1 / 2, abs=0.06)
    assert limits["reliability"] == pytest.approx(8 / 9, abs=0.03)
    assert limits["ceiling"] == pytest.approx(np.sqrt(8 / 9), abs=0.02)


def test_results_of_earlier_versions_are_read() -> None:
    """Their "replay" was with the first epoch; names are those that everything else has now."""
    result = {"rows": [{"method": "NH"}, {"method": "replay"}, {"method": "replay from epoch 2"}, {"method": "mine"}]}
    told = with_present_names(result)
    assert [row["method"] for row in told["rows"]] == ["nh", "replay with epoch 1", "replay", "mine"]
    assert with_present_names(told) == told
    for path in sorted((ROOT / "experiments" / "results").glob("fidelity_nations_*.json")):
        table = frame(json.loads(path.read_text(encoding="utf-8")))
        assert set(table["method"]) <= {*compared("triples"), "influence + cosine + replay"}
