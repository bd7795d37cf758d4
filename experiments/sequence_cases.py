"""The benchmark's cases of TracIn on a sequential recommender, at MovieLens-100k's shape."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from experiments import plain
from experiments.timing import fastest
from gr_tf.attribution.example_losses import Checkpoint, SequenceLosses
from gr_tf.attribution.tracin import TracIn
from gr_tf.data.sequences import SequenceSet, SequenceSplit, make_sequence_set
from gr_tf.training.sequence_config import SequenceTrainConfig

_NUM_RATINGS, _NUM_USERS, _NUM_ITEMS = 100_000, 943, 1_682
# How many sequences the published way is timed on.
_FEW = 300


def _sequences(num_ratings: int) -> SequenceSet:
    """Random choices, so that the benchmark needs no download."""
    generator = np.random.default_rng(0)
    users = (_NUM_USERS * num_ratings // _NUM_RATINGS * generator.random(num_ratings) ** 2).astype(int)
    frame = pd.DataFrame(
        {"user": users.astype(str), "item": generator.integers(_NUM_ITEMS, size=num_ratings).astype(str)}
    )
    return make_sequence_set("random", frame, {}, SequenceSplit())


def _checkpoint(num_ratings: int) -> tuple[SequenceSet, SequenceLosses, Checkpoint]:
    sequences = _sequences(num_ratings)
    model = SequenceTrainConfig().make_model(sequences)
    checkpoint = Checkpoint.of(model.initial_parameters(0), 0.001)
    return sequences, SequenceLosses(model, sequences), checkpoint


def tracin_loss() -> float:
    """Microseconds a sequence of a forward pass over all training sequences."""
    sequences, losses, checkpoint = _checkpoint(_NUM_RATINGS)
    explainer = TracIn(losses, [checkpoint])
    explainer.training_losses()
    return 1e6 * fastest(explainer.training_losses) / sequences.num_examples


def tracin_forward_mode() -> float:
    """Microseconds a sequence of scoring all training sequences for one test sequence."""
    sequences, losses, checkpoint = _checkpoint(_NUM_RATINGS)
    explainer = TracIn(losses, [checkpoint], SequenceTrainConfig().trained_layers)
    test = losses.batch(sequences.test.only(slice(1)))
    explainer.influences(test)
    return 1e6 * fastest(lambda: explainer.influences(test)) / sequences.num_examples


def tracin_explicit() -> float:
    """Microseconds a sequence of the published way, a gradient a sequence, on some of them."""
    sequences, losses, checkpoint = _checkpoint(10 * _FEW)
    score = plain.tracin(losses, checkpoint)
    test = losses.batch(sequences.test.only(slice(1)))
    score(test, 2)
    return 1e6 * fastest(lambda: score(test, _FEW)) / _FEW


SEQUENCE_CASES: dict[str, Callable[[], float]] = {
    "tracin_loss": tracin_loss,
    "tracin_forward_mode": tracin_forward_mode,
    "tracin_explicit": tracin_explicit,
}
