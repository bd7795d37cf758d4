"""Which training triples share an entity or the relation with a query."""

import numpy as np

from gr_tf.types import Ids


class AdjacencyIndex:
    """The training triples of every entity and relation."""

    def __init__(self, train: np.ndarray, num_entities: int, num_relations: int) -> None:
        """
        Args:
            train: [num_examples, 3], columns head, relation, tail.
            num_entities, num_relations: the sizes of the vocabularies.
        """
        example_ids = np.arange(len(train))
        self._of_entity = _Groups(
            keys=np.concatenate([train[:, 0], train[:, 2]]),
            values=np.concatenate([example_ids, example_ids]),
            num_keys=num_entities,
        )
        self._of_relation = _Groups(keys=train[:, 1], values=example_ids, num_keys=num_relations)

    def adjacent(self, head: int, relation: int, tail: int) -> Ids:
        """Ascending example ids with head or tail in {head, tail}, or the relation."""
        return np.unique(np.concatenate([self._of_entity[head], self._of_entity[tail], self._of_relation[relation]]))


class _Groups:
    """Values grouped by integer key, in one array."""

    def __init__(self, keys: np.ndarray, values: np.ndarray, num_keys: int) -> None:
        self._values = values[np.argsort(keys, kind="stable")]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=num_keys))])

    def __getitem__(self, key: int) -> np.ndarray:
        return self._values[self._starts[key] : self._starts[key + 1]]
