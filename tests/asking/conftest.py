"""Somebody to ask about the toys."""

import pytest

from gr_tf.asking.asker import Asker
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import TripleSet
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.rating_config import RatingConfig
from gr_tf.training.sequence_config import SequenceConfig
from gr_tf.training.triple_config import TripleConfig


@pytest.fixture(scope="session")
def asker(toy: TripleSet) -> Asker:
    config = TripleConfig(dim=4, num_negatives=5, epochs=4, learning_rate=0.05)
    return Asker(train_in_memory(TripleTask(toy, config), validating=True))


@pytest.fixture(scope="session")
def rating_asker(toy_ratings: RatingSet) -> Asker:
    config = RatingConfig(dim=2, steps=600, batch_size=16, learning_rate=0.01)
    return Asker(train_in_memory(RatingTask(toy_ratings, config)), retraining_length=300)


@pytest.fixture(scope="session")
def single_rating_asker(toy_ratings: RatingSet) -> Asker:
    """Trained rating by rating, which keeps what each changed."""
    config = RatingConfig(dim=2, steps=100, batch_size=1, learning_rate=0.02)
    return Asker(train_in_memory(RatingTask(toy_ratings, config)))


@pytest.fixture(scope="session")
def sequence_asker(toy_sequences: SequenceSet) -> Asker:
    """Its epoch is selected by validation."""
    config = SequenceConfig(
        dim=6,
        hidden=5,
        epochs=12,
        batch_size=16,
        learning_rate=0.02,
        train_embeddings=True,
        shuffle=True,
        patience=3,
        kept_epochs=(2, 4),
    )
    return Asker(train_in_memory(SequenceTask(toy_sequences, config), validating=True))
