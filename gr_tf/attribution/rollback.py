"""Gradient Rollback: undo what a training triple did, and see what the model then predicts.

Lawrence et al. (2021), Equation 4 and "Identifying explanations": the influence of d' on the
prediction (s, r, o) is  p(o | s, r; w) - p(o | s, r; w - gamma[d']).
"""

from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.adjacency import AdjacencyIndex
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.base import FactorModel
from gr_tf.models.prediction import tail_probability

# Rolled-back scores computed at once: [this / num_candidates, num_candidates].
_CHUNK_SCORES = 1 << 24


class GradientRollback(Explainer[Query, TripleExplanation]):
    """Explains one trained model by the changes that its training triples caused."""

    def __init__(self, model: FactorModel, table: np.ndarray, deltas: np.ndarray, triples: TripleSet) -> None:
        """
        Args:
            model: what was trained.
            table: [num_rows, width], its parameters.
            deltas: [num_examples, 3, width] of the same epoch, in memory or mapped from disk.
            triples: the dataset it was trained on.
        """
        shape = (triples.num_examples, 3, model.width)
        if deltas.shape != shape:
            raise InputError(f"the rollback store must have shape {shape} for this dataset; got {deltas.shape}.")
        self._model = model
        self._table = tf.constant(table)
        # Columns of the scores are the entities that may be predicted.
        self._columns = model.columns
        self._column_of = np.full(model.num_entities, -1, np.int32)
        self._column_of[self._columns] = np.arange(len(self._columns))
        self._deltas = deltas
        self._triples = triples
        self._adjacency = AdjacencyIndex(triples)
        self._rolled_back = tf.function(
            self._rolled_back_probabilities,
            input_signature=[
                tf.TensorSpec([3], tf.int32),
                tf.TensorSpec([None, 3], tf.int32),
                tf.TensorSpec([None, 3, model.width], self._table.dtype),
            ],
        )

        self._own = tf.function(
            self._before_and_after,
            input_signature=[
                tf.TensorSpec([None, 3], tf.int32),
                tf.TensorSpec([None, 3, model.width], self._table.dtype),
            ],
        )

    def rank(self, query: Query) -> TripleExplanation:
        """Every adjacent training triple, by descending influence."""
        self._triples.check_predictable([query.tail])
        example_ids = self._adjacency.adjacent(query)
        asked = tf.constant([query.head, query.relation, query.tail], tf.int32)
        chunk = max(1, _CHUNK_SCORES // len(self._columns))
        probability, parts = np.nan, []
        for first in range(0, len(example_ids), chunk):
            chosen = example_ids[first : first + chunk]
            before, after = self._rolled_back(asked, self._triples.train[chosen], self._deltas[chosen])
            probability = float(before)
            parts.append(after.numpy())
        if not parts:
            probability = tail_probability(self._model, self._table, query)
        rolled_back = np.concatenate([np.zeros(0, self._table.dtype.as_numpy_dtype), *parts])
        influences = probability - rolled_back
        if not np.isfinite(influences).all():
            bad = example_ids[~np.isfinite(influences)][0]
            raise InputError(f"the influence of example {bad} on {query} is not finite.")
        return TripleExplanation.ranked(query, example_ids, influences, probability, self._triples, rolled_back)

    def query_of(self, example_id: int) -> Query:
        """See Explainer."""
        return self._triples.query_of(example_id)

    def rolled_back_together(self, query: Query, example_ids: np.ndarray) -> float:
        """p(query.tail) with all that some examples did rolled back at once."""
        table = self._table.numpy().copy()
        deltas = np.asarray(self._deltas[example_ids])
        np.subtract.at(table, self._model.rows_of(self._triples.train[example_ids]), deltas)
        return tail_probability(self._model, table, query)

    def self_influence(self, example_ids: np.ndarray) -> np.ndarray:
        """See Explainer; of many examples at once."""
        before, after = self.own_probabilities(example_ids)
        return before - after

    def own_probabilities(self, example_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """p(tail | head, relation) of training triples, and the same with each itself rolled back: [n] and [n].

        Raises:
            InputError: if a tail cannot be predicted.
        """
        examples = self._triples.train[example_ids]
        self._triples.check_predictable(np.unique(examples[:, 2]).tolist())
        chunk = max(1, _CHUNK_SCORES // len(self._columns))
        parts = [
            self._own(examples[first : first + chunk], self._deltas[example_ids[first : first + chunk]])
            for first in range(0, len(examples), chunk)
        ]
        before, after = (np.concatenate([np.zeros(0), *(part[i].numpy() for part in parts)]) for i in range(2))
        return before, after

    def _before_and_after(self, examples: Any, deltas: Any) -> tuple[Any, Any]:
        """p of the tail of each of n examples before, and with it rolled back: [n] and [n]."""
        model, table = self._model, self._table
        heads, relations, tails = tf.unstack(examples, axis=1)
        queries = model.query_vector(tf.gather(table, heads), tf.gather(table, relations + model.num_entities))
        scores = tf.matmul(queries, tf.gather(table, self._columns), transpose_b=True)
        places = tf.gather(self._column_of, tails)
        before = tf.gather(tf.nn.softmax(scores), places, batch_dims=1)
        return before, self._probabilities_without(examples, examples, deltas)

    def _rolled_back_probabilities(self, asked: Any, examples: Any, deltas: Any) -> tuple[Any, Any]:
        """p(tail | head, relation) before, and with each of n examples rolled back.

        Args:
            asked: [3] ids: head, relation, tail.
            examples: [n, 3] ids.
            deltas: [n, 3, width].

        Returns:
            A scalar and [n].
        """
        model, table = self._model, self._table
        head, relation, tail = tf.unstack(asked)
        query = model.query_vector(table[head], table[relation + model.num_entities])
        before = tf.linalg.matvec(tf.gather(table, self._columns), query)
        every = tf.tile(asked[None], [tf.shape(examples)[0], 1])
        after = self._probabilities_without(every, examples, deltas)
        return tf.nn.softmax(before)[tf.gather(self._column_of, tail)], after

    def _probabilities_without(self, asked: Any, examples: Any, deltas: Any) -> Any:
        """p(tail | head, relation) [n] of asked [n, 3], each with one of examples [n, 3] rolled back."""
        model, table = self._model, self._table
        head, relation, tail = tf.unstack(asked, axis=1)
        heads, relations, tails = tf.unstack(examples, axis=1)

        def where(hit: Any, delta: Any) -> Any:
            return tf.where(hit[:, None], delta, tf.zeros_like(delta))

        head_rows = tf.gather(table, head) - where(heads == head, deltas[:, 0]) - where(tails == head, deltas[:, 2])
        relation_rows = tf.gather(table, relation + model.num_entities) - where(relations == relation, deltas[:, 1])
        queries = model.query_vector(head_rows, relation_rows)
        scores = tf.matmul(queries, tf.gather(table, self._columns), transpose_b=True)
        # The example's own entities may be candidates too; each lost its change.
        for entities, delta in ((heads, deltas[:, 0]), (tails, deltas[:, 2])):
            lost = tf.reduce_sum(queries * delta, axis=-1)
            columns = tf.gather(self._column_of, entities)
            rows = tf.cast(tf.where(columns >= 0)[:, 0], tf.int32)
            places = tf.stack([rows, tf.gather(columns, rows)], axis=1)
            scores = tf.tensor_scatter_nd_sub(scores, places, tf.gather(lost, rows))
        own = tf.gather(scores, tf.gather(self._column_of, tail), batch_dims=1)
        return tf.exp(own - tf.reduce_logsumexp(scores, axis=1))
