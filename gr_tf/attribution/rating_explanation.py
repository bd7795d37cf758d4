"""Why a model predicted a rating."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.attribution.base import Explanation, checked_k
from gr_tf.attribution.hessian import Diagnostics
from gr_tf.data.ratings import RatingQuery, RatingSet


@dataclasses.dataclass(frozen=True, eq=False)
class RatingExplanation(Explanation[RatingQuery]):
    """Training ratings that made the model predict a rating, the most influential first.

    An influence is in stars: the estimated fall of the prediction if the rating were removed. (RatingRollback's only
    rank: see there.)

    Attributes:
        prediction: the predicted rating.
        ratings: the dataset.
        systems: how each of the method's systems was solved, the network's part last; empty if it has none.
        frame: the same by name: user, item, title, rating, influence, prediction,
            prediction_without, example_id.
    """

    prediction: float
    ratings: RatingSet = dataclasses.field(repr=False)
    systems: tuple[Diagnostics, ...] = ()

    @property
    def diagnostics(self) -> Diagnostics:
        """How the method's first system was solved."""
        return self.systems[0]

    @property
    def frame(self) -> pd.DataFrame:
        """The explanation as a table."""
        frame = self.ratings.names(self.ratings.train.only(self.example_ids))
        return self._with_errors(
            frame.assign(
                influence=self.influences,
                prediction=self.prediction,
                prediction_without=self.prediction - self.influences,
                example_id=self.example_ids,
            )
        )

    @classmethod
    def means(cls, explanations: Sequence["RatingExplanation"]) -> dict[str, Any]:
        """See Explanation; all of their systems."""
        return {
            "prediction": float(np.mean([explanation.prediction for explanation in explanations])),
            "systems": tuple(told for explanation in explanations for told in explanation.systems),
        }

    def by_size(self) -> "RatingExplanation":
        """The same by descending |influence|, equals by example id."""
        return self.only(np.lexsort((self.example_ids, -np.abs(self.influences))))

    def item_based(self, k: int | None = None) -> "RatingExplanation":
        """The k most influential ratings of the query's user, by |influence|; None: all of them.

        The item-based neighbour-style explanation of Cheng et al. (2019), Section 4.3.

        Raises:
            InputError: if k is below 1.
        """
        return self._of(0, self.query.user, k)

    def user_based(self, k: int | None = None) -> "RatingExplanation":
        """The same of the query's item: the user-based neighbour-style explanation."""
        return self._of(1, self.query.item, k)

    def _of(self, column: int, value: int, k: int | None) -> "RatingExplanation":
        own = self.only(self.ratings.train.pairs[self.example_ids, column] == value)
        return own.by_size().only(slice(k if k is None else checked_k(k)))
