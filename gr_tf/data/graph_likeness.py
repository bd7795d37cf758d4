"""How much training triples are like a query by the graph alone, without any model.

Two entities are alike if they have the same neighbours by the same relations; two relations if they hold of the same
pairs. Of a triple and a query, each of the three parts may be the same, or be alike; the products of these say what the
shape of the graph alone says of their connection.
"""

import itertools

import numpy as np

from gr_tf.runs.engine import scipy
from gr_tf.types import Ids

# What is asked of a part of a triple: nothing, to be the query's, to be like the query's.
_ANY, _SAME, _ALIKE = range(3)
# The features: relation, head, tail, each one of these; and whether the triple is read from tail to head.
_FEATURES = [
    (*parts, backwards)
    for backwards in (False, True)
    for parts in itertools.product((_ANY, _SAME, _ALIKE), repeat=3)
    if any(parts) and (not backwards or parts[0] == _ALIKE or any(parts[1:]))
]
NUM_FEATURES = len(_FEATURES)


class GraphLikeness:
    """The likenesses of a graph's training triples to queries."""

    def __init__(self, triples: Ids, num_entities: int, num_relations: int) -> None:
        """
        Args:
            triples: [n, 3], columns head, relation, tail.
            num_entities, num_relations: how many there are.
        """
        self._triples = triples.astype(np.int64)
        heads, relations, tails = self._triples.T
        forward, backward = relations, relations + num_relations
        self._entities = _Profiles(
            np.concatenate([heads, tails]),
            np.concatenate([forward, backward]) * num_entities + np.concatenate([tails, heads]),
            (num_entities, 2 * num_relations * num_entities),
        )
        # Each relation, and then each read from tail to head.
        self._relations = _Profiles(
            np.concatenate([forward, backward]),
            np.concatenate([heads * num_entities + tails, tails * num_entities + heads]),
            (2 * num_relations, num_entities**2),
        )

    def features(self, triple: tuple[int, int, int]) -> np.ndarray:
        """Float32 [num_triples, NUM_FEATURES]: products of what the parts of each training triple have of a triple's.

        A part that is the same counts 1, one that is alike the cosine of both profiles.
        """
        head, relation, tail = triple
        heads, relations, tails = self._triples.T
        like_head, like_tail = (self._entities.cosines(entity) for entity in (head, tail))
        like_relation = self._relations.cosines(relation)
        same = relations == relation
        count = len(like_relation) // 2
        straight = (
            (same, like_relation[relations]),
            (heads == head, like_head[heads]),
            (tails == tail, like_tail[tails]),
        )
        backwards = (
            (same, like_relation[relations + count]),
            (tails == head, like_head[tails]),
            (heads == tail, like_tail[heads]),
        )
        columns = []
        for *parts, turned in _FEATURES:
            chosen = [
                choices[part - 1]
                for choices, part in zip(backwards if turned else straight, parts, strict=True)
                if part
            ]
            columns.append(np.prod(np.stack(chosen).astype(np.float32), axis=0))
        return np.stack(columns, axis=1)


class _Profiles:
    """Rows of a sparse matrix of 0 and 1, compared by the cosine of what they have beyond the mean row."""

    def __init__(self, rows: Ids, columns: Ids, shape: tuple[int, int]) -> None:
        # Columns that nothing has say nothing, and there are many.
        used, columns = np.unique(columns, return_inverse=True)
        ones = np.ones(len(rows), np.float32)
        self._matrix = scipy.sparse.csr_array((ones, (rows, columns)), shape=(shape[0], len(used)))
        self._matrix.data[:] = 1  # What stands twice counts once.
        self._mean = np.asarray(self._matrix.mean(axis=0)).ravel()
        self._of_mean = self._matrix @ self._mean
        square = float(self._mean @ self._mean)
        self._norms = np.sqrt(np.maximum(np.asarray(self._matrix.sum(axis=1)).ravel() - 2 * self._of_mean + square, 0))
        self._square = square

    def cosines(self, row: int) -> np.ndarray:
        """[num_rows], float32; 0 where a row is the mean row."""
        own = self._matrix[[row]]
        products = (self._matrix @ own.T).toarray().ravel() - self._of_mean - self._of_mean[row] + self._square
        norms = self._norms * self._norms[row]
        found: np.ndarray = np.divide(products, norms, out=np.zeros_like(products), where=norms > 1e-6)
        return found.astype(np.float32)
