"""Per-example losses over the candidates of a step, never reduced over examples.

Every loss takes scores [..., num_candidates] with the gold tail first and returns [...].
"""

from collections.abc import Callable

from gr_tf.runs.engine import tf
from gr_tf.types import Tensor

Loss = Callable[[Tensor], Tensor]


def softmax_loss(scores: Tensor) -> Tensor:
    """Cross-entropy of the gold tail against all candidates (Lawrence et al. 2021, Eq. 1)."""
    return tf.reduce_logsumexp(scores, axis=-1) - scores[..., 0]


def sigmoid_loss(scores: Tensor) -> Tensor:
    """Mean over candidates of the sigmoid cross-entropy: label 1 for the gold tail, else 0."""
    labels = tf.one_hot(tf.zeros(tf.shape(scores)[:-1], tf.int32), tf.shape(scores)[-1], dtype=scores.dtype)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, scores), axis=-1)


LOSSES: dict[str, Loss] = {"softmax": softmax_loss, "sigmoid": sigmoid_loss}
