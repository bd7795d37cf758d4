"""Smallest sets of examples: those without which a prediction changes, and those that suffice for it."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from gr_tf.asking.answer import Answer
from gr_tf.asking.asker import Asker
from gr_tf.asking.page import Found
from gr_tf.errors import InputError
from gr_tf.runs.progress import progress
from gr_tf.types import Ids

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
        necessary: without these another answer is the most probable.
        instead: that answer, for people; None: none was found.
        sufficient: with these alone, of all examples that share something with the question, the prediction stays.
    """

    necessary: SmallestSet
    instead: str | None
    sufficient: SmallestSet


def refuse_without_alternatives(has_alternatives: bool) -> None:
    """
    Raises:
        InputError: if a prediction of the kind has no other answer that it could change to.
    """
    if not has_alternatives:
        raise InputError("minimal sets are of predictions among several answers; a rating has no other to change to.")


def refuse_unless_top(asker: Asker, answer: Answer) -> None:
    """
    Raises:
        InputError: if the explained answer is not the most probable new one, so that there is nothing to change.
    """
    refuse_without_alternatives(asker.task.has_alternatives)
    query = answer.explanation.query
    if asker.top(query) != asker.task.answer_of(query):
        raise InputError(
            f"minimal sets are of the most probable new answer; {answer.predicted} is not: ask with ? in its place."
        )


def minimal_sets(asker: Asker, answer: Answer, *, most: int = 100, jobs: int = 1) -> MinimalSets:
    """Searches both sets by an answer's explanation.

    Args:
        asker: of the explained model.
        answer: of this asker.
        most: retrainings for each of the two.
        jobs: trainings at a time; they change no result.

    Raises:
        InputError: if the explained answer is not the most probable new one, so that there is nothing to change.
    """
    refuse_unless_top(asker, answer)
    task, explanation = asker.task, answer.explanation
    query = explanation.query
    predicted = task.answer_of(query)
    # The method's ranking of the related examples; those that it does not rank come last.
    related, ranked = task.related(query), explanation.example_ids
    candidates = [*ranked[np.isin(ranked, related)].tolist(), *np.setdiff1d(related, ranked).tolist()]
    instead: dict[tuple[int, ...], int | None] = {}
    with progress("retrainings", 2 * most) as bar:

        def tops_without(removals: Sequence[Ids]) -> list[int | None]:
            tops = asker.tops_without(query, removals, jobs)
            for _ in tops:
                bar.advance()
            return tops

        def changes(sets: Sequence[tuple[int, ...]]) -> list[bool]:
            tops = tops_without([np.array(chosen, np.int64) for chosen in sets])
            instead.update(zip(sets, tops, strict=True))
            return [top != predicted for top in tops]

        def stays(sets: Sequence[tuple[int, ...]]) -> list[bool]:
            tops = tops_without([np.setdiff1d(related, chosen) for chosen in sets])
            return [top == predicted for top in tops]

        necessary = smallest_set(ranked[explanation.influences > 0].tolist(), changes, most=most)
        bar.pass_over(most - necessary.retrainings)
        sufficient = smallest_set(candidates, stays, most=most, smallest=0)
    other = None if necessary.example_ids is None else instead[necessary.example_ids]
    return MinimalSets(necessary, None if other is None else task.answer_name(other), sufficient)


def found_sets(asker: Asker, answer: Answer, minimal: MinimalSets) -> list[Found]:
    """Both sets, for people."""
    parts = (
        (minimal.necessary, "it needs", f"Without these, {minimal.instead or 'nothing'} is predicted instead"),
        (
            minimal.sufficient,
            "that suffice",
            "With these alone, of all examples that share something with the question, "
            f"{answer.predicted} is still predicted",
        ),
    )
    return [_found(asker, answer, part, which, what) for part, which, what in parts]


def _found(asker: Asker, answer: Answer, part: SmallestSet, which: str, what: str) -> Found:
    so_far = f"{part.retrainings} retrainings" + (", no more were allowed" if part.exhausted else "")
    if part.example_ids is None:
        return Found(f"The fewest {which}: none was found", f"Tried in {so_far}.")
    ids = np.array(part.example_ids, np.int64)
    frame = asker.task.examples(ids, answer.explanation.query).assign(example_id=ids)
    rows = tuple(tuple(map(str, row)) for row in frame.itertuples(index=False, name=None))
    title = f"The fewest {which}, of those tried: {len(ids)}"
    return Found(title, f"{what} ({so_far}).", tuple(frame.columns), rows)
