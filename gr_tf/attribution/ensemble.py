"""Ensembles of explainers: influences averaged over trainings, with their standard errors.

The leave-one-out effects in one training are mostly chance. What can be explained is what an example does on average
over trainings (BUILD_NOTES, "Ground truth").
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Explanation, Influences, counted
from gr_tf.errors import InputError
from gr_tf.types import Ids


class Ensemble(Explainer[Any]):
    """Averages the influences that explainers of several trainings give.

    An example that an explainer does not consider has influence 0 there. Influences of one method on differently
    trained models are averaged as they are.
    """

    def __init__(self, explainers: Sequence[Explainer[Any]]) -> None:
        """
        Args:
            explainers: of one method, each of another training on the same dataset.

        Raises:
            InputError: if there is none.
        """
        if not explainers:
            raise InputError("an ensemble needs at least one explainer.")
        self._explainers = tuple(explainers)
        self.task = self._explainers[0].task

    def of_each(self, change: Callable[[Explainer[Any]], Explainer[Any]]) -> "Ensemble":
        """The ensemble of what is made of each explainer."""
        return Ensemble(list(map(change, self._explainers)))

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer; with standard errors if there are two trainings or more."""
        by_explainer = [explainer.influences(queries) for explainer in self._explainers]
        return [_averaged(found) for found in zip(*by_explainer, strict=True)]

    def change_without(self, explanation: Explanation[Any], example_ids: Ids) -> float:
        """See Explainer; the mean over the trainings."""
        return float(np.mean([one.change_without(explanation, example_ids) for one in self._explainers]))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The explainers' warnings, each with the number of trainings that give it."""
        told = (warning for explainer in self._explainers for warning in explainer.warnings)
        return counted(told, len(self._explainers), "trainings")


def _averaged(found: Sequence[Influences]) -> Influences:
    example_ids = np.unique(np.concatenate([one.example_ids for one in found]))
    count = len(found)
    values = np.zeros((count, len(example_ids)))
    without = np.full((count, len(example_ids)), np.nan)
    for row, row_without, one in zip(values, without, found, strict=True):
        places = np.searchsorted(example_ids, one.example_ids)
        row[places] = one.values
        if one.without is not None:
            # Rolled back, an example that is not considered changes nothing.
            row_without[:] = one.prediction
            row_without[places] = one.without
    mean = values.mean(axis=0)
    return Influences(
        example_ids,
        mean,
        float(np.mean([one.prediction for one in found])),
        without=without.mean(axis=0),
        systems=tuple(told for one in found for told in one.systems),
        standard_errors=values.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else None,
        agreeing=(np.sign(values) == np.sign(mean)).sum(axis=0) if count > 1 else None,
        num_trainings=count,
        warnings=counted((warning for one in found for warning in one.warnings), count, "trainings"),
    )
