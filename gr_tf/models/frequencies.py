"""How often each entity is a relation's tail: the prediction that needs no model."""

import numpy as np

from gr_tf.models.factor_model import FactorModel
from gr_tf.runs.engine import scipy
from gr_tf.types import Ids


def tail_frequencies(model: FactorModel, train: np.ndarray, heads: Ids, relations: Ids) -> np.ndarray:
    """How often [n, num_entities] each entity is a relation's tail in training; -1 if it cannot be predicted.

    Args:
        model: says which entities may be predicted.
        train: training triples [num_triples, 3]; with reciprocal relations in both directions.
        heads, relations: of n questions.
    """
    _, of_relation, tails = train.T
    shape = model.num_rows - model.num_entities, model.num_entities
    counts = scipy.sparse.csr_array((np.ones(len(tails), np.float32), (of_relation, tails)), shape)
    found: np.ndarray = counts[relations].toarray()
    impossible = np.setdiff1d(np.arange(shape[1]), model.columns)
    found[np.ix_(relations < model.num_relations, impossible)] = -1
    return found
