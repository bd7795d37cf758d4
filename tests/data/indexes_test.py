"""Related triples, known tails and negatives against their definitions."""

import numpy as np

from gr_tf.data.known_tails import KnownTails
from gr_tf.data.negatives import BLOCK_SIZE, draw_candidates
from gr_tf.data.triples import Query, TripleSet


def test_adjacent_are_all_that_share_an_entity_or_the_relation(toy: TripleSet) -> None:
    for query in (Query(0, 1, 2), Query(3, 0, 3), Query(8, 3, 1)):
        expected = [
            i
            for i, (head, relation, tail) in enumerate(toy.train.tolist())
            if {head, tail} & {query.head, query.tail} or relation == query.relation
        ]
        np.testing.assert_array_equal(toy.related(query), expected)


def test_known_tails() -> None:
    known = KnownTails(4, np.array([[0, 0, 1], [0, 0, 3]]), np.array([[1, 0, 2]]))
    mask = known.mask(np.array([0, 1, 2]), np.array([0, 0, 0]))
    np.testing.assert_array_equal(mask, [[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])


def test_negatives_follow_the_authors_rule() -> None:
    """Spec: RandomState(first step).randint, and the replacement of the gold tail."""
    generator = np.random.default_rng(0)
    train = np.stack([generator.integers(high, size=5000) for high in (9, 3, 9)], axis=1).astype(np.int32)
    for first in (0, BLOCK_SIZE):
        candidates = draw_candidates(train, first, num_entities=9, num_negatives=6)
        draw = np.random.RandomState(first).randint(9, size=(4096, 6))
        assert candidates.shape == (min(4096, 5000 - first), 7)
        for i in range(0, len(candidates), 7):
            head, _, gold = train[first + i].tolist()
            expected = [gold]
            for negative in draw[i].tolist():
                if negative == gold:
                    negative = int((head + gold) / 2)  # noqa: PLW2901
                    if negative < 9 - 1:
                        negative += 1  # noqa: PLW2901
                expected.append(negative)
            assert candidates[i].tolist() == expected


def test_the_gold_tail_can_stay_among_the_negatives_of_nations() -> None:
    """Golden README: 143 of the 1592 training lines keep it."""
    from gr_tf.data.sources import load_triples

    candidates = draw_candidates(load_triples().train, 0, 14, 13)
    assert int((candidates[:, 1:] == candidates[:, :1]).any(axis=1).sum()) == 143
