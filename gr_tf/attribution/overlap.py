"""Overlap, a baseline without a model: the examples that have most in common with the query."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.methods import register
from gr_tf.tasks.trained import Trained


@register(
    "overlap",
    kinds=("triples", "sequences"),
    needs="nothing",
    unit="shared elements",
    title="overlap, a baseline that does not look at the model: how much the example shares with the question",
)
class Overlap(Explainer[Any]):
    """Ranks the related training examples by how much they have in common with the query, see Dataset.shared_elements.

    A method that does not beat it has learnt nothing from the model.
    """

    def __init__(self, trained: Trained) -> None:
        self.task, self._parameters = trained.task, trained.parameters

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        found = []
        for query in queries:
            shared = self.task.dataset.shared_elements(query)
            example_ids = np.flatnonzero(shared)
            prediction = float(self.task.value(self._parameters, [query])[0])
            found.append(Influences(example_ids, shared[example_ids].astype(np.float64), prediction))
        return found
