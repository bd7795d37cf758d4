"""How well next items are predicted. This is among the models because training stops by it."""

import numpy as np

from gr_tf.data.sequences import Sequences
from gr_tf.models.parameters import Parameters
from gr_tf.models.sequence_recommender import SequenceRecommender
from gr_tf.runs.engine import tf

_CHUNK = 1024


def next_item_metrics(ranks: np.ndarray, losses: np.ndarray) -> dict[str, float]:
    """Means over at least one sequence; see `ranks_and_losses`.

    They are of the reciprocal rank, of whether the true next item is among the first 10, and of the loss, in nats.
    """
    return {
        "mrr": float(np.mean(1 / ranks)),
        "recall_at_10": float(np.mean(ranks <= 10)),
        "cross_entropy": float(np.mean(losses)),
    }


def ranks_and_losses(
    model: SequenceRecommender, parameters: Parameters, sequences: Sequences
) -> tuple[np.ndarray, np.ndarray]:
    """How the true next items of n sequences are predicted.

    Returns:
        The ranks [n] among all items, float64, the best being 1, in the middle of those of equal logit; and the
        cross-entropies [n], as in training.
    """
    arrays = [tf.constant(array.astype(model.dtype)) for array in parameters.arrays]
    ranks, losses = np.empty(len(sequences)), np.empty(len(sequences))
    for first in range(0, len(sequences), _CHUNK):
        part = slice(first, first + _CHUNK)
        batch = map(tf.constant, (sequences.histories[part], sequences.targets[part]))
        ranks[part], losses[part] = model.ranks_and_losses(arrays, *batch)
    return ranks, losses
