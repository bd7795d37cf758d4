"""What a table of parameters predicts: probabilities, the filtered top-1."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from gr_tf.data.known_tails import KnownTails
from gr_tf.data.triples import Query
from gr_tf.models.factor_model import FactorModel
from gr_tf.runs.engine import tf
from gr_tf.types import Ids, Tensor

NO_TAIL = -1
# Queries scored at once.
_CHUNK = 512


def predict_top(
    model: FactorModel, table: Tensor, known: KnownTails, heads: Ids, relations: Ids
) -> tuple[np.ndarray, np.ndarray]:
    """The best-scored tail of each of n (head, relation, ?) that is not known already.

    Returns:
        The tails [n], entity ids, the smallest of equals, NO_TAIL where none is left; and their probabilities [n] over
        all possible tails, known ones included, NaN where there is no tail.
    """
    tails, probabilities = np.full(len(heads), NO_TAIL), np.full(len(heads), np.nan)
    for first in range(0, len(heads), _CHUNK):
        part = slice(first, first + _CHUNK)
        scores = model.score_all_tails(table, heads[part], relations[part])
        open_scores = np.where(known.mask(heads[part], relations[part]), -np.inf, scores.numpy())
        best = open_scores.argmax(axis=1)
        shares = tf.nn.softmax(scores).numpy()[np.arange(len(best)), best]
        full = np.isneginf(open_scores).all(axis=1)
        tails[part], probabilities[part] = np.where(full, NO_TAIL, best), np.where(full, np.nan, shares)
    return tails, probabilities


def tail_probabilities(model: FactorModel, table: Tensor, queries: Sequence[Query]) -> np.ndarray:
    """p(tail | head, relation) [n] of queries: the softmax of the scores over all entities."""
    heads, relations, tails = np.array(list(map(dataclasses.astuple, queries))).T
    scores = model.score_all_tails(table, heads, relations)
    return tf.nn.softmax(scores).numpy()[np.arange(len(queries)), tails]
