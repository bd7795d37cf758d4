"""Which predictions are explained: those of the test examples, or a balanced sample of them."""

import dataclasses
from typing import Any

import numpy as np

from gr_tf.errors import InputError, argument, short

# What makes a prediction that answers several test rows a right one.
RIGHT_IF = {
    "drawn": "the test row it was drawn by has it as gold tail",
    "any": "any of its test rows has, as in the released evaluation",
}


@dataclasses.dataclass(frozen=True)
class ExplainedPrediction:
    """One distinct prediction.

    Attributes:
        query: what is asked, with the predicted answer.
        probability: the prediction's value, in the unit of the task.
        test_lines: the test rows that ask for it.
        correct: whether it is the true answer of each of them.
    """

    query: Any
    probability: float
    test_lines: tuple[int, ...]
    correct: tuple[bool, ...]


def balanced_sample(
    predictions: list[ExplainedPrediction], count: int, seed: int, right_if: str = "drawn"
) -> list[ExplainedPrediction]:
    """Random predictions, as many right as wrong ones; in their order.

    Test rows are drawn at random, rows whose gold tail is predicted and rows whose is not; rows
    with the same prediction count once. Where there are too few of one kind, the other kind
    fills up.

    Args:
        predictions, count, seed: what is drawn from, how many, and the seed of the draw.
        right_if: what makes a drawn prediction a right one, a key of RIGHT_IF.

    Raises:
        InputError: if count is below 1, or right_if is unknown.
    """
    if count < 1:
        raise InputError(f"{argument('num_queries')} must be at least 1; got {count}.")
    if right_if not in RIGHT_IF:
        raise InputError(f"{argument('right_if')} must be one of {', '.join(RIGHT_IF)}; got {short(right_if)}.")
    rows = [
        (place, any(prediction.correct) if right_if == "any" else right)
        for place, prediction in enumerate(predictions)
        for right in prediction.correct
    ]
    drawn = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    kinds = [list(dict.fromkeys(place for place, kind in drawn if kind is right)) for right in (True, False)]
    few, many = sorted(kinds, key=len)
    chosen = list(dict.fromkeys([*few[: count // 2], *many, *few]))[:count]
    return [predictions[i] for i in sorted(chosen)]
