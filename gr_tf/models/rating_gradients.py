"""The derivatives of predicted ratings by all parameters."""

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.models.rating_model import RatingModel
from gr_tf.runs.engine import tf
from gr_tf.types import Tensor


def rating_gradients(model: RatingModel, parameters: Parameters, pairs: np.ndarray) -> list[Tensor]:
    """The derivatives of the predictions of (user, item) pairs [n, 2] by each array, [n, *shape] each."""
    table, *network = (tf.constant(array.astype(model.dtype)) for array in parameters.arrays)
    found: list[list[Tensor]] = []
    for rows in model.rows_of(pairs):
        with tf.GradientTape() as tape:
            tape.watch([table, network])
            predicted = model.predict(tf.gather(table, rows[:1]), tf.gather(table, rows[1:]), network)
        of_table, of_network = tape.gradient(predicted, [table, network])
        found.append([tf.convert_to_tensor(of_table), *of_network])
    return [tf.stack(parts) for parts in zip(*found, strict=True)]
