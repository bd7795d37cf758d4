"""What a sequential recommender predicts of a query."""

import numpy as np
import tensorflow as tf

from gr_tf.data.sequences import SequenceQuery
from gr_tf.errors import InputError
from gr_tf.models.sequence_recommender import SequenceParameters, SequenceRecommender


def query_histories(model: SequenceRecommender, query: SequenceQuery) -> np.ndarray:
    """The query's history as the model reads it: [1, length], padded in front.

    Raises:
        InputError: if it is longer than the model's.
    """
    if len(query.history) > model.length:
        raise InputError(f"a history has at most {model.length} items; got {len(query.history)}: leave out the oldest.")
    padding = [0] * (model.length - len(query.history))
    return np.array([[*padding, *query.history]], np.int32)


def next_item_probability(model: SequenceRecommender, parameters: SequenceParameters, query: SequenceQuery) -> float:
    """p(query.target | query.history): the softmax of the logits over all items, without the padding.

    Raises:
        InputError: if the history is longer than the model's.
    """
    arrays = [tf.constant(array.astype(model.dtype)) for array in parameters.arrays]
    logits = model.logits(tf.gather(arrays[0], query_histories(model, query)), arrays[1:])
    return float(tf.nn.softmax(logits[:, 1:])[0, query.target - 1])
