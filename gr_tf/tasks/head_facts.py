"""Questions that are explained by the facts of their head only, as Kelpie explains them.

Rossi et al. (2022, "Explaining link prediction systems based on knowledge graph embeddings", Kelpie): an explanation of
(head, relation, tail) is made of training triples that have the head in them, in either place.
"""

import functools
from collections.abc import Sequence

import numpy as np

from gr_tf.data.known_tails import KnownTails
from gr_tf.data.triples import HEAD, TAIL, Query
from gr_tf.models.parameters import Parameters
from gr_tf.models.ranking import filtered_ranks
from gr_tf.tasks.triples import TripleTask
from gr_tf.types import Ids

# How a training triple of the head is like the question, the likest first; see `HeadFactsTask.shapes`.
SHAPES = (
    "the reverse triple: same relation",
    "the reverse triple: another relation",
    "the same head and tail, another relation",
    "the same relation and head",
    "the same relation, the head as its tail",
    "another triple of the head",
)


class HeadFactsTask(TripleTask):
    """The same task, whose related examples are the training triples of the question's head; for tails."""

    def related(self, query: Query) -> Ids:
        """The training triples with the query's head in either place, ascending."""
        return np.flatnonzero((self.dataset.train[:, [HEAD, TAIL]] == query.head).any(axis=1))

    def ranks(self, parameters: Parameters, queries: Sequence[Query]) -> np.ndarray:
        """The ranks [n] of the queries' tails, filtered by all three parts of the data; 1 is the best."""
        triples = np.array([query.triple for query in queries], np.int32).reshape(-1, 3)
        return filtered_ranks(self.model, parameters.table, triples, self._known_by_all)

    @functools.cached_property
    def _known_by_all(self) -> KnownTails:
        data = self.dataset
        return KnownTails(len(data.entities), data.train, data.valid, data.test)

    def shapes(self, query: Query) -> np.ndarray:
        """The places [n] in SHAPES of the related examples."""
        heads, relations, tails = self.dataset.train[self.related(query)].T
        same = relations == query.relation
        is_reverse = (heads == query.tail) & (tails == query.head)
        conditions = [
            is_reverse & same,
            is_reverse,
            (heads == query.head) & (tails == query.tail),
            (heads == query.head) & same,
            same,
        ]
        return np.select(conditions, range(len(conditions)), len(conditions))

    def in_random_order(self, query: Query) -> Ids:
        """The related examples in an order that is drawn from the explained seed and the query."""
        drawn: Ids = self._generator(query).permutation(self.related(query))
        return drawn

    def by_shape(self, query: Query) -> Ids:
        """The related examples in the order of SHAPES, those of one shape in random order."""
        drawn = self._generator(query).random(len(self.related(query)))
        ordered: Ids = self.related(query)[np.lexsort([drawn, self.shapes(query)])]
        return ordered

    def _generator(self, query: Query) -> np.random.Generator:
        return np.random.default_rng((self.config.seed, *query.triple))
