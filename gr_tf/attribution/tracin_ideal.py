"""TracInIdeal: what each step of a training on single examples did to a loss.

Pruthi et al. (2020), Section 3.1: TracInIdeal(z, z') = sum over the steps t on z of
loss(w_t, z') - loss(w_{t+1}, z').
"""

from collections.abc import Sequence

import numpy as np

from gr_tf.runs.engine import tf
from gr_tf.tasks.example_losses import Batch, ExampleLosses
from gr_tf.tasks.trained import Checkpoint
from gr_tf.types import Tensor


def tracin_ideal(losses: ExampleLosses, start: Checkpoint, order: np.ndarray, test: Sequence[np.ndarray]) -> np.ndarray:
    """Trains on one example at a time by plain gradient steps, and watches the loss of another.

    For small sets: the loss is computed after every step.

    Args:
        losses: of the model.
        start: where the training starts; its learning rate is that of all steps.
        order: [steps], example ids, one a step.
        test: one example, whose query_losses is watched.

    Returns:
        [num_train]; positive: its steps lowered the loss.
    """
    arrays = [tf.Variable(array.astype(losses.dtype)) for array in start.parameters.arrays]

    @tf.function(reduce_retracing=True)
    def step(example: Batch) -> None:
        with tf.GradientTape() as tape:
            rows = tf.gather(arrays[0], losses.rows(example))
            loss = losses.losses(rows, [tf.convert_to_tensor(array) for array in arrays[1:]], example)[0]
        gradients = tape.gradient(loss, arrays, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        for array, gradient in zip(arrays, gradients):  # noqa: B905  (autograph)
            array.assign_sub(start.learning_rate * tf.convert_to_tensor(gradient))

    @tf.function(reduce_retracing=True)
    def watched(example: Batch) -> Tensor:
        rows = tf.gather(arrays[0], losses.rows(example))
        return losses.query_losses(rows, [tf.convert_to_tensor(array) for array in arrays[1:]], example)[0]

    tested = [tf.constant(array) for array in test]
    total = np.zeros(len(losses.train[0]))
    before = float(watched(tested))
    for example_id in order:
        step([tf.constant(array[example_id : example_id + 1]) for array in losses.train])
        after = float(watched(tested))
        total[example_id] += before - after
        before = after
    return total
