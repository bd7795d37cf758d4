"""The small graph that is cut out of a large one."""

import numpy as np
import pytest

from experiments.small_graph import neighbourhood
from gr_tf.errors import InputError


def test_the_best_connected_entity_comes_next() -> None:
    # 0 has the neighbours 1, 2, and 3; 3 has many others, 1 and 2 know each other.
    edges = np.array([[0, 1], [2, 0], [0, 3], [1, 2], *([3, other] for other in range(4, 30))])
    assert neighbourhood(edges, 0, 3).tolist() == [0, 1, 2]
    # Loops count for nothing, and an edge twice counts once.
    again = np.concatenate([edges, [[3, 3]] * 50, [[0, 3]] * 50])
    assert neighbourhood(again, 0, 3).tolist() == [0, 1, 2]
    assert neighbourhood(edges, 0, 4).tolist() == [0, 1, 2, 3]


def test_entities_that_are_not_connected() -> None:
    with pytest.raises(InputError, match=r"--entities must be at most 2, .* got 3"):
        neighbourhood(np.array([[0, 1], [2, 3]]), 0, 3)
