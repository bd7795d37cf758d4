"""Why a model of triples predicted a tail."""

import dataclasses
from collections.abc import Sequence
from typing import Any

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

    @classmethod
    def ranked(
        cls,
        query: Query,
        example_ids: np.ndarray,
        influences: np.ndarray,
        probability: float,
        triples: TripleSet,
        rolled_back: np.ndarray | None = None,
    ) -> "TripleExplanation":
        """By descending influence, equals by example id.

        Args:
            query, probability, triples: see the class.
            example_ids: [k], ascending.
            influences: [k], of these examples.
            rolled_back: [k], see the class; None: the method does not estimate it.
        """
        order = np.argsort(-influences, kind="stable")
        after = np.full(len(order), np.nan) if rolled_back is None else rolled_back[order]
        return cls(query, example_ids[order], influences[order], probability, after, triples)

    @property
    def frame(self) -> pd.DataFrame:
        """The explanation as a table."""
        frame = self.triples.train_frame.iloc[self.example_ids].reset_index(drop=True)
        return self._with_errors(
            frame.assign(
                influence=self.influences,
                p=self.probability,
                p_rolled_back=self.rolled_back,
                example_id=self.example_ids,
            )
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

    def considering(self, example_ids: np.ndarray) -> "TripleExplanation":
        """See Explanation; rolled back, an example that it does not consider changes nothing."""
        rolled_back = np.full(len(example_ids), self.probability)
        rolled_back[np.searchsorted(example_ids, self.example_ids)] = self.rolled_back
        return dataclasses.replace(super().considering(example_ids), rolled_back=rolled_back)

    @classmethod
    def means(cls, explanations: Sequence["TripleExplanation"]) -> dict[str, Any]:
        """See Explanation."""
        return {
            "probability": float(np.mean([explanation.probability for explanation in explanations])),
            "rolled_back": np.mean([explanation.rolled_back for explanation in explanations], axis=0),
        }
