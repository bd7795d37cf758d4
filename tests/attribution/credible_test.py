"""How far back through a training derivatives are believed."""

from collections.abc import Iterator

import numpy as np
import pytest

from gr_tf.attribution.credible import credible_sums, spread


def test_the_spread_is_that_of_random_halves() -> None:
    generator = np.random.default_rng(0)
    influences = generator.normal(size=(2, 40)) * [[1.0], [3.0]]
    inside = generator.random((100_000, 40)) < 0.5
    np.testing.assert_allclose(spread(influences), (inside @ influences.T).std(axis=0), rtol=0.01)


def test_sums_end_where_they_are_no_longer_credible() -> None:
    """Of three predictions one goes back to the beginning, one to the last but one, one keeps the last epoch only."""
    sizes = np.array(
        [[0.1, 0.1, 9.0], [0.1, 0.1, 0.1], [0.1, 5.0, 0.1]]
    )  # of the last epoch, the one before, the first
    parts = [np.full((3, 4), size[:, None]) for size in sizes]
    taken: list[int] = []

    def lazily(of: list[np.ndarray]) -> Iterator[np.ndarray]:
        for number, part in enumerate(of):
            taken.append(number)
            yield part

    sums, depths = credible_sums(lazily(parts), np.ones(3))
    np.testing.assert_allclose(sums[:, 0], [0.3, 0.2, 9.0])
    assert depths.tolist() == [3, 2, 1]
    assert taken == [0, 1, 2]
    # Nor beyond what is not even finite, without a word of NumPy.
    with np.errstate(all="raise"):
        for large in (1e200, np.inf, np.nan):
            sums, depths = credible_sums([parts[0], np.full((3, 4), large), parts[2]], np.ones(3))
            np.testing.assert_array_equal(sums, parts[0])
            assert depths.tolist() == [1, 1, 1]
    # What nobody believes is not computed.
    taken.clear()
    sums, depths = credible_sums(lazily(parts), np.full(3, 0.1))
    np.testing.assert_allclose(sums, parts[0])
    assert (depths.tolist(), taken) == ([1, 1, 1], [0, 1])
    with pytest.raises(ValueError, match="no epoch"):
        credible_sums([], np.ones(3))
