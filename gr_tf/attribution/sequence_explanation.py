"""Why a sequential recommender predicted an item."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.attribution.base import Explanation
from gr_tf.data.sequences import SequenceQuery, SequenceSet


@dataclasses.dataclass(frozen=True, eq=False)
class SequenceExplanation(Explanation[SequenceQuery]):
    """Training sequences that made the model predict query.target, the most influential first.

    Attributes:
        probability: of query.target among all items.
        sequences: the dataset.
        frame: the same by name: user, title of the choice, before, influence, example_id.
    """

    probability: float
    sequences: SequenceSet = dataclasses.field(repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """The explanation as a table."""
        frame = self.sequences.train_frame.iloc[self.example_ids].reset_index(drop=True)
        return self._with_errors(frame.assign(influence=self.influences, example_id=self.example_ids))

    @classmethod
    def means(cls, explanations: Sequence["SequenceExplanation"]) -> dict[str, Any]:
        """See Explanation."""
        return {"probability": float(np.mean([explanation.probability for explanation in explanations]))}

    def opponents(self) -> "SequenceExplanation":
        """Those of negative influence, the most negative first."""
        reverse = self.only(np.arange(len(self.influences))[::-1])
        return reverse.only(reverse.influences < 0)
