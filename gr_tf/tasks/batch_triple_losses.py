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
# With at most so many entities, all of them are candidates where they are in training.
_MOST = 2_000


class BatchTripleLosses(TripleLosses):
    """Losses of triples in each direction that they are trained in, with their penalty.

    They are without dropout, label smoothing, and the weights of kvsall. An example is its table rows (head, relation,
    tail, and the inverse relation if there is one), and candidates that both directions share: all entities if there
    are few, or as many as a batch draws. A batch draws them anew in each epoch; here a triple has its own, always the
    same. (Where more entities compete in training than here, these are a sample of them.)
    """

    def __init__(self, model: FactorModel, triples: TripleSet, config: TripleConfig, dtype: str) -> None:
        super().__init__(model, triples, config, dtype)
        self._possible = self._candidates()
        count = len(self._possible)
        all_compete = config.candidates != "drawn" and count <= _MOST
        self._num_candidates = count if all_compete else min(config.num_negatives, count)
        self.lookups = (4 if config.reciprocal else 3) + self._num_candidates

    def _candidates(self) -> np.ndarray:
        """The entities that candidates are drawn from, ascending."""
        return np.arange(self._model.num_entities, dtype=np.int32)

    def batch(self, examples: np.ndarray) -> tuple[np.ndarray, ...]:
        """See ExampleLosses; of triples [n, 3]."""
        rows = self._model.rows_of(examples)
        if self._config.reciprocal:
            rows = np.concatenate([rows, self._model.rows_of(self._model.inverse(examples))[:, 1:2]], axis=1)
        count = len(self._possible)
        if self._num_candidates == count:
            return rows, np.tile(self._possible, (len(examples), 1))
        numbers = _mixed(np.uint64(self._config.negatives_seed) + _mixed(examples[:, :1].astype(np.uint64)))
        for part in (examples[:, 1:2], examples[:, 2:], np.arange(self._num_candidates)[None]):
            numbers = _mixed(numbers + part.astype(np.uint64))
        return rows, self._possible[(numbers % np.uint64(count)).astype(np.int32)]

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
            loss = LOSSES[config.loss](scores)
            if config.loss == "sigmoid":
                # Its mean is over those that are there.
                there = tf.reduce_sum(tf.cast(scores > _NO_SCORE, rows.dtype), axis=1)
                loss *= tf.cast(tf.shape(scores)[1], rows.dtype) / there
            total += loss
            if config.penalty:
                parts = (model.penalty(part, config.penalty_power) for part in (first, between, answer))
                total += config.penalty * sum(parts)
        return total

    @staticmethod
    def _is_query(batch: Batch) -> bool:
        """Whether a batch is of `query`: the rows of all answers, or (head, relation) with them."""
        return len(batch) == 1 or batch[0].shape[1] == 2


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers of 64 bits, well mixed (Steele, Lea, and Flood 2014, SplitMix64)."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
