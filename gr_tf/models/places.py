"""Questions for any part of a triple: the rows that its answers are scored with."""

import numpy as np

from gr_tf.data.triples import HEAD, RELATION, TAIL
from gr_tf.models.factor_model import FactorModel
from gr_tf.runs.engine import tf
from gr_tf.types import Ids, Tensor

# How many numbers are held in memory at a time while answers are scored.
_NUMBERS_AT_ONCE = 1 << 24


def answer_rows(model: FactorModel, place: int) -> Ids:
    """The table rows of all heads or relations, by their ids."""
    return model.num_entities + np.arange(model.num_relations) if place == RELATION else np.arange(model.num_entities)


def scored_as(model: FactorModel, triples: np.ndarray, place: int) -> tuple[np.ndarray, int]:
    """The table rows [..., 3] that triples [..., 3] are scored with if one place is asked, and where the answer is.

    A model with reciprocal relations has heads as the tails of the inverse relation.
    """
    rows = model.rows_of(triples)
    if place == HEAD and model.reciprocal:
        return np.stack([rows[..., 2], rows[..., 1] + model.num_relations, rows[..., 0]], axis=-1), TAIL
    return rows, place


def changed_rows(model: FactorModel, triples: np.ndarray, count: int) -> np.ndarray:
    """The table rows [n, count] that training triples [n, 3] change: 3, or 4 with the inverse relation's."""
    rows = model.rows_of(triples)
    if count == rows.shape[1]:
        return rows
    return np.concatenate([rows, rows[:, 1:2] + model.num_relations], axis=1)


def alternatives(model: FactorModel, triple: tuple[int, int, int], place: int) -> np.ndarray:
    """The table rows [c, 3] of a triple with every answer in its place, to be scored; its own comes first.

    Not of tails, among which there may be candidates only.
    """
    (own,), at = scored_as(model, np.array([triple], np.int32), place)
    answers = answer_rows(model, place)
    rows: np.ndarray = np.tile(own, (len(answers), 1))
    rows[:, at] = np.append(own[at], answers[answers != own[at]])
    return rows


def score_answers(model: FactorModel, table: Tensor, triples: np.ndarray, place: int) -> Tensor:
    """Scores [n, num_answers] of triples [n, 3] with every answer in one place; see `FactorModel.score_all_tails`.

    Every entity may be predicted as a head.
    """
    if place == TAIL:
        return model.score_all_tails(table, triples[:, 0], triples[:, 1])
    rows, at = scored_as(model, triples, place)
    parts, answers = tf.unstack(tf.gather(table, rows), axis=1), tf.gather(table, answer_rows(model, place))
    together = max(1, _NUMBERS_AT_ONCE // (len(answers) * model.numbers_at(at)))
    scores = [
        model.scores_at(at, [part[first : first + together] for part in parts], answers)
        for first in range(0, max(1, len(rows)), together)
    ]
    return tf.concat(scores, axis=0)
