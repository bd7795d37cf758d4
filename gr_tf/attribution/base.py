"""What every explainer takes and gives."""

import abc
import dataclasses

import numpy as np
import pandas as pd

from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """Training examples that made the model predict query.tail, the most influential first.

    Attributes:
        query: what is explained.
        probability: p of query.tail under the trained model.
        example_ids: [k].
        influences: [k], descending; positive means that the example supports the prediction.
        rolled_back: [k], p of query.tail without the example, as far as the method estimates it;
            NaN where it does not.
        frame: the same by name: head, relation, tail, influence, p, p_rolled_back, example_id.
        labeled_frame: with labels for names, where the dataset has them.
    """

    query: Query
    probability: float
    example_ids: np.ndarray
    influences: np.ndarray
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

    def first(self, k: int | None) -> "Explanation":
        """The k most influential examples; None: all whose influence is at least 0.

        Raises:
            InputError: if k is below 1.
        """
        if k is not None and k < 1:
            raise InputError(f"k must be at least 1; got {k}.")
        return self._only(slice(self.num_supporting if k is None else k))

    @property
    def num_supporting(self) -> int:
        """How many examples have influence >= 0."""
        return int((self.influences >= 0).sum())

    def with_same_tail(self) -> "Explanation":
        """The examples whose tail is the query's: GR-O of Lawrence et al. (2021), Table 2."""
        return self._only(self.triples.train[self.example_ids, 2] == self.query.tail)

    def _only(self, chosen: slice | np.ndarray) -> "Explanation":
        return dataclasses.replace(
            self,
            example_ids=self.example_ids[chosen],
            influences=self.influences[chosen],
            rolled_back=self.rolled_back[chosen],
        )


class Explainer(abc.ABC):
    """Scores training examples by how much they support a prediction."""

    @abc.abstractmethod
    def rank(self, query: Query) -> Explanation:
        """All examples that the method considers, by descending influence, equals by example id."""

    def explain(self, query: Query, k: int | None = 10) -> Explanation:
        """The k most influential examples; None: all whose influence is at least 0.

        Raises:
            InputError: if k is below 1.
        """
        return self.rank(query).first(k)
