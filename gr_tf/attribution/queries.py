"""Which predictions are explained: the filtered top-1 of every test row."""

import dataclasses

import numpy as np

from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.base import FactorModel
from gr_tf.models.prediction import NO_TAIL, predict_top

# What makes a prediction that answers several test rows a right one.
RIGHT_IF = {
    "drawn": "the test row it was drawn by has it as gold tail",
    "any": "any of its test rows has, as in the released evaluation",
}


@dataclasses.dataclass(frozen=True)
class ExplainedPrediction:
    """One distinct prediction.

    Attributes:
        query: head, relation, and the predicted tail.
        probability: of the predicted tail, over all tails.
        test_lines: the test rows that ask for it.
        correct: whether it is the gold tail of one of them, in the order of test_lines.
    """

    query: Query
    probability: float
    test_lines: tuple[int, ...]
    correct: tuple[bool, ...]


def named_query(
    model: FactorModel, table: np.ndarray, triples: TripleSet, head: str, relation: str, tail: str | None = None
) -> Query:
    """The query of some names or labels; without a tail, the filtered top-1.

    Raises:
        InputError: if a name is unknown, a label ambiguous, or every entity a known tail.
    """
    labels = triples.labels
    head_id, relation_id = triples.entities.id_of(head, labels), triples.relations.id_of(relation, labels)
    if tail is not None:
        return Query(head_id, relation_id, triples.entities.id_of(tail, labels))
    top = predict_top(model, table, known_from_train_and_valid(triples), np.array([head_id]), np.array([relation_id]))
    if top.tails[0] == NO_TAIL:
        raise InputError(f"({head}, {relation}, ?) has nothing left to predict: every entity is a known tail.")
    return Query(head_id, relation_id, int(top.tails[0]))


def explained_predictions(model: FactorModel, table: np.ndarray, triples: TripleSet) -> list[ExplainedPrediction]:
    """The distinct filtered top-1 predictions of the test rows, in file order.

    Rows for which every entity is a known tail have no prediction; they are left out, and
    can be counted as len(triples.test) less all `test_lines`.
    """
    heads, relations, golds = triples.test.T
    top = predict_top(model, table, known_from_train_and_valid(triples), heads, relations)
    found: dict[Query, ExplainedPrediction] = {}
    for i in np.flatnonzero(top.tails != NO_TAIL):
        query = Query(int(heads[i]), int(relations[i]), int(top.tails[i]))
        seen = found.get(query, ExplainedPrediction(query, float(top.probabilities[i]), (), ()))
        found[query] = dataclasses.replace(
            seen,
            test_lines=(*seen.test_lines, int(triples.test_lines[i])),
            correct=(*seen.correct, bool(golds[i] == query.tail)),
        )
    return list(found.values())


def balanced_sample(
    predictions: list[ExplainedPrediction], count: int, seed: int, right_if: str = "drawn"
) -> list[ExplainedPrediction]:
    """Random predictions, as many right as wrong ones; in their order.

    Test rows are drawn at random, rows whose gold tail is predicted and rows whose is not; rows
    with the same prediction count once. Where there are too few of one kind, the other kind
    fills up.

    Args:
        predictions: all of them.
        count: how many to draw.
        seed: of the draw.
        right_if: what makes a drawn prediction a right one, a key of RIGHT_IF.

    Raises:
        InputError: if count is below 1, or right_if is unknown.
    """
    if count < 1:
        raise InputError(f"num_queries must be at least 1; got {count}.")
    if right_if not in RIGHT_IF:
        raise InputError(f"right_if must be one of {', '.join(RIGHT_IF)}; got {right_if!r}.")
    rows = [
        (place, any(prediction.correct) if right_if == "any" else right)
        for place, prediction in enumerate(predictions)
        for right in prediction.correct
    ]
    drawn = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    kinds = [list(dict.fromkeys(place for place, kind in drawn if kind is right)) for right in (True, False)]
    few, many = sorted(kinds, key=len)
    chosen = few[: count // 2]
    chosen += [place for place in many if place not in chosen][: count - len(chosen)]
    chosen += [place for place in few if place not in chosen][: count - len(chosen)]
    return [predictions[i] for i in sorted(chosen)]
