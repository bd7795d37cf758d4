"""Training curves for TensorBoard."""

import pathlib

import tensorflow as tf

from gr_tf.training.trainer import EpochMetrics


class EpochCurves:
    """Writes each epoch's metrics as TensorBoard scalars."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def __call__(self, metrics: EpochMetrics) -> None:
        """Writes one epoch."""
        with self._writer.as_default(step=metrics.epoch):
            tf.summary.scalar("train/loss", metrics.loss)
            tf.summary.scalar("train/lipschitz", metrics.lipschitz)
            if metrics.validation_mrr is not None:
                tf.summary.scalar("validation/filtered_mrr", metrics.validation_mrr)
        self._writer.flush()
