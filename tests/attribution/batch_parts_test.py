"""Batches in parts of one size."""

import numpy as np
import pytest

from gr_tf.attribution.example_gradients import batch_parts


@pytest.mark.parametrize(
    ("size", "fill", "parts"),
    [
        (256, None, [[7, 8, 9, 10, 11, 7, 7, 7]]),
        (256, -1, [[7, 8, 9, 10, 11, -1, -1, -1]]),
        (4, None, [[7, 8, 9, 10], [11, 7, 7, 7]]),
    ],
)
def test_parts(size: int, fill: float | None, parts: list[list[int]]) -> None:
    """The last one is filled up; a small batch has one part, of the next power of two."""
    found = [array.numpy().tolist() for (array,) in batch_parts([np.arange(7, 12)], size, fill)]
    assert found == parts


def test_one_example_is_a_part_of_one() -> None:
    assert [array.shape for (array,) in batch_parts([np.zeros((1, 3))], 256)] == [(1, 3)]
