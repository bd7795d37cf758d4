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


@dataclasses.dataclass(frozen=True)
class TopPrediction:
    """The filtered top-1 of some (head, relation, ?).

    Attributes:
        tails: [n] entity ids, the smallest of equals; NO_TAIL where none is left.
        probabilities: [n], over all possible tails, known ones included; NaN where there is no tail.
    """

    tails: np.ndarray
    probabilities: np.ndarray


def predict_top(model: FactorModel, table: Tensor, known: KnownTails, heads: Ids, relations: Ids) -> TopPrediction:
    """The best-scored tail of each (head, relation, ?) that is not known already.

    Args:
        model: the model.
        table: [num_rows, width].
        known: the filter.
        heads, relations: [n] ids.
    """
    parts = [
        _predict_top(model, table, known, heads[first : first + _CHUNK], relations[first : first + _CHUNK])
        for first in range(0, len(heads), _CHUNK)
    ]
    return TopPrediction(np.concatenate([p.tails for p in parts]), np.concatenate([p.probabilities for p in parts]))


def _predict_top(model: FactorModel, table: Tensor, known: KnownTails, heads: Ids, relations: Ids) -> TopPrediction:
    scores = model.score_all_tails(table, heads, relations)
    mask = known.mask(heads, relations)
    open_scores = np.where(mask, -np.inf, scores.numpy())
    tails = open_scores.argmax(axis=1)
    probabilities = tf.nn.softmax(scores).numpy()[np.arange(len(tails)), tails]
    full = np.isneginf(open_scores).all(axis=1)
    return TopPrediction(np.where(full, NO_TAIL, tails), np.where(full, np.nan, probabilities))


def predict_best(
    model: FactorModel, table: Tensor, known: KnownTails, head: int, relation: int, count: int
) -> TopPrediction:
    """The `count` best-scored tails of (head, relation, ?) that are not known already, or as many as there are."""
    heads, relations = np.array([head]), np.array([relation])
    scores = model.score_all_tails(table, heads, relations)
    mask = known.mask(heads, relations)[0]
    order = np.argsort(-scores.numpy()[0], kind="stable")
    tails = order[~mask[order] & np.isfinite(scores.numpy()[0][order])][:count]
    return TopPrediction(tails, tf.nn.softmax(scores).numpy()[0, tails])


def tail_probabilities(model: FactorModel, table: Tensor, queries: Sequence[Query]) -> np.ndarray:
    """p(tail | head, relation) [n] of queries: the softmax of the scores over all entities."""
    heads, relations, tails = np.array([[query.head, query.relation, query.tail] for query in queries]).T
    scores = model.score_all_tails(table, heads, relations)
    probabilities: np.ndarray = tf.nn.softmax(scores).numpy()
    return probabilities[np.arange(len(queries)), tails]


def mean_probabilities(model: FactorModel, tables: Sequence[Tensor], heads: Ids, relations: Ids) -> np.ndarray:
    """p(. | head, relation) [n, num_entities], the mean over the tables of several trainings."""
    parts = [tf.nn.softmax(model.score_all_tails(table, heads, relations)).numpy() for table in tables]
    mean: np.ndarray = np.mean(parts, axis=0)
    return mean
