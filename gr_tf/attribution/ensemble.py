"""What several trainings agree on: explanations averaged over seeds, with their standard error.

One training's leave-one-out effects are mostly its own chance; what an example does on average over trainings is
what can be explained (BUILD_NOTES, "Ground truth").
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.triples import Query
from gr_tf.errors import InputError


class Ensemble(Explainer[Query, TripleExplanation]):
    """Averages the influences that explainers of several trainings give.

    An example that an explainer does not consider has influence 0 there. Influences of one method on differently
    trained models are averaged as they are.
    """

    def __init__(self, explainers: Sequence[Explainer[Query, TripleExplanation]]) -> None:
        """
        Args:
            explainers: of one method, each of another training on the same dataset.

        Raises:
            InputError: if there is none.
        """
        if not explainers:
            raise InputError("an ensemble needs at least one explainer.")
        self._explainers = tuple(explainers)

    def query_of(self, example_id: int) -> Query:
        """See Explainer."""
        return self._explainers[0].query_of(example_id)

    def rank(self, query: Query) -> TripleExplanation:
        """Every training triple that one of them considers; with standard errors if there are two or more."""
        explanations = [explainer.rank(query) for explainer in self._explainers]
        example_ids = np.unique(np.concatenate([explanation.example_ids for explanation in explanations]))
        influences = np.zeros((len(explanations), len(example_ids)))
        rolled_back = np.zeros_like(influences)
        for place, explanation in enumerate(explanations):
            columns = np.searchsorted(example_ids, explanation.example_ids)
            influences[place, columns] = explanation.influences
            rolled_back[place] = explanation.probability
            rolled_back[place, columns] = explanation.rolled_back
        mean = influences.mean(axis=0)
        order = np.argsort(-mean, kind="stable")
        errors = None
        if len(explanations) > 1:
            errors = (influences.std(axis=0, ddof=1) / np.sqrt(len(explanations)))[order]
        return dataclasses.replace(
            explanations[0],
            example_ids=example_ids[order],
            influences=mean[order],
            probability=float(np.mean([explanation.probability for explanation in explanations])),
            rolled_back=rolled_back.mean(axis=0)[order],
            standard_errors=errors,
            num_trainings=len(explanations),
        )
