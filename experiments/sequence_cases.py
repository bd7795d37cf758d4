"""The benchmark's cases of TracIn on a sequential recommender, at MovieLens-100k's shape."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from experiments import plain
from experiments.timing import fastest
from gr_tf.attribution.tracin import TracIn
from gr_tf.data.sequences import SequenceSplit, make_sequence_set
from gr_tf.tasks.sequences import SequenceTask
from gr_tf.tasks.trained import Checkpoint
from gr_tf.training.sequence_config import SequenceConfig

_NUM_RATINGS, _NUM_USERS, _NUM_ITEMS = 100_000, 943, 1_682
# How many sequences the published way is timed on.
_FEW = 300


def _task(num_ratings: int) -> SequenceTask:
    """Random choices, so that the benchmark needs no download."""
    generator = np.random.default_rng(0)
    users = (_NUM_USERS * num_ratings // _NUM_RATINGS * generator.random(num_ratings) ** 2).astype(int)
    frame = pd.DataFrame(
        {"user": users.astype(str), "item": generator.integers(_NUM_ITEMS, size=num_ratings).astype(str)}
    )
    return SequenceTask(make_sequence_set("random", frame, {}, SequenceSplit()), SequenceConfig())


def _checkpoint(task: SequenceTask) -> Checkpoint:
    return Checkpoint(task.initial_parameters, task.config.learning_rate)


def tracin_loss() -> float:
    """Microseconds a sequence of a forward pass over all training sequences."""
    task = _task(_NUM_RATINGS)
    explainer = TracIn(task.losses(), [_checkpoint(task)])
    explainer.training_losses()
    return 1e6 * fastest(explainer.training_losses) / task.num_examples


def tracin_forward_mode() -> float:
    """Microseconds a sequence of scoring all training sequences for one test sequence."""
    task = _task(_NUM_RATINGS)
    losses = task.losses()
    explainer = TracIn(losses, [_checkpoint(task)], losses.trained_layers)
    test = losses.batch(task.dataset.test.only(slice(1)))
    explainer.influences(test)
    return 1e6 * fastest(lambda: explainer.influences(test)) / task.num_examples


def tracin_explicit() -> float:
    """Microseconds a sequence of the published way, a gradient a sequence, on some of them."""
    task = _task(10 * _FEW)
    losses = task.losses()
    score = plain.tracin(losses, _checkpoint(task))
    test = losses.batch(task.dataset.test.only(slice(1)))
    score(test, 2)
    return 1e6 * fastest(lambda: score(test, _FEW)) / _FEW


SEQUENCE_CASES: dict[str, Callable[[], float]] = {
    "tracin_loss": tracin_loss,
    "tracin_forward_mode": tracin_forward_mode,
    "tracin_explicit": tracin_explicit,
}
