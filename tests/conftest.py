"""Shared fixtures: a small graph with everything odd in it, and a trained model of it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import dataclasses
import pathlib

import numpy as np
import pytest

from gr_tf.attribution.rollback_store import RollbackStore
from gr_tf.data.triples import TripleSet, read_folder
from gr_tf.models.ranking import validation_mrr
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer


def write_graph(folder: pathlib.Path, num_entities: int = 9, num_relations: int = 4, num_train: int = 60) -> None:
    """A random graph with self-loops and a repeated training triple."""
    generator = np.random.default_rng(5)
    rows = np.stack(
        [generator.integers(high, size=num_train + 20) for high in (num_entities, num_relations, num_entities)], axis=1
    )
    rows[:num_entities, 0] = np.arange(num_entities)  # every entity is in train,
    rows[:num_relations, 1] = np.arange(num_relations)  # and every relation;
    rows[3, 2] = rows[3, 0]  # a self-loop,
    rows[11] = rows[4]  # and a triple twice.
    lines = [f"e{head}\tr{relation}\te{tail}\n" for head, relation, tail in rows]
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in (
        ("train", lines[:num_train]),
        ("valid", lines[num_train : num_train + 10]),
        ("test", lines[num_train + 10 :]),
    ):
        (folder / f"{split}.txt").write_text("".join(part))


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained toy."""

    trainer: Trainer
    table: np.ndarray
    epoch: int
    deltas: np.ndarray


@pytest.fixture(scope="session")
def graph_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("graph")
    write_graph(folder)
    return folder


@pytest.fixture(scope="session")
def toy(graph_folder: pathlib.Path) -> TripleSet:
    return read_folder(graph_folder, "toy")


@pytest.fixture(scope="session")
def trained(toy: TripleSet) -> Trained:
    trainer = Trainer(toy, TrainConfig(dim=6, num_negatives=5, epochs=4, learning_rate=0.03))
    store = RollbackStore(toy.num_examples, trainer.model.width, "float64")
    result = trainer.run(store=store, validate=validation_mrr(trainer.model, toy))
    return Trained(trainer, result.table, result.epoch, store.to_numpy())
