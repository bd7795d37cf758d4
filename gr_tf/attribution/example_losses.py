"""What TracIn needs of a model: the loss of each example, as a function of what it depends on."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import Sequences, SequenceSet
from gr_tf.models.rating_model import RatingModel
from gr_tf.models.sequence_recommender import NAMES, SequenceRecommender


@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """Parameters at one time of a training.

    Attributes:
        table: [num_rows, width], of which each example depends on a few rows.
        shared: the arrays that all examples depend on.
        learning_rate: at that time.
    """

    table: np.ndarray
    shared: tuple[np.ndarray, ...]
    learning_rate: float


class ExampleLosses(abc.ABC):
    """The losses of a model's examples.

    An example is a row of several arrays, a batch a tuple of them, [n, ...] each.

    Attributes:
        train: the training examples, in the order of their ids.
        layers: names of what TracIn looks at: the table, then the shared arrays.
        dtype: of everything it computes.
    """

    train: tuple[np.ndarray, ...]
    layers: tuple[str, ...]
    dtype: str

    @abc.abstractmethod
    def rows(self, batch: Sequence[Any]) -> Any:
        """The table rows [n, k] that the examples of a batch depend on."""

    @abc.abstractmethod
    def losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """Losses [n].

        Args:
            rows: [n, k, width], the table at `rows(batch)`.
            shared: the shared arrays.
            batch: the examples.
        """


class SequenceLosses(ExampleLosses):
    """Cross-entropies of next items; an example is (history, target)."""

    def __init__(self, model: SequenceRecommender, sequences: SequenceSet) -> None:
        self._model = model
        self.train = self.batch(sequences.train)
        self.layers = NAMES
        self.dtype = model.dtype

    @staticmethod
    def batch(sequences: Sequences) -> tuple[np.ndarray, ...]:
        """Sequences as examples."""
        return sequences.histories, sequences.targets

    def rows(self, batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return batch[0]

    def losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return self._model.losses(rows, shared, batch[1])


class RatingLosses(ExampleLosses):
    """Squared errors of ratings, without the weight decay; an example is (user, item, rating)."""

    def __init__(self, model: RatingModel, ratings: RatingSet) -> None:
        self._model = model
        self.train = (ratings.train.pairs, ratings.train.values.astype(model.dtype))
        self.layers = ("table", *(f"network_{i}" for i in range(len(model.network_penalty))))
        self.dtype = model.dtype

    def rows(self, batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return batch[0] + np.array([0, self._model.num_users], np.int32)

    def losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return tf.square(self._model.predict(rows[:, 0], rows[:, 1], shared) - batch[1])
