"""Sufficient explanations: whether the examples behind an answer carry it over to others who are given them.

Rossi et al. (2022, "Explaining link prediction systems based on knowledge graph embeddings", Kelpie) call examples
sufficient if other entities that are given them get the same answer.
"""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.asking.answer import Answer, signed
from gr_tf.asking.asker import Asker
from gr_tf.asking.page import Found
from gr_tf.data.dataset import Dataset
from gr_tf.errors import InputError, argument, whole_number
from gr_tf.evaluation.retraining import Retraining, check_jobs
from gr_tf.evaluation.statistics import mean_interval
from gr_tf.runs.progress import progress
from gr_tf.tasks.subjects import Subjects
from gr_tf.types import Ids

_MEASURE = "answers"
# What an other was given in a training.
CONDITIONS = ("nothing", "the examples", "random ones")
NOTHING, EXAMPLES, RANDOM = range(3)


@dataclasses.dataclass(frozen=True)
class Transfer:
    """What others are predicted who are given the examples, and who are not.

    Attributes:
        what: the others are called: "head".
        others: their names.
        answer: the name of the answer that is carried over.
        unit: of the predictions.
        example_ids: the examples that are given to them.
        given: how many of these each got: those that it does not have already.
        values: [3][n][seeds] the predictions: with nothing given, with the examples, and with as many random examples
            of the same subject.
        top: [3][n][seeds] whether the answer was the best one; None of kinds without alternatives.
    """

    what: str
    others: tuple[str, ...]
    answer: str
    unit: str
    example_ids: tuple[int, ...]
    given: tuple[int, ...]
    values: tuple[tuple[tuple[float, ...], ...], ...]
    top: tuple[tuple[tuple[bool, ...], ...], ...] | None

    def changes(self, condition: int) -> np.ndarray:
        """[n] the mean changes, over seeds, by what was given in EXAMPLES or RANDOM."""
        changed: np.ndarray = np.mean(np.subtract(self.values[condition], self.values[NOTHING]), axis=1)
        return changed

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each other: means over the seeds, and in how many the answer is the best; all cells are text."""
        table = pd.DataFrame({self.what: self.others, "how many": [str(count) for count in self.given]})
        for condition, name in enumerate(CONDITIONS):
            told = [f"{value:.4f}" for value in np.mean(self.values[condition], axis=1)]
            if self.top is not None:
                told = [f"{text}{_top_1(top)}" for text, top in zip(told, self.top[condition], strict=True)]
            table[f"given {name}"] = told
        return table

    @property
    def conclusion(self) -> str:
        """Says in plain words whether the examples carry the answer over, and whether random ones do as well."""
        own, random, number = self.changes(EXAMPLES), self.changes(RANDOM), len(self.others)
        others = f"{number} others" if number > 1 else "one other"
        told = [
            f"Given the examples, the {self.unit} of {self.answer} rose for {int((own > 0).sum())} of {others}, by "
            f"{signed(float(own.mean()))} on average; given as many random ones, by {signed(float(random.mean()))}."
        ]
        mean, low, _ = mean_interval((own - random).tolist())
        if low is None:
            told.append("One other is too few to tell this from chance.")
        elif low > 0:
            told.append("The examples are better than random ones (95% interval of the difference above 0).")
        elif mean > 0:
            told.append("That the examples are better than random ones is not certain.")
        else:
            told.append("The examples are NO better than random ones.")
        if self.top is not None:
            counts, seeds = [int(np.sum(top)) for top in self.top], len(self.top[NOTHING][0])
            among = others if seeds == 1 else f"{number * seeds} cases ({others} with {seeds} seeds)"
            told.append(
                f"{self.answer} is the best answer {'for' if seeds == 1 else 'in'} {counts[EXAMPLES]} of {among} with "
                f"the examples, {counts[RANDOM]} with random ones, and {counts[NOTHING]} with nothing given."
            )
        return " ".join(told)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**dataclasses.asdict(self), "conditions": CONDITIONS, "conclusion": self.conclusion}


@dataclasses.dataclass(frozen=True)
class _Other:
    """Somebody else: the query, and the ids, in the larger dataset, of what it is given."""

    name: str
    query: Any
    examples: Ids
    random: Ids


def _top_1(top: tuple[bool, ...]) -> str:
    """In how many of one's trainings the answer is the best one, to follow a number."""
    if not any(top):
        return ""
    return " (top-1)" if len(top) == 1 else f" (top-1 in {sum(top)} of {len(top)})"


def refuse_without_subjects(has_subjects: bool) -> None:
    """Refuses kinds of data whose examples are nobody's.

    Raises:
        InputError: if examples of the kind cannot be given to others.
    """
    if not has_subjects:
        raise InputError(
            "transfer gives facts of a head, or ratings of a user, to others; sequences are not given away."
        )


def refuse_going_on(goes_on: bool) -> None:
    """Refuses models that a check goes on from.

    Raises:
        InputError: if it does.
    """
    if goes_on:
        raise InputError(
            "others are given examples in a training from the start; a check of this model goes on from it."
        )


def refuse_without_others(subjects: Subjects, answer: str) -> None:
    """Refuses subjects who have nothing to give, or whom nobody is like.

    Args:
        subjects: of a query.
        answer: to the query, for people.

    Raises:
        InputError: if the subject has no other training example, or there is nobody else.
    """
    if not len(subjects.own):
        raise InputError(
            f"the {subjects.what} has no training example of its own but that with {answer}, to give away."
        )
    if not len(subjects.others):
        raise InputError(f"there is no other {subjects.what} to give the examples to: each is known to have {answer}.")


def transfer(asker: Asker, answer: Answer, *, count: int = 10, seeds: int = 1, jobs: int = 1) -> Transfer:
    """Gives the examples that support an answer to others, each in a training of its own, and asks the same of them.

    The examples are those of the question's subject among the shown supporting ones: facts of its head, ratings of its
    user. The others are drawn at random from those that occur in the subject's place, that do not have the answer, and
    that the model does not give it to. All trainings have the same examples but for what is given (the rest is masked),
    so that nothing else differs.

    Args:
        asker: the asker of the explained model.
        answer: an answer of this asker.
        count: how many others; fewer if there are not so many.
        seeds: trainings of each, with other seeds; the first has the explained model's.
        jobs: trainings at a time; they change no result.

    Raises:
        InputError: if the kind of data has no subjects, no example is the subject's, there are no others, or a number
            is below 1.
    """
    whole_number("count", count, flag="transfer")
    whole_number("seeds", seeds, flag="verify_seeds")
    check_jobs(jobs)
    refuse_without_subjects(asker.task.has_subjects)
    if not answer.is_plain:
        raise InputError("transfer is of one prediction, not of a difference or a group.")
    refuse_going_on(asker.trained.goes_on)
    subjects = asker.task.subjects(answer.explanation.query)
    refuse_without_others(subjects, answer.predicted)
    example_ids = answer.supporting_ids[np.isin(answer.supporting_ids, subjects.own)]
    if not len(example_ids):
        raise InputError(
            f"none of the shown examples that support {answer.predicted} is one of the {subjects.what}'s own: there is "
            f"nothing to give to others (a larger {argument('k')} shows more)."
        )
    others, added = _others(asker, answer, subjects, example_ids, count)
    values, top = _measured(asker, answer, subjects.with_added(added), others, seeds, jobs)
    return Transfer(
        subjects.what,
        tuple(one.name for one in others),
        answer.predicted,
        answer.unit,
        tuple(example_ids.tolist()),
        tuple(len(one.examples) for one in others),
        values,
        top if asker.task.answer_of(answer.explanation.query) is not None else None,
    )


def found_transfer(moved: Transfer) -> Found:
    """Describes a transfer for people."""
    count = len(moved.example_ids)
    examples = f"{count} supporting examples" if count > 1 else "supporting example"
    title = f"Do they carry the prediction over? The {moved.what}'s {examples}, given to others"
    return Found(title, moved.conclusion, moved.frame, "others")


def _others(
    asker: Asker, answer: Answer, subjects: Subjects, example_ids: Ids, count: int
) -> tuple[list[_Other], list[tuple[Any, ...]]]:
    """Draws the others, and what each is given: examples to be added to the dataset, in this order."""
    task, wanted = asker.task, asker.task.answer_of(answer.explanation.query)
    generator = np.random.default_rng(task.config.seed)
    others, added = list[_Other](), list[tuple[Any, ...]]()
    for other in generator.permutation(subjects.others).tolist():
        if len(others) == count:
            break
        query = subjects.query_of(other)
        if wanted is not None and task.top(asker.trained.parameters, query) == wanted:
            continue
        given = subjects.given_to(other, example_ids)
        rest = generator.permutation(np.setdiff1d(subjects.own, example_ids))
        random = subjects.given_to(other, rest)[: len(given)]
        if given and len(random) == len(given):
            ids = task.num_examples + len(added) + np.arange(2 * len(given))
            others.append(_Other(subjects.name_of(other), query, *np.split(ids, 2)))
            added += [*given, *random]
    if not others:
        raise InputError(
            f"there is no other {subjects.what} to give the examples to: each has the answer or the examples already, "
            "or there are not as many random ones to compare with."
        )
    return others, added


def _measured(
    asker: Asker, answer: Answer, dataset: Dataset, others: list[_Other], seeds: int, jobs: int
) -> tuple[Any, Any]:
    """Transfer.values and Transfer.top."""
    task, everything = asker.task.with_dataset(dataset), np.arange(asker.task.num_examples, dataset.num_examples)
    # Of each seed: one training with nothing given, for all others, then two for each other.
    asked, keys, known = list[Retraining](), list[tuple[int, int, int]](), list[Any]()
    for seed in range(seeds):
        member = task.member(seed, ["seed"])
        known.append(member)
        like = {"task": member.reference, "seed": member.config.seed}
        nothing = [one.query for one in others]
        asked.append(Retraining.of(asker.trained, everything, _MEASURE, nothing, **like))
        keys.append((NOTHING, -1, seed))
        for number, one in enumerate(others):
            for condition, kept in ((EXAMPLES, one.examples), (RANDOM, one.random)):
                removed = np.setdiff1d(everything, kept)
                asked.append(Retraining.of(asker.trained, removed, _MEASURE, [one.query], **like))
                keys.append((condition, number, seed))
    values, top = np.zeros((3, len(others), seeds)), np.zeros((3, len(others), seeds), bool)
    wanted = task.answer_of(answer.explanation.query)
    with progress("retrainings", sum(len(task.steps.blocks(one.length)) for one in asked)) as bar:
        told = {"on_found": bar.pass_over, "on_block": bar.advance}
        for place, outcome in asker.checker.retrain(asked, jobs, known=known, **told):
            condition, number, seed = keys[place]
            where = slice(None) if number < 0 else slice(number, number + 1)
            values[condition, where, seed] = [value for value, _ in outcome.measured]
            top[condition, where, seed] = [best == wanted for _, best in outcome.measured]
    return _tuples(values.tolist()), _tuples(top.tolist())


def _tuples(nested: Any) -> Any:
    return tuple(map(_tuples, nested)) if isinstance(nested, list) else nested
