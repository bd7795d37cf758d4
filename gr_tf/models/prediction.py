"""What a table of parameters predicts: probabilities, the filtered top-1."""

from collections.abc import Sequence

import numpy as np

from gr_tf.data.known_tails import KnownTails
from gr_tf.data.triples import TAIL, Query
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.places import score_answers
from gr_tf.models.ranking import scored_together
from gr_tf.runs.engine import tf
from gr_tf.types import Ids, Tensor

NO_TAIL = -1


def predict_top(
    model: FactorModel, table: Tensor, known: KnownTails, heads: Ids, relations: Ids
) -> tuple[np.ndarray, np.ndarray]:
    """The best-scored tail of each of n (head, relation, ?) that is not known already.

    Returns:
        The tails [n], entity ids, the smallest of equals, NO_TAIL where none is left; and their probabilities [n] over
        all possible tails, known ones included, NaN where there is no tail.
    """
    tails, probabilities = np.full(len(heads), NO_TAIL), np.full(len(heads), np.nan)
    together = scored_together(model.num_entities)
    for first in range(0, len(heads), together):
        part = slice(first, first + together)
        scores = model.score_all_tails(table, heads[part], relations[part])
        open_scores = np.where(known.mask(heads[part], relations[part]), -np.inf, scores.numpy())
        best = open_scores.argmax(axis=1)
        shares = tf.nn.softmax(scores).numpy()[np.arange(len(best)), best]
        full = np.isneginf(open_scores).all(axis=1)
        tails[part], probabilities[part] = np.where(full, NO_TAIL, best), np.where(full, np.nan, shares)
    return tails, probabilities


def tail_probabilities(model: FactorModel, table: Tensor, queries: Sequence[Query]) -> np.ndarray:
    """p(tail | head, relation) [n] of queries: the softmax of the scores over all entities."""
    return _probabilities_at(TAIL, model, table, queries)


def answer_probabilities(model: FactorModel, table: Tensor, queries: Sequence[Query]) -> np.ndarray:
    """The probabilities [n] of queries' answers, given the two other parts: the softmax of the scores over all answers.

    Queries may ask for different places.
    """
    places = np.array([query.place for query in queries])
    if (places == TAIL).all():
        return tail_probabilities(model, table, queries)
    found = np.zeros(len(queries), np.asarray(table).dtype)
    for place in set(places.tolist()):
        at = np.flatnonzero(places == place)
        found[at] = _probabilities_at(place, model, table, [queries[int(i)] for i in at])
    return found


def _probabilities_at(place: int, model: FactorModel, table: Tensor, queries: Sequence[Query]) -> np.ndarray:
    """The same of queries that ask for one place."""
    triples = np.array([query.triple for query in queries])
    scores = score_answers(model, table, triples, place)
    found: np.ndarray = tf.nn.softmax(scores).numpy()[np.arange(len(queries)), triples[:, place]]
    return found
