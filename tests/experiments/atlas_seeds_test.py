"""What the seeds of loo_atlas decide: the initial values, the negatives, or both."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gr_tf.data.triples import read_folder
from gr_tf.evaluation.atlas import Atlas
from gr_tf.runs import files
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig
from tests.conftest import write_graph
from tests.experiments.binaries import run_here

CONFIG = TripleConfig(model="distmult", dim=3, num_negatives=3, epochs=2, learning_rate=0.05, seed=4)
FLAGS = ("--model=distmult", "--dim=3", "--num_negatives=3", "--epochs=2", "--learning_rate=0.05", "--seed=4")


def values_of(task: TripleTask, names: Sequence[str], seed: int, queries: Sequence[Any]) -> np.ndarray:
    """The predictions of a training whose settings of these names are the seed."""
    of_seed = task.with_config(**dict.fromkeys(names, seed))
    return np.asarray(of_seed.exact_value(of_seed.train().parameters, queries))


def test_an_atlas_varies_what_it_says(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """The predictions of a seed are those of a training with this seed, or these seeds, and no other."""
    monkeypatch.setattr("gr_tf.evaluation.atlas.CONSENSUS_SEEDS", range(1000, 1002))
    write_graph(tmp_path / "mine", num_train=12)
    where = (f"--data_dir={tmp_path / 'mine'}", f"--run_dir={tmp_path / 'run'}", *FLAGS, "--num_seeds=2", "--jobs=1")
    folder, task = tmp_path / "run" / "distmult", TripleTask(read_folder(tmp_path / "mine"), CONFIG)
    wanted = {"both": ("seed", "negatives_seed"), "initial": ("seed",), "negatives": ("negatives_seed",)}
    for varied in wanted:
        # It varies both, unless it is told otherwise.
        flags = () if varied == "both" else (f"--varied={varied}",)
        assert run_here(monkeypatch, "loo_atlas", *where, *flags) == 0
        queries = Atlas.load(folder / f"{varied}2" / "atlas.npz").asked()
        for seed in (4, 5):
            whole = files.read_arrays(folder / "trainings" / varied / f"seed{seed}")[0]["whole"]
            values = {name: values_of(task, names, seed, queries) for name, names in wanted.items()}
            np.testing.assert_array_equal(whole, values[varied])
        # The second seed tells them apart.
        assert all(np.array_equal(whole, of_other) == (name == varied) for name, of_other in values.items())
