"""What TracIn needs of a model: the loss of each example, as a function of what it depends on."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.data.negatives import BLOCK_SIZE, draw_candidates
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import Sequences, SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.losses import LOSSES, softmax_loss
from gr_tf.models.base import FactorModel
from gr_tf.models.rating_model import RatingModel, RatingParameters
from gr_tf.models.sequence_recommender import NAMES, SequenceParameters, SequenceRecommender
from gr_tf.training.config import TrainConfig


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

    @classmethod
    def of(cls, parameters: np.ndarray | RatingParameters | SequenceParameters, learning_rate: float) -> "Checkpoint":
        """Of what a trainer gives: a knowledge graph model's table, or the parameters of another model."""
        if isinstance(parameters, RatingParameters):
            return cls(parameters.table, parameters.network, learning_rate)
        if isinstance(parameters, SequenceParameters):
            return cls(parameters.arrays[0], parameters.arrays[1:], learning_rate)
        return cls(parameters, (), learning_rate)


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

    def query_losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """What the proponents of a query lower, [n]; its loss, unless a model has a better answer."""
        return self.losses(rows, shared, batch)


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
    """Squared errors of ratings, without the weight decay; an example is ((user, item), rating)."""

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

    def query_losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """The predictions, negated: a proponent of a prediction raises it, whatever its true rating."""
        return -self._model.predict(rows[:, 0], rows[:, 1], shared)


class TripleLosses(ExampleLosses):
    """Losses of triples among their candidates; an example is ((head, relation), candidates), the tail first.

    A training triple's candidates are those of its steps, the same in every epoch; a query's are all
    entities that may be predicted.
    """

    def __init__(self, model: FactorModel, triples: TripleSet, config: TrainConfig, dtype: str) -> None:
        self._model = model
        self._loss = LOSSES[config.loss]
        self._config = config
        self.train = self.with_candidates(triples.train)
        self.layers = ("table",)
        self.dtype = dtype

    def with_candidates(self, triples: np.ndarray) -> tuple[np.ndarray, ...]:
        """Triples [n, 3] as examples, with candidates drawn as in training."""
        blocks = range(0, len(triples), BLOCK_SIZE)
        config, num_entities = self._config, self._model.num_entities
        drawn = [
            draw_candidates(triples, first, num_entities, config.num_negatives, config.negatives_seed)
            for first in blocks
        ]
        return triples[:, :2], np.concatenate(drawn)

    def query(self, query: Query) -> tuple[np.ndarray, ...]:
        """A query as an example."""
        possible = np.arange(self._model.num_entities) if self._model.candidates is None else self._model.candidates
        others = np.setdiff1d(possible, [query.tail])
        candidates = np.append([query.tail], others).astype(np.int32)[None]
        return np.array([[query.head, query.relation]], np.int32), candidates

    def rows(self, batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return tf.concat([batch[0] + np.array([0, self._model.num_entities], np.int32), batch[1]], axis=1)

    def losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """See ExampleLosses."""
        return self._loss(self._model.score(rows[:, :1], rows[:, 1:2], rows[:, 2:]))

    def query_losses(self, rows: Any, shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        """Minus the log-probabilities of the tails, whatever the training's loss."""
        return softmax_loss(self._model.score(rows[:, :1], rows[:, 1:2], rows[:, 2:]))
