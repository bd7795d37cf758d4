"""Why not another answer: the query of the same question with that answer."""

from collections.abc import Sequence
from typing import Any

from gr_tf.errors import InputError, argument, short
from gr_tf.tasks.task import OPEN, Task


def refuse_same(task: Task[Any], query: Any, other: Any, answer: str) -> None:
    """Refuses another answer that is the explained one.

    Args:
        task: that is asked.
        query, other: with the explained answer, and with the other.
        answer: the other, as the user named it.

    Raises:
        InputError: if they are the same.
    """
    if query == other:
        mine = task.names_of(query)[task.answer_place(query)]
        raise InputError(
            f"{argument('rather_than')} must name another answer than {mine}, which is explained; got {short(answer)}."
        )


def other_query(task: Task[Any], parts: Sequence[str], answer: str) -> Any:
    """The query of a question with another answer.

    Args:
        task: that is asked.
        parts: of the question; its answer may be open.
        answer: the other answer, as it would stand in the question.

    Raises:
        InputError: if a part is unknown, or no answer is named.
    """
    if answer.strip() in ("", OPEN):
        raise InputError(f"{argument('rather_than')} must name one answer; got {short(answer)}.")
    query, _ = task.read_question(parts)
    # A history has more parts than its question, if a user is named; then, too, the answer is the last.
    place = task.answer_place(query) if len(task.names_of(query)) == len(parts) else len(parts) - 1
    return task.same_question(query, task.read_question([*parts[:place], answer.strip(), *parts[place + 1 :]])[0])
