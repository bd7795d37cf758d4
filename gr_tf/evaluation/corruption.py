"""Mistakes made on purpose, to see who finds them."""

import dataclasses

import numpy as np

from gr_tf.data.ratings import RatingSet
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Corrupted:
    """A dataset with mistakes in its training examples.

    Attributes:
        dataset: with them; ids, validation and test are the original's.
        wrong: bool [num_examples], which examples were changed.
    """

    dataset: TripleSet | RatingSet
    wrong: np.ndarray


def flip_tails(triples: TripleSet, share: float, seed: int) -> Corrupted:
    """Another random tail for a share of the training triples, such that the triple is in no split.

    Args:
        triples: the original.
        share: of the training triples, above 0 and below 1.
        seed: of the draw.

    Raises:
        InputError: if the share is out of range, or a triple has no other tail left.
    """
    generator = np.random.default_rng(seed)
    chosen = _chosen(triples.num_examples, share, generator)
    known = {tuple(triple) for part in (triples.train, triples.valid, triples.test) for triple in part.tolist()}
    possible = np.arange(len(triples.entities)) if triples.candidates is None else np.array(triples.candidates)
    train = triples.train.copy()
    for place in chosen:
        head, relation, _ = map(int, train[place])
        for tail in generator.permutation(possible):
            if (head, relation, int(tail)) not in known:
                train[place, 2] = tail
                break
        else:
            raise InputError(f"training triple {place} has no other tail that makes it wrong: every one is known.")
    return Corrupted(dataclasses.replace(triples, train=train), _mask(len(train), chosen))


def shuffle_tails(triples: TripleSet, seed: int) -> TripleSet:
    """All training triples with each other's tails: what was to be learnt is gone, example ids stay."""
    train = triples.train.copy()
    train[:, 2] = np.random.default_rng(seed).permutation(train[:, 2])
    return dataclasses.replace(triples, train=train)


def flip_ratings(ratings: RatingSet, share: float, seed: int) -> Corrupted:
    """Another random value, of those that occur, for a share of the training ratings.

    Raises:
        InputError: if the share is out of range, or all ratings are the same.
    """
    generator = np.random.default_rng(seed)
    chosen = _chosen(ratings.num_examples, share, generator)
    values = ratings.train.values.copy()
    possible = np.unique(values)
    if len(possible) < 2:
        raise InputError(f"all ratings are {possible[0]:g}: none can be made wrong.")
    for place in chosen:
        values[place] = generator.choice(possible[possible != values[place]])
    train = dataclasses.replace(ratings.train, values=values)
    return Corrupted(dataclasses.replace(ratings, train=train), _mask(len(values), chosen))


def _chosen(count: int, share: float, generator: np.random.Generator) -> np.ndarray:
    if not 0 < share < 1:
        raise InputError(f"the share of mistakes must be above 0 and below 1; got {share}.")
    chosen = max(1, round(share * count))
    if chosen >= count:
        raise InputError(f"a share of {share:g} leaves none of the {count} training examples right.")
    return np.sort(generator.choice(count, chosen, replace=False))


def _mask(count: int, chosen: np.ndarray) -> np.ndarray:
    mask = np.zeros(count, bool)
    mask[chosen] = True
    return mask
