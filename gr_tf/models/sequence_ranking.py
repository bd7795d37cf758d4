"""How well next items are predicted. This is among the models because training stops by it."""

import dataclasses

import numpy as np

from gr_tf.data.sequences import Sequences
from gr_tf.models.parameters import Parameters
from gr_tf.models.sequence_recommender import SequenceRecommender
from gr_tf.runs.engine import tf

_CHUNK = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class NextItems:
    """How sequences' true next items are predicted.

    Attributes:
        ranks: [n] among all items, float64, the best being 1; in the middle of those of equal logit.
        losses: [n] cross-entropies, as in training.
    """

    ranks: np.ndarray
    losses: np.ndarray


@dataclasses.dataclass(frozen=True)
class NextItemMetrics:
    """Means over sequences.

    Attributes:
        mrr: mean reciprocal rank of the true next item among all items.
        recall_at_10: share of sequences whose true next item is among the first 10.
        cross_entropy: mean loss, in nats.
    """

    mrr: float
    recall_at_10: float
    cross_entropy: float

    @classmethod
    def of(cls, items: NextItems) -> "NextItemMetrics":
        """The means over at least one sequence."""
        return cls(
            mrr=float(np.mean(1 / items.ranks)),
            recall_at_10=float(np.mean(items.ranks <= 10)),
            cross_entropy=float(np.mean(items.losses, dtype=np.float64)),
        )


def next_items(model: SequenceRecommender, parameters: Parameters, sequences: Sequences) -> NextItems:
    """How the targets of sequences are predicted."""
    arrays = [tf.constant(array.astype(model.dtype)) for array in parameters.arrays]
    parts = [
        model.ranks_and_losses(arrays, tf.constant(part.histories), tf.constant(part.targets))
        for part in (sequences.only(slice(first, first + _CHUNK)) for first in range(0, len(sequences), _CHUNK))
    ]
    ranks, losses = (np.concatenate([np.zeros(0), *(part[i].numpy() for part in parts)]) for i in range(2))
    return NextItems(ranks, losses)
