"""An explanation whose strongest examples are known, and whose others are computed when they are asked for."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

from gr_tf.attribution.base import Explanation
from gr_tf.data.dataset import Dataset
from gr_tf.errors import short
from gr_tf.types import Ids

Q = TypeVar("Q")


class LazyExplanation(Explanation[Q], Generic[Q]):
    """An Explanation by one training, all of whose examples are ranked when they are first asked for.

    Attributes: see Explanation.
    """

    def __init__(self, known: Explanation[Q], k: int, count: int, rank: Callable[[], Explanation[Q]]) -> None:
        """
        Args:
            known: some of the examples, among which are those of Explanation.strongest.
            k: how many of these in either direction.
            count: of all examples.
            rank: computes the whole explanation.
        """
        told = {"query": known.query, "prediction": known.prediction, "dataset": known.dataset}
        # The base is a frozen dataclass, whose other fields have their defaults, or are the properties below.
        vars(self).update(told, _known=known, _k=k, _count=count, _rank=rank, _ranked=None)

    query: Q
    prediction: float
    dataset: Dataset
    _known: Explanation[Q]
    _k: int
    _count: int
    _rank: Callable[[], Explanation[Q]]
    _ranked: Explanation[Q] | None

    def __repr__(self) -> str:
        return f"Explanation({short(self.query)}; {self._count:,} examples, prediction {self.prediction:.4g})"

    @property
    def whole(self) -> Explanation[Q]:
        """All examples, computed once."""
        if self._ranked is None:
            vars(self)["_ranked"] = self._rank()
        assert self._ranked is not None
        return self._ranked

    @property
    def example_ids(self) -> Ids:
        """See Explanation."""
        return self.whole.example_ids

    @property
    def influences(self) -> np.ndarray:
        """See Explanation."""
        return self.whole.influences

    @property
    def without(self) -> np.ndarray:
        """See Explanation."""
        return self.whole.without

    def only(self, chosen: slice | np.ndarray) -> Explanation[Q]:
        """See Explanation."""
        return self.whole.only(chosen)

    def strongest(self, k: int) -> Explanation[Q]:
        """See Explanation."""
        return self._known.strongest(k) if k <= self._k else self.whole.strongest(k)

    def __reduce__(self) -> Any:
        return self.whole.__reduce__()
