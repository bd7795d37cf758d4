"""The best few answers to an open question, each with its reasons."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr_tf.asking.about import About
from gr_tf.asking.answer import Answer, shown
from gr_tf.asking.check import Check
from gr_tf.asking.checks import Checks
from gr_tf.asking.looks import value_at
from gr_tf.asking.question import Question, parts_of
from gr_tf.asking.told import doubts, examples_frame
from gr_tf.errors import InputError, short, whole_number
from gr_tf.tasks.task import OPEN

if TYPE_CHECKING:
    from gr_tf.asking.asker import Asker


def top_answers(
    asker: "Asker", question: Question, n: int = 5, method: str | None = None, k: int = 10, trainings: int = 1
) -> list[Answer]:
    """The n best answers to a question, each explained; all are explained together.

    Args:
        asker: of the model.
        question: an open one, such as "alice,?", or its parts.
        n: how many answers; there are fewer where fewer are left to answer.
        method, k, trainings: see Asker.answer.

    Returns:
        The answers, the best first; the first is Asker.answer's. All have the same alternatives: these answers.

    Raises:
        InputError: if n is below 1, or the question leaves nothing open; see also Asker.answer.
    """
    check_top(parts_of(question), n)
    first = asker.answer(question, method, k, trainings)
    task, query = asker.task, first.explanation.query
    best = task.best(asker.trained.parameters, query, n)
    others = [task.with_answer(query, answer) for answer, _ in best[1:]]
    alternatives = task.alternatives(query, [(answer, shown(value)) for answer, value in best])
    # What is to be doubted of all explanations of this question.
    own = list(doubts(first.explanation))
    common = tuple(warning for warning in first.warnings if warning not in own)
    answers = [dataclasses.replace(first, alternatives=alternatives)]
    explainer = asker.explainer(first.method, trainings)
    for other in others:
        explanation = explainer.rank_lazily(other, k)
        predicted = task.names_of(other)[task.answer_place(other)]
        answers.append(
            dataclasses.replace(
                first,
                predicted=predicted,
                value=value_at(task, asker.trained.parameters, other),
                about=About(predicted, first.unit),
                explanation=explanation,
                frame=examples_frame(task, explanation, k),
                alternatives=alternatives,
                warnings=(*common, *doubts(explanation)),
            )
        )
    return answers


def check_top(parts: Sequence[str], n: int) -> None:
    """Refuses a question that has no best few answers, before any data are read.

    Raises:
        InputError: if n is below 1, or no part is left open.
    """
    whole_number("n", n, flag="top")
    if OPEN not in parts:
        raise InputError(
            f"the best answers are of a question with {OPEN} for its answer; got {short(','.join(parts))}."
        )


def check_answers(
    asker: "Asker", answers: Sequence[Answer], seeds: int = 1, jobs: int = 1, *, controls: bool = True
) -> list[Checks]:
    """Checks each answer; see Asker.check_all."""
    return asker.check_all(answers, seeds, jobs, controls=controls)


def answers_frame(answers: Sequence[Answer]) -> pd.DataFrame:
    """The examples of all answers in one table, by name, with a column for the answer."""
    frames = [answer.named.assign(answer=answer.predicted) for answer in answers]
    whole = pd.concat(frames, ignore_index=True)
    return whole[["answer", *(column for column in whole.columns if column != "answer")]]


def answers_dict(answers: Sequence[Answer], checks: Sequence[Sequence[Check]]) -> list[dict[str, Any]]:
    """For JSON: each answer with its checks; the alternatives, which are these answers, are not repeated."""
    told = []
    for answer, own in zip(answers, checks, strict=True):
        one = answer.to_dict()
        del one["alternatives"]
        told.append({**one, "checks": [check.to_dict() for check in own]})
    return told
