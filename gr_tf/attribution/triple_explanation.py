"""Why a model of triples predicted a tail."""

import dataclasses

import numpy as np
import pandas as pd

from gr_tf.attribution.base import Explanation
from gr_tf.data.triples import Query, TripleSet


@dataclasses.dataclass(frozen=True, eq=False)
class TripleExplanation(Explanation[Query]):
    """Training triples that made the model predict query.tail, the most influential first.

    Attributes:
        probability: p of query.tail under the trained model.
        rolled_back: [k], p of query.tail without the example, as far as the method estimates it;
            NaN where it does not.
        triples: the dataset.
        frame: the same by name: head, relation, tail, influence, p, p_rolled_back, example_id.
        labeled_frame: with labels for names, where the dataset has them.
    """

    probability: float
    rolled_back: np.ndarray
    triples: TripleSet = dataclasses.field(repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """The explanation as a table."""
        frame = self.triples.train_frame.iloc[self.example_ids].reset_index(drop=True)
        return frame.assign(
            influence=self.influences,
            p=self.probability,
            p_rolled_back=self.rolled_back,
            example_id=self.example_ids,
        )

    @property
    def labeled_frame(self) -> pd.DataFrame:
        """The explanation as a table for people."""
        frame = self.frame
        return frame.assign(
            **{column: frame[column].map(self.triples.label) for column in ("head", "relation", "tail")}
        )

    def with_same_tail(self) -> "TripleExplanation":
        """The examples whose tail is the query's: GR-O of Lawrence et al. (2021), Table 2."""
        return self.only(self.triples.train[self.example_ids, 2] == self.query.tail)

    def only(self, chosen: slice | np.ndarray) -> "TripleExplanation":
        """See Explanation."""
        return dataclasses.replace(super().only(chosen), rolled_back=self.rolled_back[chosen])
