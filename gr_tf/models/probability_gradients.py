"""The derivatives of the probabilities of answers by all rows of a table."""

from collections.abc import Sequence

import numpy as np

from gr_tf.data.triples import TAIL, Query
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.places import alternatives
from gr_tf.runs.engine import tf
from gr_tf.types import Tensor


def probability_gradients(model: FactorModel, table: Tensor, queries: Sequence[Query]) -> Tensor:
    """[num_rows, n, width]: the derivatives of the probabilities of n queries' answers."""
    tails = [place for place, query in enumerate(queries) if query.place == TAIL]
    others = [place for place, query in enumerate(queries) if query.place != TAIL]
    if not others:
        return _tail_gradients(model, table, queries)
    parts = [_gradient_at(model, table, queries[place])[:, None] for place in others]
    if tails:
        parts.append(_tail_gradients(model, table, [queries[place] for place in tails]))
    return tf.gather(tf.concat(parts, axis=1), np.argsort([*others, *tails]), axis=1)


def _gradient_at(model: FactorModel, table: Tensor, query: Query) -> Tensor:
    """[num_rows, width]: the derivatives of the probability of a query for a head or a relation."""
    heads, relations, tails = alternatives(model, query.triple, query.place).T
    with tf.GradientTape() as tape:
        tape.watch(table)
        scores = model.score(tf.gather(table, heads), tf.gather(table, relations), tf.gather(table, tails))
        probability = tf.nn.softmax(scores)[0]
    return tf.convert_to_tensor(tape.gradient(probability, table))


def _tail_gradients(model: FactorModel, table: Tensor, queries: Sequence[Query]) -> Tensor:
    """The same [num_rows, n, width] of n queries for tails."""
    asked = np.array([[query.head, query.relation, query.tail] for query in queries])
    tables = tf.Variable(tf.tile(table[None], [len(asked), 1, 1]))
    everyone = np.arange(len(asked))
    with tf.GradientTape() as tape:
        heads = tf.gather_nd(tables, np.stack([everyone, asked[:, 0]], axis=1))
        relations = tf.gather_nd(tables, np.stack([everyone, asked[:, 1] + model.num_entities], axis=1))
        tails = tf.gather_nd(tables, np.stack([everyone, asked[:, 2]], axis=1))
        scores = model.scores_of_one(heads, relations, tf.gather(tables, model.columns, axis=1))
        probabilities = tf.exp(model.score(heads, relations, tails) - tf.reduce_logsumexp(scores, axis=1))
    return tf.transpose(tf.convert_to_tensor(tape.gradient(probabilities, tables)), [1, 0, 2])
