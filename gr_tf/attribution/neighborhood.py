"""NH (neighborhood), the paper's baseline: random training examples that share something with the query."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.methods import register
from gr_tf.data.dataset import numbers_of
from gr_tf.tasks.trained import Trained


@register(
    "nh",
    kinds=("triples", "ratings", "sequences"),
    needs="nothing",
    unit="none; it is random",
    title="NH (neighborhood), no explanation but the baseline: random examples that share something with the question",
)
class Neighborhood(Explainer[Any]):
    """Ranks the related training examples at random (Lawrence et al. 2021, NH-k).

    The influences are random numbers in [0, 1), drawn anew for each query from the seed and
    the query, so that the order of asking does not matter.
    """

    def __init__(self, trained: Trained, seed: int | None = None) -> None:
        """
        Args:
            trained: the model.
            seed: of the order; default: the training's.
        """
        self.task, self._parameters = trained.task, trained.parameters
        self._seed = trained.task.config.seed if seed is None else seed

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        found = []
        for query in queries:
            example_ids = self.task.related(query)
            drawn = np.random.default_rng([self._seed, *numbers_of(query)]).random(len(example_ids))
            found.append(Influences(example_ids, drawn, float(self.task.value(self._parameters, [query])[0])))
        return found
