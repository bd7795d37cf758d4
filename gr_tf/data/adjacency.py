"""Which training triples share an entity or the relation with a query."""

import numpy as np

from gr_tf.data.triples import Query, TripleSet


class AdjacencyIndex:
    """The training triples of every entity and relation."""

    def __init__(self, triples: TripleSet) -> None:
        train = triples.train
        example_ids = np.arange(len(train))
        self._of_entity = _Groups(
            keys=np.concatenate([train[:, 0], train[:, 2]]),
            values=np.concatenate([example_ids, example_ids]),
            num_keys=len(triples.entities),
        )
        self._of_relation = _Groups(keys=train[:, 1], values=example_ids, num_keys=len(triples.relations))

    def adjacent(self, query: Query) -> np.ndarray:
        """Sorted example ids with head or tail in {query.head, query.tail}, or the query's relation."""
        return np.unique(
            np.concatenate(
                [self._of_entity[query.head], self._of_entity[query.tail], self._of_relation[query.relation]]
            )
        )


def shared_elements(query: Query, triples: TripleSet) -> np.ndarray:
    """How much every training triple [num_examples] has in common with a query.

    One for its relation, one for each of the query's entities that is its head or tail; 0 for triples that are
    not adjacent.
    """
    heads, relations, tails = triples.train.T
    entities = [(heads == entity) | (tails == entity) for entity in {query.head, query.tail}]
    shared: np.ndarray = np.sum([relations == query.relation, *entities], axis=0)
    return shared


class _Groups:
    """Values grouped by integer key, in one array."""

    def __init__(self, keys: np.ndarray, values: np.ndarray, num_keys: int) -> None:
        self._values = values[np.argsort(keys, kind="stable")]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=num_keys))])

    def __getitem__(self, key: int) -> np.ndarray:
        return self._values[self._starts[key] : self._starts[key + 1]]
