"""The steps of choices: batches of triples in which items compete with items."""

import functools

import numpy as np

from gr_tf.training.batch_triple_steps import BatchTripleSteps


class ChoiceSteps(BatchTripleSteps):
    """As of triples; a choice competes with items that somebody chose in training, never with users."""

    @functools.cached_property
    def _possible(self) -> np.ndarray:
        """See BatchTripleSteps."""
        return self._model.columns.astype(np.int32)
