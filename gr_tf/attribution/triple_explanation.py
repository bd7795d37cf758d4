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
        standard_errors: [k], of influences that are means over several trainings; else None.
        num_trainings: that the influences are means over.
        frame: the same by name: head, relation, tail, influence, p, p_rolled_back, example_id, and standard_error
            if there is one.
        labeled_frame: with labels for names, where the dataset has them.
    """

    probability: float
    rolled_back: np.ndarray
    triples: TripleSet = dataclasses.field(repr=False)
    standard_errors: np.ndarray | None = None
    num_trainings: int = 1

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
        frame = frame.assign(
            influence=self.influences,
            p=self.probability,
            p_rolled_back=self.rolled_back,
            example_id=self.example_ids,
        )
        return frame if self.standard_errors is None else frame.assign(standard_error=self.standard_errors)

    @property
    def sign_is_certain(self) -> np.ndarray | None:
        """[k]: whether the trainings agree on an influence's sign; None without standard errors.

        Student's t of each mean, and the false discovery rate over all k held at 5% (Benjamini and Hochberg 1995):
        the largest of many means stands out by chance alone. Ask it of a whole ranking, not of its first few.
        """
        if self.standard_errors is None:
            return None
        from scipy import stats  # here, because it is slow to import

        errors = self.standard_errors
        sizes = np.divide(np.abs(self.influences), errors, out=np.full_like(errors, np.inf), where=errors > 0)
        sizes[self.influences == 0] = 0
        chances = 2 * stats.t.sf(sizes, self.num_trainings - 1)
        certain: np.ndarray = stats.false_discovery_control(chances) <= 0.05 if len(chances) else np.zeros(0, bool)
        return certain

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
        errors = None if self.standard_errors is None else self.standard_errors[chosen]
        return dataclasses.replace(super().only(chosen), rolled_back=self.rolled_back[chosen], standard_errors=errors)
