"""What gradient methods need of a model: the loss of each example, as a function of what it depends on."""

import abc
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.types import Rows, Tensor

# Examples [n]: a tuple of arrays or tensors, [n, ...] each.
Batch = Sequence[Any]


class ExampleLosses(abc.ABC):
    """The losses of a model's examples.

    An example is a row of several arrays, a batch a tuple of them, [n, ...] each.

    Attributes:
        layers: names of the parameters: the table, then the shared arrays.
        trained_layers: of them, those that training moves.
        lookups: how many table rows an example looks up, k of `rows`.
        dtype: of everything it computes.
        dataset: that the examples are of.
    """

    layers: tuple[str, ...]
    lookups: int
    dtype: str

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    @property
    def trained_layers(self) -> tuple[str, ...]:
        """See the class."""
        return self.layers

    @abc.abstractmethod
    def batch(self, examples: Any) -> tuple[np.ndarray, ...]:
        """A split's examples, or some of them, as a batch."""

    @functools.cached_property
    def train(self) -> tuple[np.ndarray, ...]:
        """The training examples, in the order of their ids."""
        return self.batch(self.dataset.train)

    def validation(self) -> tuple[np.ndarray, ...]:
        """The validation examples; perhaps none."""
        return self.batch(self.dataset.valid)

    @abc.abstractmethod
    def query(self, query: Any) -> tuple[np.ndarray, ...]:
        """A query as a batch of one example, for `query_losses`."""

    @abc.abstractmethod
    def rows(self, batch: Batch) -> Tensor:
        """The table rows [n, k] that the examples of a batch depend on."""

    @abc.abstractmethod
    def losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """Losses [n].

        Args:
            rows: [n, k, width], the table at `rows(batch)`.
            shared: the shared arrays.
            batch: the examples.
        """

    def query_losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """What the proponents of a query lower, [n]; its loss, unless a model has a better answer."""
        return self.losses(rows, shared, batch)
