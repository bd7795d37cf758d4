"""Shared fixtures: a small graph with everything odd in it, and a trained model of it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pathlib

import numpy as np
import pytest

from gr_tf.runs import engine

engine.start_quietly()  # Settings that only an unused TensorFlow takes.

from gr_tf.data.choice_sources import load_choices
from gr_tf.data.choices import ChoiceSet, ChoiceSplit
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSet, SequenceSplit
from gr_tf.data.triples import TripleSet, read_folder
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig


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
    config = TripleConfig(dim=6, num_negatives=5, epochs=4, learning_rate=0.03)
    return train_in_memory(TripleTask(toy, config), validating=True)


def rating_lines(num_users: int = 14, num_items: int = 12, num_ratings: int = 120) -> list[str]:
    """Ratings user<TAB>item<TAB>rating<TAB>time with tastes in them, in random order, no pair twice."""
    generator = np.random.default_rng(7)
    tastes, kinds = generator.normal(size=(num_users, 2)), generator.normal(size=(num_items, 2))
    places = generator.permutation(num_users * num_items)[:num_ratings]
    lines: list[str] = []
    for user, item in zip(*np.unravel_index(places, (num_users, num_items)), strict=True):
        rating = np.clip(round(3 + tastes[user] @ kinds[item] + 0.3 * generator.normal()), 1, 5)
        lines.append(f"u{user}\ti{item}\t{rating:.0f}\t{1000 + len(lines)}\n")
    return lines


@pytest.fixture(scope="session")
def rating_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Toy ratings in the layout of "yelp"."""
    folder = tmp_path_factory.mktemp("ratings")
    (folder / "toy.rating").write_text("".join(rating_lines()))
    return folder


@pytest.fixture(scope="session")
def toy_ratings(rating_folder: pathlib.Path) -> RatingSet:
    return load_ratings("yelp", rating_folder, RatingSplit(min_interactions=4))


@pytest.fixture(scope="session")
def toy_choices(rating_folder: pathlib.Path) -> ChoiceSet:
    return load_choices("yelp", rating_folder, ChoiceSplit(min_interactions=4))


@pytest.fixture(scope="session", params=["mf", "ncf"])
def trained_ratings(request: pytest.FixtureRequest, toy_ratings: RatingSet) -> Trained:
    """A trained toy in float64, small enough for explicit Hessians of everything."""
    config = RatingConfig(
        model=request.param, dim=4, steps=600, batch_size=40, learning_rate=0.01, weight_decay=0.002, dtype="float64"
    )
    return train_in_memory(RatingTask(toy_ratings, config))


@pytest.fixture(scope="session")
def toy_sequences(rating_folder: pathlib.Path) -> SequenceSet:
    split = SequenceSplit(min_interactions=4, window=5, order="time", test_share=0.2, valid_share=0.2)
    return load_sequences("yelp", rating_folder, split)


@pytest.fixture(scope="session")
def trained_sequences(toy_sequences: SequenceSet) -> Trained:
    config = SequenceConfig(dim=5, hidden=4, epochs=3, batch_size=32, kept_epochs=(1, 3))
    return train_in_memory(SequenceTask(toy_sequences, config))
