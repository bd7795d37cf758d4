"""What a method of one's own may return, and what is refused at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gr_tf.attribution.base import Influences
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.errors import InputError
from gr_tf.runs.engine import tf
from gr_tf.tasks.trained import Trained


@pytest.mark.parametrize(
    ("ids", "values", "told"),
    [
        (np.arange(3), np.ones(2), r"as many values; got shapes \(3,\) and \(2,\)"),
        (np.arange(3), np.ones((3, 1)), r"as many values; got shapes \(3,\) and \(3, 1\)"),
        (np.array([4, 2, 1]), np.ones(3), r"ascending, each once; got array\(\[4, 2, 1\]\)"),
        (np.zeros(3, np.int32), np.ones(3), r"ascending, each once; got array\(\[0, 0, 0\], dtype=int32\)"),
        (np.arange(-1, 2), np.ones(3), r"from 0 on, ascending, each once; got array\(\[-1,  0,  1\]\)"),
        (np.arange(3.0), np.ones(3), r"got array\(\[0\., 1\., 2\.\]\)"),
    ],
)
def test_influences_are_of_ascending_examples(ids: Any, values: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Influences(ids, values, 0.5)


def test_influences_may_be_lists_and_tensors() -> None:
    found: Any = Influences([1, 3], tf.constant([0.5, -1.0]), 0.5)  # type: ignore[arg-type]
    assert (found.example_ids.tolist(), found.values.tolist(), found.values.dtype) == ([1, 3], [0.5, -1.0], np.float64)


def test_a_method_that_names_what_is_not_there(trained: Trained) -> None:
    class Own(GradientRollback):
        last = trained.task.num_examples

        def influences(self, queries: Sequence[Any]) -> list[Influences]:
            return [Influences(np.array([self.last]), np.ones(1), 0.5)]

    method, query = Own(trained), trained.task.query_of(0)
    for ask in (lambda: method.explain(query), lambda: method.matrix([query])):
        with pytest.raises(InputError, match=f"Own: an influence of training example {Own.last}; there are {Own.last}"):
            ask()
    with pytest.raises(InputError, match="Own: influences of 1 queries, not of 2"):
        method.rank_many([query, query])
