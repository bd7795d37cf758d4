"""NH, the paper's baseline: random training triples that touch the query."""

import numpy as np

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.adjacency import AdjacencyIndex
from gr_tf.data.triples import Query, TripleSet
from gr_tf.models.base import FactorModel
from gr_tf.models.prediction import tail_probability


class Neighborhood(Explainer[Query, TripleExplanation]):
    """Ranks the adjacent training triples at random (Lawrence et al. 2021, NH-k).

    The influences are random numbers in [0, 1), drawn anew for each query from the seed and
    the query, so that the order of asking does not matter.
    """

    def __init__(self, model: FactorModel, table: np.ndarray, triples: TripleSet, seed: int = 0) -> None:
        self._model = model
        self._table = table
        self._triples = triples
        self._adjacency = AdjacencyIndex(triples)
        self._seed = seed

    def rank(self, query: Query) -> TripleExplanation:
        """Every adjacent training triple, in random order."""
        example_ids = self._adjacency.adjacent(query)
        generator = np.random.default_rng([self._seed, query.head, query.relation, query.tail])
        influences = generator.random(len(example_ids))
        probability = tail_probability(self._model, self._table, query)
        return TripleExplanation.ranked(query, example_ids, influences, probability, self._triples)

    def query_of(self, example_id: int) -> Query:
        """See Explainer."""
        return self._triples.query_of(example_id)
