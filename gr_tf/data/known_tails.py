"""The answers that are already known, such as the tails of (head, relation): the filter of filtered ranking."""

import numpy as np

from gr_tf.data.triples import HEAD, RELATION, TAIL, TripleSet

# The columns of the two given parts, then the answer's, by the place of the answer.
_TURNED = {HEAD: [2, 1, 0], RELATION: [0, 2, 1], TAIL: [0, 1, 2]}


class KnownTails:
    """Tails of (head, relation) in some sets of triples.

    Bordes et al. (2013), "Translating Embeddings for Modeling Multi-relational Data",
    Section 4.1: a known tail is no competitor of the gold one. Heads of (tail, relation) and relations of
    (head, tail) are the same of turned triples: see `known_at`.
    """

    def __init__(self, num_entities: int, *splits: np.ndarray) -> None:
        self.num_entities = num_entities
        heads, relations, tails = np.concatenate(splits).astype(np.int64).T
        self._num_relations = int(relations.max(initial=-1)) + 1
        keys = heads * self._num_relations + relations
        order = np.argsort(keys, kind="stable")
        # Those of a (head, relation) follow each other; a dictionary of a million takes a gigabyte.
        self._keys, self._tails = keys[order], tails[order].astype(np.int32)

    def mask(self, heads: np.ndarray, relations: np.ndarray) -> np.ndarray:
        """Bool [n, num_entities]: whether a tail is known for each (head, relation)."""
        mask = np.zeros((len(heads), self.num_entities), bool)
        keys = heads.astype(np.int64) * self._num_relations + relations
        keys[relations >= self._num_relations] = -1
        bounds = (np.searchsorted(self._keys, keys, side).tolist() for side in ("left", "right"))
        for row, (first, end) in enumerate(zip(*bounds, strict=True)):
            mask[row, self._tails[first:end]] = True
        return mask


def known_from_train_and_valid(triples: TripleSet) -> KnownTails:
    """The filter of the paper's tables: test tails are no filter (BUILD_NOTES, "Filter of known tails")."""
    return known_at(triples, TAIL)


def known_at(triples: TripleSet, place: int) -> KnownTails:
    """The same filter of answers in any place; its mask takes the first two columns of `turned` triples."""
    count = len(triples.relations if place == RELATION else triples.entities)
    return KnownTails(count, turned(triples.train, place), turned(triples.valid, place))


def turned(triples: np.ndarray, place: int) -> np.ndarray:
    """Triples [n, 3] with the answer's column last; the given parts come first."""
    return triples[:, _TURNED[place]]
