"""Searches for smallest sets of examples: a prediction changes without one of them; another alone suffices for it."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.asking.about import RatherThan
from gr_tf.asking.answer import Answer
from gr_tf.asking.asker import Asker
from gr_tf.asking.confirmed import LEAST_SEEDS, Confirmation, check_seeds
from gr_tf.asking.looks import explained_answer
from gr_tf.asking.page import Found
from gr_tf.asking.told import examples_of
from gr_tf.attribution.combined import Combination, related_to
from gr_tf.errors import InputError, whole_number
from gr_tf.evaluation.retraining import check_jobs
from gr_tf.runs import html_text
from gr_tf.runs.progress import progress

# How many sets are tested together; it is a constant, so that the number of cores changes no result.
_AT_ONCE = 2
# Says of each set whether it passes.
Test = Callable[[Sequence[tuple[int, ...]]], Sequence[bool]]


@dataclasses.dataclass(frozen=True)
class SmallestSet:
    """The result of a search; a retraining showed everything that it claims.

    Attributes:
        example_ids: the set, in the order of the explanation; None: none was found.
        retrainings: how many the search took.
        exhausted: whether a set was not tested because the retrainings were used up.
    """

    example_ids: tuple[int, ...] | None
    retrainings: int
    exhausted: bool


class _Budget:
    """A test that tests no set twice, and at most `most` sets; all others do not pass."""

    def __init__(self, test: Test, most: int) -> None:
        self._test, self._most = test, most
        self.known: dict[tuple[int, ...], bool] = {}
        self.refused = False

    def passes(self, sets: Sequence[tuple[int, ...]]) -> list[bool]:
        """Whether each of some sets is known to pass."""
        new = [asked for asked in dict.fromkeys(sets) if asked not in self.known]
        affordable = new[: self._most - len(self.known)]
        if affordable:
            self.known.update(zip(affordable, self._test(affordable), strict=True))
        self.refused = self.refused or len(affordable) < len(new)
        return [self.known.get(asked, False) for asked in sets]


def smallest_set(ranking: Sequence[int], test: Test, *, most: int, smallest: int = 1) -> SmallestSet:
    """Finds a small subset of a ranking that passes a test: a short beginning of it, from which members are left out.

    It tests beginnings of doubling length, then lengths between the longest that failed and the shortest that passed,
    then that one without each of its members in turn, starting with the last. A set may fail although a subset of it
    passes, so that a smaller set than the one found may exist.

    Args:
        ranking: example ids, the most promising first.
        test: see Test.
        most: how many sets may be tested.
        smallest: the length of the first beginning, 0 or 1.
    """
    budget, whole = _Budget(test, most), tuple(ranking)
    failed, passed = smallest - 1, len(whole) + 1

    def narrow(lengths: Sequence[int]) -> None:
        """Tests some beginnings, in ascending order."""
        nonlocal failed, passed
        good = budget.passes([whole[:length] for length in lengths])
        passed = min([passed, *itertools.compress(lengths, good)])
        failed = max([failed, *(length for length in lengths if length < passed)])

    doubling = sorted({smallest, *(2**i for i in range(len(whole).bit_length())), len(whole)})
    lengths = [length for length in doubling if smallest <= length <= len(whole)]
    while lengths and passed > len(whole) and not budget.refused:
        narrow(lengths[:_AT_ONCE])
        lengths = lengths[_AT_ONCE:]
    if passed > len(whole):
        return SmallestSet(None, len(budget.known), budget.refused)
    while passed - failed > 1 and not budget.refused:
        narrow(sorted({failed + (passed - failed) * i // (_AT_ONCE + 1) for i in range(1, _AT_ONCE + 1)} - {failed}))
    chosen = whole[:passed]
    for member in reversed(whole[:passed]):
        without = tuple(other for other in chosen if other != member)
        if len(without) >= smallest and all(budget.passes([without])):
            chosen = without
    return SmallestSet(chosen, len(budget.known), budget.refused)


@dataclasses.dataclass(frozen=True)
class MinimalSets:
    """The examples that a prediction depends on, found by retraining the explained model.

    Attributes:
        necessary: without these another answer is the most probable.
        instead: that answer, for people; None if no set was found.
        sufficient: with these alone, of all examples that share something with the question, the prediction stays.
        confirmed_necessary, confirmed_sufficient: in how many trainings of other seeds the set does the same; None: no
            set was found.
        found: both sets, for people.
    """

    necessary: SmallestSet
    instead: str | None
    sufficient: SmallestSet
    confirmed_necessary: Confirmation | None = None
    confirmed_sufficient: Confirmation | None = None
    found: tuple[Found, ...] = dataclasses.field(default=(), repr=False)

    def __repr__(self) -> str:
        both = (
            ("needed", self.necessary, self.confirmed_necessary),
            ("enough", self.sufficient, self.confirmed_sufficient),
        )
        parts = []
        for name, part, confirmed in both:
            count = 0 if part.example_ids is None else len(part.example_ids)
            size = "none found" if part.example_ids is None else f"{count} example{'' if count == 1 else 's'}"
            parts.append(f"{name}: {size}" + (f", {confirmed.held} of {confirmed.trainings}" if confirmed else ""))
        return f"MinimalSets({'; '.join(parts)})"

    def _repr_html_(self) -> str:
        """For notebooks: what was found, with the examples by name."""
        told = []
        for part in self.found:
            told += [html_text.line(part.title, strong=True), html_text.line(part.text)]
            told += [html_text.table(part.examples)] if len(part.examples) else []
        return html_text.block(told)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = dataclasses.asdict(dataclasses.replace(self, found=()))
        del told["found"]
        return told


def refuse_without_alternatives(has_alternatives: bool) -> None:
    """Refuses questions that have one answer only.

    Raises:
        InputError: if the prediction has no other answer that it could change to.
    """
    if not has_alternatives:
        raise InputError(
            "minimal sets are of predictions among several answers; the rating of an item has no other to change to: "
            "ask with ? in the item's place."
        )


def refuse_groups() -> None:
    """Refuses groups of questions.

    Raises:
        InputError: saying why.
    """
    raise InputError("minimal sets are of one prediction, which another may replace; a group has none to change to.")


def refuse_unless_top(asker: Asker, answer: Answer) -> None:
    """Refuses an answer that is not the most probable new one.

    Raises:
        InputError: if the explained answer is not the most probable new one, so that there is nothing to change.
    """
    query = answer.explanation.query
    if isinstance(query, Combination):
        if not query.is_difference:
            refuse_groups()
        if answer.value > 0:
            return
        raise InputError(f"minimal sets are of an answer that is ahead of the other; {answer.predicted} is not.")
    refuse_without_alternatives(asker.task.answer_of(query) is not None)
    if asker.task.top(asker.trained.parameters, query) != asker.task.answer_of(query):
        raise InputError(
            f"minimal sets are of the most probable new answer; {answer.predicted} is not: ask with ? in its place."
        )


def minimal_sets(
    asker: Asker, answer: Answer, *, most: int = 100, jobs: int = 1, seeds: int = LEAST_SEEDS
) -> MinimalSets:
    """Searches for both sets along an answer's explanation, and confirms them in trainings of other seeds.

    Args:
        asker: the asker of the explained model.
        answer: an answer of this asker.
        most: how many retrainings each of the two searches may take.
        jobs: trainings at a time; they change no result.
        seeds: in how many trainings a set is confirmed: the explained one, and others of other seeds.

    Raises:
        InputError: if the explained answer is not the most probable new one, so that there is nothing to change; or
            most, jobs, or seeds is too small.
    """
    check_seeds(seeds)
    check_jobs(jobs)
    whole_number("most", most, flag="most_retrainings")
    refuse_unless_top(asker, answer)
    task, explanation = asker.task, answer.explanation
    query = explanation.query
    predicted = explained_answer(task, query)
    # The related examples in the method's order; those that it does not rank come last.
    related, ranked = related_to(task, query), explanation.example_ids
    candidates = [*ranked[np.isin(ranked, related)].tolist(), *np.setdiff1d(related, ranked).tolist()]
    if asker.trained.goes_on and asker.checker.tops_without(query, [np.zeros(0, np.int64)], jobs) != [predicted]:
        raise InputError(
            f"minimal sets need a prediction that stays if the training goes on with all examples; {answer.predicted} "
            "is then no longer the best."
        )
    instead: dict[tuple[int, ...], int | None] = {}
    with progress("retrainings", 2 * most) as bar:

        def changes(sets: Sequence[tuple[int, ...]]) -> list[bool]:
            tops = asker.checker.tops_without(query, [np.array(chosen, np.int64) for chosen in sets], jobs, bar)
            instead.update(zip(sets, tops, strict=True))
            return [top != predicted for top in tops]

        def stays(sets: Sequence[tuple[int, ...]]) -> list[bool]:
            tops = asker.checker.tops_without(query, [np.setdiff1d(related, chosen) for chosen in sets], jobs, bar)
            return [top == predicted for top in tops]

        necessary = smallest_set(ranked[explanation.influences > 0].tolist(), changes, most=most)
        bar.pass_over(most - necessary.retrainings)
        sufficient = smallest_set(candidates, stays, most=most, smallest=0)
    other = None if necessary.example_ids is None else instead[necessary.example_ids]
    name = None
    if other is not None:
        name = answer.about.other if isinstance(answer.about, RatherThan) else task.answer_name(query, other)
    confirmed = _confirmed(asker, query, MinimalSets(necessary, name, sufficient), seeds, jobs)
    return dataclasses.replace(confirmed, found=tuple(found_sets(asker, answer, confirmed)))


def _confirmed(asker: Asker, query: Any, found: MinimalSets, seeds: int, jobs: int) -> MinimalSets:
    """The same, confirmed by trainings of other seeds."""
    predicted, related = explained_answer(asker.task, query), related_to(asker.task, query)
    removals = {}
    if found.necessary.example_ids is not None:
        removals["confirmed_necessary"] = np.array(sorted(found.necessary.example_ids), np.int64)
    if found.sufficient.example_ids is not None:
        removals["confirmed_sufficient"] = np.setdiff1d(related, found.sufficient.example_ids)
    if not removals:
        return found
    whole, *afters = asker.checker.tops(query, list(removals.values()), seeds, jobs)
    confirmed = {
        name: Confirmation.of(predicted, whole, after, stays=name == "confirmed_sufficient")
        for name, after in zip(removals, afters, strict=True)
    }
    return dataclasses.replace(found, **confirmed)  # type: ignore[arg-type]


def found_sets(asker: Asker, answer: Answer, minimal: MinimalSets) -> list[Found]:
    """Describes both sets for people."""
    needed, enough = (_these(part) for part in (minimal.necessary, minimal.sufficient))
    without = f"Without {needed}, {minimal.instead or 'nothing'} is predicted instead"
    alone, stays = (
        f"With {enough} alone, of all examples that share something with the question, ",
        "is still predicted",
    )
    if isinstance(answer.about, RatherThan):
        without = f"Without {needed}, {answer.about.other} is ahead of {answer.predicted}"
        stays = f"is still ahead of {answer.about.other}"
    return [
        _found(asker, answer, minimal.necessary, minimal.confirmed_necessary, "it needs", without),
        _found(
            asker,
            answer,
            minimal.sufficient,
            minimal.confirmed_sufficient,
            "that suffice",
            f"{alone}{answer.predicted} {stays}",
        ),
    ]


def _these(part: SmallestSet) -> str:
    return "this" if part.example_ids is not None and len(part.example_ids) == 1 else "these"


def _found(
    asker: Asker, answer: Answer, part: SmallestSet, confirmed: Confirmation | None, which: str, what: str
) -> Found:
    so_far = f"{part.retrainings} retrainings" + (", no more were allowed" if part.exhausted else "")
    if part.example_ids is None:
        return Found(f"The fewest {which}: none was found", f"Tried in {so_far}.")
    ids = np.array(part.example_ids, np.int64)
    examples = examples_of(asker.task, ids, answer.explanation.query).assign(example_id=ids)
    told = f" {confirmed.text(answer.predicted)}" if confirmed else ""
    return Found(f"The fewest {which}, of those tried: {len(ids)}", f"{what} ({so_far}).{told}", examples.astype(str))
