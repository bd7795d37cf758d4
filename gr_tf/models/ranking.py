"""Filtered ranking of the gold tails.

Bordes et al. (2013), Section 4.1. This is among the models because training selects its epoch by it.
"""

import dataclasses

import numpy as np

from gr_tf.data.known_tails import KnownTails
from gr_tf.models.factor_model import FactorModel

# What a gold tail ranks behind of those that share its score, by PyKEEN's names: half of them, none, or all.
TIE_RULES = {"realistic": 0.5, "optimistic": 0.0, "pessimistic": 1.0}
_CHUNK = 512


@dataclasses.dataclass(frozen=True)
class RankingMetrics:
    """Means over the ranked triples: of the reciprocal rank, and the shares of ranks that are at most k."""

    mrr: float
    hits_at_1: float
    hits_at_3: float
    hits_at_10: float

    @classmethod
    def of(cls, ranks: np.ndarray) -> "RankingMetrics":
        """The means over ranks [n], the best being 1."""
        return cls(float(np.mean(1 / ranks)), *(float(np.mean(ranks <= k)) for k in (1, 3, 10)))


def filtered_ranks(
    model: FactorModel, table: np.ndarray, triples: np.ndarray, known: KnownTails, ties: str = "realistic"
) -> np.ndarray:
    """Ranks of the gold tails of triples [n, 3] among the tails that are not known; the gold one always competes.

    Args:
        table: [num_rows, width].
        ties: a key of TIE_RULES.

    Returns:
        [n] float64, the best being 1; half ranks can occur under "realistic".
    """
    if ties not in TIE_RULES:
        raise ValueError(f"ties must be one of {', '.join(TIE_RULES)}; got {ties!r}.")
    ranks = np.empty(len(triples))
    for first in range(0, len(triples), _CHUNK):
        heads, relations, golds = triples[first : first + _CHUNK].T
        scores = model.score_all_tails(table, heads, relations).numpy()
        own = np.arange(len(golds)), golds
        gold_scores = scores[own][:, None]
        competes = ~known.mask(heads, relations)
        competes[own] = False
        better = (competes & (scores > gold_scores)).sum(axis=1)
        equal = (competes & (scores == gold_scores)).sum(axis=1)
        ranks[first : first + _CHUNK] = 1 + better + TIE_RULES[ties] * equal
    return ranks
