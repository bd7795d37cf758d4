"""What `best` learns is kept in the run's folder, found again to the bit, and never for something else."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gr_tf.asking.opening import ask
from gr_tf.attribution import best, learnt, methods
from gr_tf.attribution.best import Best
from gr_tf.attribution.blending import Blend
from gr_tf.attribution.learnt import Learnt
from gr_tf.data.triples import TripleSet
from gr_tf.errors import DamagedError
from gr_tf.tasks import stage
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

CONFIG = TripleConfig(dim=3, epochs=4, num_negatives=4, seed=5)
FEW: dict[str, Any] = {"trainings": 2, "num_queries": 3}


@pytest.fixture
def run(toy: TripleSet, tmp_path: pathlib.Path) -> Trained:
    stage.train(TripleTask(toy, CONFIG), tmp_path / "run")
    return stage.load(tmp_path / "run", toy)


@pytest.fixture
def learning(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many queries each learning is from."""
    counted: list[int] = []
    learn = best.learn

    def counting(task: TripleTask, queries: Sequence[Any], influences: np.ndarray) -> Learnt:
        counted.append(len(queries))
        return learn(task, queries, influences)

    monkeypatch.setattr(best, "learn", counting)
    monkeypatch.setattr(best, "_BASE", "dot")  # Replay compiles for seconds.
    return counted


def kept(run: Trained) -> list[pathlib.Path]:
    assert run.path is not None
    return sorted((run.path.parent / learnt.LEARNT).glob("*"))


def test_it_is_learnt_once(run: Trained, learning: list[int]) -> None:
    query = run.task.query_of(8)
    once, again = (Best(run, **FEW).explain(query, k=5) for _ in range(2))
    assert learning == [3]
    assert len(kept(run)) == 1
    np.testing.assert_array_equal(once.influences, again.influences)
    in_memory = Best(dataclasses.replace(run, path=None), **FEW)
    np.testing.assert_array_equal(in_memory.explain(query, k=5).influences, once.influences)
    assert learning == [3, 3]
    Best(run, **FEW | {"num_queries": 4})
    assert learning == [3, 3, 4]
    assert len(kept(run)) == 2


def test_places_are_of_one_model_and_one_version(run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [
        learnt.place_of(run, **FEW),
        learnt.place_of(run, **FEW | {"trainings": 3}),
        learnt.place_of(dataclasses.replace(run, fingerprint="another"), **FEW),
    ]
    monkeypatch.setattr(learnt, "decisive", lambda: {"gr_tf": "another"})
    places.append(learnt.place_of(run, **FEW))
    assert len(set(places)) == 4


@pytest.mark.usefixtures("learning")
def test_what_is_damaged_is_told(run: Trained) -> None:
    Best(run, **FEW)
    (place,) = kept(run)
    (place / "weights.npy").write_bytes(b"edited")
    with pytest.raises(DamagedError, match=r"weights\.npy: truncated or edited"):
        Best(run, **FEW)


@pytest.mark.usefixtures("learning")
def test_a_folder_that_cannot_be_written_to_keeps_nothing(run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    Best(run, **FEW)
    assert not kept(run)


def test_the_next_question_costs_less(run: Trained) -> None:
    method = methods.method_of("triples", "best")
    assert method.cost is not None
    whole = method.cost(run.task)
    assert method.cost_again(run) is None
    place = learnt.place_of(run, trainings=best.TRAININGS, share=best.SHARE, width=best.WIDTH, num_queries=best.QUERIES)
    assert place is not None
    place.mkdir(parents=True)
    again = method.cost_again(run)
    assert again is not None
    assert whole.seconds is not None
    assert again.seconds is not None
    assert again.seconds < whole.seconds
    assert method.cost_again(train_in_memory(run.task)) is None


def test_a_training_that_is_done_anew_loses_it(graph_folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    where: dict[str, Any] = {
        "data_dir": graph_folder,
        "run_dir": tmp_path / "run",
        "dim": 3,
        "epochs": 4,
        "tune_minutes": 0,
    }
    trained = ask(**where).trained
    place = learnt.place_of(trained, **FEW)
    assert place is not None
    learnt.keep(place, Learnt(Blend(1.0, 0.5, np.ones(3)), np.ones(2)))
    assert kept(trained) == [place]
    mine = place.with_name("mine.txt")
    mine.write_text("mine")
    ask(**where, overwrite=True)
    assert kept(trained) == [mine]
