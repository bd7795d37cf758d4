"""The losses of triples, as functions of the table rows that they depend on."""

from collections.abc import Sequence

import numpy as np

from gr_tf.data.negatives import BLOCK_SIZE, draw_candidates
from gr_tf.data.triples import TAIL, Query, TripleSet
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.places import alternatives
from gr_tf.runs.engine import tf
from gr_tf.tasks.example_losses import Batch, ExampleLosses
from gr_tf.training.losses import LOSSES, softmax_loss
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Rows, Tensor


class TripleLosses(ExampleLosses):
    """Losses of triples among their candidates; an example is ((head, relation), candidates), the tail first.

    A training triple's candidates are those of its steps, the same in every epoch; a query's are all
    entities that may be predicted. A query for another place is the table rows [c, 3] of its triple with every answer,
    its own first.
    """

    def __init__(self, model: FactorModel, triples: TripleSet, config: TripleConfig, dtype: str) -> None:
        super().__init__(triples)
        self._model, self._config = model, config
        self._loss = LOSSES[config.loss]
        self.layers = ("table",)
        self.lookups = config.num_negatives + 3
        self.dtype = dtype

    def batch(self, examples: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ExampleLosses; of triples [n, 3], with candidates drawn as in training."""
        config, num_entities = self._config, self._model.num_entities
        drawn = [
            draw_candidates(examples, first, num_entities, config.num_negatives, config.negatives_seed)
            for first in range(0, len(examples), BLOCK_SIZE)
        ]
        return examples[:, :2], np.concatenate(drawn)

    def query(self, query: Query) -> tuple[np.ndarray, ...]:
        """See ExampleLosses.

        Raises:
            InputError: if the tail cannot be predicted.
        """
        self.dataset.check_queries([query])
        if query.place != TAIL:
            return (alternatives(self._model, query.triple, query.place)[None].astype(np.int32),)
        candidates = np.append([query.tail], np.setdiff1d(self._model.columns, [query.tail])).astype(np.int32)[None]
        return np.array([[query.head, query.relation]], np.int32), candidates

    def rows(self, batch: Batch) -> Tensor:
        """See ExampleLosses."""
        if len(batch) == 1:
            return tf.reshape(batch[0], [tf.shape(batch[0])[0], -1])
        return tf.concat([batch[0] + np.array([0, self._model.num_entities], np.int32), batch[1]], axis=1)

    def losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """See ExampleLosses."""
        return self._loss(self._model.score(rows[:, :1], rows[:, 1:2], rows[:, 2:]))

    def query_losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """Minus the log-probabilities of the answers, whatever the training's loss."""
        if len(batch) == 1:
            return softmax_loss(self._model.score(rows[:, ::3], rows[:, 1::3], rows[:, 2::3]))
        return softmax_loss(self._model.score(rows[:, :1], rows[:, 1:2], rows[:, 2:]))
