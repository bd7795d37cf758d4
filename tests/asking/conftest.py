"""Somebody to ask about the toys."""

import pathlib

import pytest

from gr_tf.asking.graph import GraphAsker
from gr_tf.asking.ratings import RatingAsker
from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.data.triples import TripleSet
from gr_tf.stages import train, train_ratings
from gr_tf.training.config import TrainConfig
from gr_tf.training.rating_config import RatingTrainConfig


@pytest.fixture(scope="session")
def asker(tmp_path_factory: pytest.TempPathFactory, graph_folder: pathlib.Path, toy: TripleSet) -> GraphAsker:
    folder = tmp_path_factory.mktemp("asker")
    train.run(toy, TrainConfig(dim=4, num_negatives=5, epochs=4, learning_rate=0.05), folder)
    return GraphAsker(train.load(folder))


@pytest.fixture(scope="session")
def rating_asker(tmp_path_factory: pytest.TempPathFactory, toy_ratings: RatingSet) -> RatingAsker:
    folder = tmp_path_factory.mktemp("rating_asker")
    config = RatingTrainConfig(dim=2, steps=600, batch_size=16, learning_rate=0.01)
    train_ratings.run(toy_ratings, RatingSplit(), config, folder)
    return RatingAsker(train_ratings.load(folder, toy_ratings), retraining_steps=300)
