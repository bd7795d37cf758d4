"""Filtered ranking of the gold tails.

Bordes et al. (2013), Section 4.1. This is among the models because training selects its epoch by it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gr_tf.data.known_tails import KnownTails
from gr_tf.models.factor_model import FactorModel
from gr_tf.types import Ids

# What a gold tail ranks behind of those that share its score, by PyKEEN's names: half of them, none, or all.
TIE_RULES = {"realistic": 0.5, "optimistic": 0.0, "pessimistic": 1.0}
# So many questions are scored together, or fewer if these have more scores than that.
_TOGETHER, _MOST_SCORES = 512, 1 << 25
# From heads and relations [n] to the scores [n, num_entities] of all tails.
Score = Callable[[Ids, Ids], Any]


def scored_together(num_entities: int) -> int:
    """How many questions are scored among so many entities at a time."""
    return max(1, min(_TOGETHER, _MOST_SCORES // num_entities))


def ranking_metrics(ranks: np.ndarray) -> dict[str, float]:
    """The mean reciprocal rank, and the shares of ranks [n] that are at most k; the best rank is 1."""
    return {"mrr": float(np.mean(1 / ranks)), **{f"hits_at_{k}": float(np.mean(ranks <= k)) for k in (1, 3, 10)}}


def filtered_ranks(
    model: FactorModel, table: np.ndarray, triples: np.ndarray, known: KnownTails, ties: str = "realistic"
) -> np.ndarray:
    """The ranks by a model's scores; see `ranks_by`.

    Args:
        table: [num_rows, width].
    """
    return ranks_by(lambda heads, relations: model.score_all_tails(table, heads, relations), triples, known, ties)


def ranks_by(score: Score, triples: np.ndarray, known: KnownTails, ties: str = "realistic") -> np.ndarray:
    """Ranks of the gold tails of triples [n, 3] among the tails that are not known; the gold one always competes.

    Args:
        score: from heads and relations [n] to the scores [n, num_entities] of all tails.
        ties: a key of TIE_RULES.

    Returns:
        [n] float64, the best being 1; half ranks can occur under "realistic".
    """
    if ties not in TIE_RULES:
        raise ValueError(f"ties must be one of {', '.join(TIE_RULES)}; got {ties!r}.")
    ranks = np.empty(len(triples))
    chunk = scored_together(known.num_entities)
    for first in range(0, len(triples), chunk):
        heads, relations, golds = triples[first : first + chunk].T
        scores = np.asarray(score(heads, relations))
        own = np.arange(len(golds)), golds
        gold_scores = scores[own][:, None]
        competes = ~known.mask(heads, relations)
        competes[own] = False
        better = (competes & (scores > gold_scores)).sum(axis=1)
        equal = (competes & (scores == gold_scores)).sum(axis=1)
        ranks[first : first + chunk] = 1 + better + TIE_RULES[ties] * equal
    return ranks
