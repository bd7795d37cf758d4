"""Answers to many questions, none of which is answered before all were looked at."""

from collections.abc import Callable, Iterable

from gr_tf.asking.answer import Answer
from gr_tf.asking.question import Question
from gr_tf.errors import InputError, short
from gr_tf.runs.progress import progress


def answers_to(
    questions: Iterable[Question], check: Callable[[Question], None], answer: Callable[[Question], Answer]
) -> list[Answer]:
    """Answers each question; shows progress.

    Args:
        questions: a list of them.
        check: refuses what cannot be asked.
        answer: answers one question.

    Raises:
        InputError: if a question is refused; the message begins with its number.
    """
    if isinstance(questions, str):
        raise InputError(f"questions must be a list of questions; got one: {short(questions)}.")
    questions = list(questions)
    for number, question in enumerate(questions):
        try:
            check(question)
        except InputError as error:
            raise InputError(f"question {number}: {error.marked}") from None
    found = []
    with progress("questions answered", len(questions)) as bar:
        for question in questions:
            found.append(answer(question))
            bar.advance()
    return found
