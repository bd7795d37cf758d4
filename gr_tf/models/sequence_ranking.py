"""How well next items are predicted. It stands with the models because training stops by it."""

import dataclasses

import numpy as np
import tensorflow as tf

from gr_tf.data.sequences import Sequences
from gr_tf.models.sequence_recommender import SequenceParameters, SequenceRecommender

_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class NextItemMetrics:
    """Means over sequences.

    Attributes:
        mrr: mean reciprocal rank of the true next item among all items.
        recall_at_10: share of sequences whose true next item is among the first 10.
    """

    mrr: float
    recall_at_10: float

    @classmethod
    def of(cls, ranks: np.ndarray) -> "NextItemMetrics":
        """From ranks [n], the best being 1."""
        return cls(mrr=float(np.mean(1 / ranks)), recall_at_10=float(np.mean(ranks <= 10)))


def next_item_ranks(model: SequenceRecommender, parameters: SequenceParameters, sequences: Sequences) -> np.ndarray:
    """Ranks [n] of the targets among all items, float64, the best being 1; in the middle of those of equal logit."""
    arrays = [tf.constant(array.astype(model.dtype)) for array in parameters.arrays]
    ranks = [
        model.ranks(arrays, tf.constant(part.histories), tf.constant(part.targets)).numpy()
        for part in (sequences.only(slice(first, first + _CHUNK)) for first in range(0, len(sequences), _CHUNK))
    ]
    return np.concatenate(ranks) if ranks else np.zeros(0)
