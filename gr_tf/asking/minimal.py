"""Smallest sets of examples: without which a prediction changes, and which alone uphold it."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from gr_tf.asking.answer import Answer
from gr_tf.asking.graph import GraphAsker
from gr_tf.data.adjacency import AdjacencyIndex
from gr_tf.data.triples import Query
from gr_tf.errors import InputError

# Sets tested together; a constant, so that the number of cores changes no result.
_AT_ONCE = 2
# Asks of each of some sets whether it does what is wanted.
Test = Callable[[Sequence[tuple[int, ...]]], Sequence[bool]]


@dataclasses.dataclass(frozen=True)
class SmallestSet:
    """What a search found; every claim in it was seen in a retraining.

    Attributes:
        example_ids: the set, in the order of the explanation; None: none was found.
        retrainings: how many it took.
        exhausted: whether a set was left untested because the retrainings were used up.
    """

    example_ids: tuple[int, ...] | None
    retrainings: int
    exhausted: bool


class _Budget:
    """A test that counts its sets, and answers no set twice."""

    def __init__(self, test: Test, most: int) -> None:
        self._test = test
        self._known: dict[tuple[int, ...], bool] = {}
        self._left = most
        self.used = 0
        self.refused = False

    def ask(self, sets: Sequence[tuple[int, ...]]) -> bool:
        """Tests what is new of some sets; whether all could be tested."""
        new = [asked for asked in dict.fromkeys(sets) if asked not in self._known]
        affordable = new[: self._left]
        if affordable:
            self._known.update(zip(affordable, self._test(affordable), strict=True))
        self._left -= len(affordable)
        self.used += len(affordable)
        self.refused = self.refused or len(affordable) < len(new)
        return len(affordable) == len(new)

    def known(self, asked: tuple[int, ...]) -> bool:
        """Whether a set is known to pass."""
        return self._known.get(asked, False)


def smallest_set(ranking: Sequence[int], test: Test, *, most: int, smallest: int = 1) -> SmallestSet:
    """A small subset of a ranking that passes a test: its shortest beginning found, thinned out.

    First beginnings of doubling length, then those between the longest that failed and the shortest that
    passed, then that one without one after another of its members, the last first. Passing need not grow
    with the set, so that a smaller one may exist.

    Args:
        ranking: example ids, the most promising first.
        test: see Test.
        most: how many sets may be tested.
        smallest: the length of the first beginning.
    """
    budget = _Budget(test, most)
    whole = tuple(ranking)
    lengths = _doubling(smallest, len(whole))
    failed, passed = smallest - 1, None
    for first in range(0, len(lengths), _AT_ONCE):
        part = lengths[first : first + _AT_ONCE]
        complete = budget.ask([whole[:length] for length in part])
        passed = next((length for length in part if budget.known(whole[:length])), None)
        if passed is not None or not complete:
            failed = max([failed, *(length for length in part if passed is not None and length < passed)])
            break
        failed = part[-1]
    if passed is None:
        return SmallestSet(None, budget.used, budget.refused)
    while passed - failed > 1 and not budget.refused:
        points = sorted({failed + (passed - failed) * i // (_AT_ONCE + 1) for i in range(1, _AT_ONCE + 1)} - {failed})
        budget.ask([whole[:length] for length in points])
        good = [length for length in points if budget.known(whole[:length])]
        if good:
            passed = good[0]
        failed = max([failed, *(length for length in points if length < passed)])
    chosen = whole[:passed]
    for member in reversed(whole[:passed]):
        without = tuple(other for other in chosen if other != member)
        if len(without) >= smallest and budget.ask([without]) and budget.known(without):
            chosen = without
    return SmallestSet(chosen, budget.used, budget.refused)


def _doubling(first: int, last: int) -> list[int]:
    """first, then 1, 2, 4, ... up to and including `last`."""
    lengths = [first]
    while lengths[-1] < last:
        lengths.append(min(last, max(1, 2 * lengths[-1])))
    return lengths if first <= last else []


@dataclasses.dataclass(frozen=True)
class MinimalSets:
    """What a prediction depends on, by retraining the explained model.

    Attributes:
        necessary: without these another tail is the most probable.
        instead: that tail, for people; None: none was found.
        sufficient: with these alone, of all examples that share something with the question, the prediction stays.
    """

    necessary: SmallestSet
    instead: str | None
    sufficient: SmallestSet


def refuse_unless_top(asker: GraphAsker, answer: Answer) -> None:
    """
    Raises:
        InputError: if the explained tail is not the most probable one, so that nothing can change it.
    """
    query: Query = answer.explanation.query
    if asker.look(asker.trained.table, query).top != query.tail:
        name = asker.triples.label(asker.triples.entities.names[query.tail])
        raise InputError(f"minimal sets are of the most probable new tail; {name} is not: ask with ? for the tail.")


def minimal_sets(asker: GraphAsker, answer: Answer, *, most: int = 100, jobs: int = 1) -> MinimalSets:
    """Searches both sets by an answer's explanation.

    Args:
        asker: of the explained model.
        answer: of this asker.
        most: retrainings for each of the two.
        jobs: trainings at a time; they change no result.

    Raises:
        InputError: if the explained tail is not the most probable one, so that nothing can change it.
    """
    explanation = answer.explanation
    query: Query = explanation.query
    refuse_unless_top(asker, answer)
    # The method's ranking of the neighbours; what it does not rank comes last.
    adjacent = AdjacencyIndex(asker.triples).adjacent(query)
    ranked = explanation.example_ids
    neighbours = [*ranked[np.isin(ranked, adjacent)].tolist(), *np.setdiff1d(adjacent, ranked).tolist()]
    tops: dict[tuple[int, ...], int | None] = {}

    def tops_without(removals: Sequence[np.ndarray]) -> list[int | None]:
        return [look.top for look in asker.looks_without(query, removals, jobs)]

    def changes(sets: Sequence[tuple[int, ...]]) -> list[bool]:
        found = tops_without([np.array(chosen, np.int64) for chosen in sets])
        tops.update(zip(sets, found, strict=True))
        return [tail != query.tail for tail in found]

    def stays(sets: Sequence[tuple[int, ...]]) -> list[bool]:
        found = tops_without([np.setdiff1d(adjacent, chosen) for chosen in sets])
        return [tail == query.tail for tail in found]

    necessary = smallest_set(ranked[explanation.influences > 0].tolist(), changes, most=most)
    sufficient = smallest_set(neighbours, stays, most=most, smallest=0)
    instead = None
    if necessary.example_ids is not None:
        tail = tops[necessary.example_ids]
        instead = None if tail is None else asker.triples.label(asker.triples.entities.names[tail])
    return MinimalSets(necessary, instead, sufficient)
