"""Refuses before a training what its result could not answer: what the data and the settings tell already."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from gr_tf.asking.checker import refuse_own_length
from gr_tf.asking.rather_than import other_query, refuse_same
from gr_tf.asking.transfer import refuse_going_on, refuse_without_others
from gr_tf.errors import InputError, argument
from gr_tf.runs.pools.chosen import chosen
from gr_tf.tasks.task import Task


def refuse_question(
    task: Task[Any],
    parts: Sequence[str],
    *,
    rather_than: str | None = None,
    swaps: bool = False,
    searches: bool = False,
) -> None:
    """Refuses a question that no model of the task could answer as it is asked.

    Args:
        task: that will be trained.
        parts: of the question; empty: a group is asked about, and nothing is refused.
        rather_than: the other answer, if there is one.
        swaps: whether another item than the best is to win; see item_swap.
        searches: whether smallest sets are asked for; see minimal_sets.

    Raises:
        InputError: if nothing is left to answer, or only one answer where two are needed; if both answers are the same;
            or if minimal sets are asked for of an answer that is known, so that it is never predicted.
    """
    if not parts:
        return
    query, is_open = task.read_question(parts)
    if is_open:
        task.ask(task.initial_parameters, parts)
        if swaps and len(task.best(task.initial_parameters, query, 2)) < 2:
            raise InputError(
                f"an item swap is of the best item and a runner-up; ({', '.join(parts)}) has only one item "
                "left to answer."
            )
    elif rather_than is not None:
        refuse_same(task, query, other_query(task, parts, rather_than), rather_than)
    elif searches:
        possible = dict(task.best(task.initial_parameters, query, sys.maxsize))
        if task.answer_of(query) not in possible:
            name = task.names_of(query)[task.answer_place(query)]
            raise InputError(
                f"minimal sets are of the most probable new answer; {name} is known already: ask with ? in its place."
            )


def refuse_transfer(task: Task[Any], parts: Sequence[str], *, given: bool) -> None:
    """Refuses a transfer that could not be done with any model of the task.

    Args:
        task: that will be trained.
        parts: of the question.
        given: whether the model was trained elsewhere.

    Raises:
        InputError: see transfer; if the answer is open, only what does not depend on it.
    """
    refuse_going_on(given or task.continues)
    query, is_open = task.read_question(parts)
    if not is_open:
        refuse_without_others(task.subjects(query), task.names_of(query)[task.answer_place(query)])


def refuse_retraining(task: Task[Any], length: int | None, *, trainings: int, seeds: int) -> None:
    """Refuses retrainings that cannot be done: their length, engine, or seeds.

    Args:
        task: that will be trained.
        length: of a retraining; None: none is named.
        trainings: over how many an explanation is averaged.
        seeds: of the checks, which come after these; 0: nothing is checked.

    Raises:
        InputError: see Checker; also if the last seed is out of range, or the engine cannot take the task.
    """
    if seeds and chosen() is not None:
        task.movable()
    if length is not None:
        refuse_own_length(task.continues)
    more = trainings - 1 + seeds if trainings > 1 else max(seeds - 1, 0)
    names = task.seeds if trainings > 1 else ("seed",)
    try:
        dataclasses.replace(task.config, **{name: getattr(task.config, name) + more for name in names})
    except InputError as error:
        raise InputError(f"{argument('seed')} leaves too few seeds for {more} more trainings: {error.marked}") from None
