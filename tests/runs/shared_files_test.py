"""Values in files that several processes look at: equal, not copied, not writable."""

import mmap
import pickle
from typing import Any

import numpy as np
import pytest

from gr_tf.runs.pools.shared_files import SharedFolder


def test_what_is_shared_arrives_as_it_was() -> None:
    folder = SharedFolder()
    arrays = {"a": np.arange(7, dtype=np.float32), "none": np.zeros((0, 3)), "b": np.arange(4).reshape(2, 2)}
    for value in (arrays, "no array", {"none": np.zeros(0)}):
        shared = pickle.loads(pickle.dumps(folder.share(value)))
        np.testing.assert_equal(shared.value(), value)
        assert shared.value() is shared.value()
    folder.close()
    assert not folder.path.exists()


def test_arrays_are_pages_of_the_file() -> None:
    folder = SharedFolder()
    big = np.arange(100_000.0)
    shared = folder.share({"big": big})
    assert len(pickle.dumps(shared)) < 1_000
    there = shared.value()["big"]
    root: Any = there
    while isinstance(root, np.ndarray | memoryview):
        root = root.base if isinstance(root, np.ndarray) else root.obj
    assert isinstance(root, mmap.mmap)
    with pytest.raises(ValueError, match="read-only"):
        there[0] = 1
    folder.close()
    np.testing.assert_array_equal(there, big)  # Who has it open can go on.
