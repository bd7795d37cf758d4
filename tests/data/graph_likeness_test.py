"""The likeness of triples against the same, written plainly with dense arrays."""

import itertools

import numpy as np
import pytest

from gr_tf.data.graph_likeness import NUM_FEATURES, GraphLikeness
from gr_tf.data.sequences import SequenceSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError


def cosines(rows: np.ndarray) -> np.ndarray:
    """Of all pairs of rows, less their mean."""
    rows = rows - rows.mean(axis=0)
    norms = np.linalg.norm(rows, axis=1)
    products = rows @ rows.T
    return np.divide(products, np.outer(norms, norms), out=np.zeros_like(products), where=np.outer(norms, norms) > 1e-6)


def test_features_are_products_of_what_the_parts_have(toy: TripleSet) -> None:
    entities, relations = len(toy.entities), len(toy.relations)
    there = np.zeros((relations, entities, entities))
    for head, relation, tail in toy.train:
        there[relation, head, tail] = 1
    from_heads = there.transpose(1, 0, 2).reshape(entities, -1)
    from_tails = there.transpose(2, 0, 1).reshape(entities, -1)
    like = cosines(np.concatenate([from_heads, from_tails], axis=1))
    both = np.concatenate([there.reshape(relations, -1), there.transpose(0, 2, 1).reshape(relations, -1)])
    like_relations = cosines(both)
    found = GraphLikeness(toy.train, entities, relations)
    for query in ((0, 0, 1), (2, 1, 3), (4, 2, 4)):
        rows = []
        for head, relation, tail in toy.train:
            columns = []
            for backwards in (False, True):
                one, other = (tail, head) if backwards else (head, tail)
                parts = (
                    (1, relation == query[1], like_relations[query[1], relation + relations * backwards]),
                    (1, one == query[0], like[query[0], one]),
                    (1, other == query[2], like[query[2], other]),
                )
                for chosen in itertools.product(range(3), repeat=3):
                    # The same relation alone says the same in both directions.
                    if any(chosen) and not (backwards and chosen == (1, 0, 0)):
                        columns.append(np.prod([part[choice] for part, choice in zip(parts, chosen, strict=True)]))
            rows.append(columns)
        assert np.shape(rows) == (toy.num_examples, NUM_FEATURES)
        np.testing.assert_allclose(found.features(query), rows, atol=1e-5)


def test_the_same_triple_is_like_itself_in_everything(toy: TripleSet) -> None:
    # What reads from head to tail comes first.
    own = toy.likeness(toy.query_of(7))[7, : (NUM_FEATURES + 1) // 2]
    np.testing.assert_allclose(own, 1, atol=1e-5)


def test_other_kinds_say_that_they_have_none(toy_sequences: SequenceSet) -> None:
    with pytest.raises(InputError, match="nothing is known of how alike"):
        toy_sequences.likeness(toy_sequences.query_of(0))
