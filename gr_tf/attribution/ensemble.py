"""What several trainings agree on: explanations averaged over seeds, with their standard error.

One training's leave-one-out effects are mostly its own chance; what an example does on average over trainings is
what can be explained (BUILD_NOTES, "Ground truth").
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from gr_tf.attribution.base import Asked, Explained, Explainer
from gr_tf.errors import InputError


class Ensemble(Explainer[Asked, Explained]):
    """Averages the influences that explainers of several trainings give.

    An example that an explainer does not consider has influence 0 there. Influences of one method on differently
    trained models are averaged as they are.
    """

    def __init__(self, explainers: Sequence[Explainer[Asked, Explained]]) -> None:
        """
        Args:
            explainers: of one method, each of another training on the same dataset.

        Raises:
            InputError: if there is none.
        """
        if not explainers:
            raise InputError("an ensemble needs at least one explainer.")
        self._explainers = tuple(explainers)

    def query_of(self, example_id: int) -> Asked:
        """See Explainer."""
        return self._explainers[0].query_of(example_id)

    def rank(self, query: Asked) -> Explained:
        """Every training example that one of them considers; with standard errors if there are two or more."""
        explanations = [explainer.rank(query) for explainer in self._explainers]
        example_ids = np.unique(np.concatenate([explanation.example_ids for explanation in explanations]))
        explanations = [explanation.considering(example_ids) for explanation in explanations]
        influences = np.stack([explanation.influences for explanation in explanations])
        count = len(explanations)
        mean = dataclasses.replace(
            explanations[0],
            **explanations[0].means(explanations),
            influences=influences.mean(axis=0),
            standard_errors=influences.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else None,
            num_trainings=count,
        )
        return mean.only(np.argsort(-mean.influences, kind="stable"))
