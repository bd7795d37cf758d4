"""Filtered ranking of the gold tails.

Bordes et al. (2013), Section 4.1. This is among the models because training selects its epoch by it.
"""

import dataclasses

import numpy as np

from gr_tf.data.known_tails import KnownTails
from gr_tf.models.factor_model import FactorModel

# What rank a gold tail has whose score others share, in PyKEEN's terms: before all of
# them, behind all of them, or in their middle.
TIE_RULES = ("realistic", "optimistic", "pessimistic")
_CHUNK = 512


@dataclasses.dataclass(frozen=True)
class RankingMetrics:
    """Means over the ranked triples."""

    mrr: float
    hits_at_1: float
    hits_at_3: float
    hits_at_10: float

    @classmethod
    def of(cls, ranks: np.ndarray) -> "RankingMetrics":
        """The means over ranks [n], the best being 1."""
        return cls(
            mrr=float(np.mean(1 / ranks)),
            hits_at_1=hits_at_k(ranks, 1),
            hits_at_3=hits_at_k(ranks, 3),
            hits_at_10=hits_at_k(ranks, 10),
        )


def hits_at_k(ranks: np.ndarray, k: int) -> float:
    """Share of ranks that are at most k."""
    return float(np.mean(ranks <= k))


def filtered_ranks(
    model: FactorModel, table: np.ndarray, triples: np.ndarray, known: KnownTails, ties: str = "realistic"
) -> np.ndarray:
    """Ranks of the gold tails among the tails that are not known.

    Args:
        model: the model.
        table: [num_rows, width].
        triples: [n, 3] ids.
        known: the filter; the gold tail itself always competes.
        ties: one of TIE_RULES.

    Returns:
        [n] float64, the best being 1; half ranks can occur under "realistic".
    """
    if ties not in TIE_RULES:
        raise ValueError(f"ties must be one of {', '.join(TIE_RULES)}; got {ties!r}.")
    ranks = [
        _ranks(model, table, triples[first : first + _CHUNK], known, ties) for first in range(0, len(triples), _CHUNK)
    ]
    return np.concatenate(ranks)


def _ranks(model: FactorModel, table: np.ndarray, triples: np.ndarray, known: KnownTails, ties: str) -> np.ndarray:
    heads, relations, golds = triples.T
    scores = model.score_all_tails(table, heads, relations).numpy()
    gold_scores = scores[np.arange(len(golds)), golds][:, None]
    competes = ~known.mask(heads, relations)
    competes[np.arange(len(golds)), golds] = False
    better = (competes & (scores > gold_scores)).sum(axis=1)
    equal = (competes & (scores == gold_scores)).sum(axis=1)
    share = {"realistic": 0.5, "optimistic": 0.0, "pessimistic": 1.0}[ties]
    return 1 + better + share * equal
