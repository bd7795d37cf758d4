"""The losses of triples that were trained in batches, as functions of the table rows that they depend on."""

from collections.abc import Sequence

import numpy as np

from gr_tf.data.triples import TripleSet
from gr_tf.models.factor_model import FactorModel
from gr_tf.runs.engine import tf
from gr_tf.tasks.example_losses import Batch
from gr_tf.tasks.triple_losses import TripleLosses
from gr_tf.training.losses import LOSSES
from gr_tf.training.triple_config import TripleConfig
from gr_tf.types import Rows, Tensor

# The score of a candidate that is the answer itself, which counts for nothing.
_NO_SCORE = -1e9


class BatchTripleLosses(TripleLosses):
    """Losses of triples in each direction that they are trained in, with their penalty.

    They are without dropout, label smoothing, and the weights of kvsall. An example is its table rows (head, relation,
    tail, and the inverse relation if there is one), and candidates that both directions share. In training a batch
    draws its candidates anew in each epoch; here each triple has its own, num_negatives of them, always the same.
    """

    def __init__(self, model: FactorModel, triples: TripleSet, config: TripleConfig, dtype: str) -> None:
        super().__init__(model, triples, config, dtype)
        self.lookups = (4 if config.reciprocal else 3) + min(config.num_negatives, model.num_entities)

    def batch(self, examples: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ExampleLosses; of triples [n, 3]."""
        rows = self._model.rows_of(examples)
        if self._config.reciprocal:
            rows = np.concatenate([rows, self._model.rows_of(self._model.inverse(examples))[:, 1:2]], axis=1)
        num_entities = self._model.num_entities
        if self._config.num_negatives >= num_entities:
            return rows, np.tile(np.arange(num_entities, dtype=np.int32), (len(examples), 1))
        generator = np.random.default_rng(self._config.negatives_seed)
        drawn = generator.integers(num_entities, size=(len(examples), self._config.num_negatives), dtype=np.int32)
        return rows, drawn

    def rows(self, batch: Batch) -> Tensor:
        """See ExampleLosses."""
        return super().rows(batch) if self._is_query(batch) else tf.concat(batch, axis=1)

    def losses(self, rows: Rows, shared: Sequence[Tensor], batch: Batch) -> Tensor:
        """See ExampleLosses."""
        ids, candidate_ids = batch
        count = 4 if self._config.reciprocal else 3
        head, relation, tail = rows[:, 0], rows[:, 1], rows[:, 2]
        asked = [(head, relation, tail, ids[:, 2:3]), (tail, rows[:, 3], head, ids[:, :1])][: count - 2]
        candidates, model, config = rows[:, count:], self._model, self._config
        total = tf.zeros(tf.shape(rows)[:1], rows.dtype)
        for first, between, answer, answer_id in asked:
            others = model.scores_of_one(first, between, candidates)
            others = tf.where(candidate_ids == answer_id, tf.constant(_NO_SCORE, rows.dtype), others)
            scores = tf.concat([model.score(first, between, answer)[:, None], others], axis=1)
            total += LOSSES[config.loss](scores)
            if config.penalty:
                parts = (model.penalty(part, config.penalty_power) for part in (first, between, answer))
                total += config.penalty * sum(parts)
        return total

    @staticmethod
    def _is_query(batch: Batch) -> bool:
        """Whether a batch is of `query`: the rows of all answers, or (head, relation) with them."""
        return len(batch) == 1 or batch[0].shape[1] == 2
