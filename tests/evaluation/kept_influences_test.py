"""What cannot be explained is told of its own query, and the others are not explained one by one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.errors import InputError
from gr_tf.evaluation.kept_influences import _each


class _Choosy(Explainer[int]):
    """Refuses two numbers, and with them whatever is asked together."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def influences(self, queries: Sequence[int]) -> list[Influences]:
        self.asked.append(len(queries))
        for query in queries:
            if query in (5, 6):
                raise InputError(f"{query} cannot be explained.")
        return [Influences(np.arange(1), np.ones(1), float(query)) for query in queries]


def _told(found: Any) -> list[Any]:
    return [str(one) if isinstance(one, InputError) else one.prediction for one in found]


def test_each_query_has_its_own_answer() -> None:
    choosy = _Choosy()
    wanted = [0.0, 1.0, 2.0, 3.0, 4.0, "5 cannot be explained.", "6 cannot be explained.", 7.0]
    assert _told(_each(choosy, range(8))) == wanted
    assert choosy.asked == [8, 4, 4, 2, 1, 1, 2, 1, 1]
    choosy.asked.clear()
    assert _told(_each(choosy, range(4))) == wanted[:4]
    assert choosy.asked == [4]
