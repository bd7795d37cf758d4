"""Questions as people write them: a text with commas, or the parts in a tuple or list."""

import numbers
from collections.abc import Sequence
from typing import Any

from gr_tf.asking.answer import parse_question
from gr_tf.errors import InputError, short

# Parts may be whole numbers, as names in a DataFrame may be.
Question = str | Sequence[str | int]


def parts_of(question: Any) -> tuple[str, ...]:
    """The parts of a question; those of a tuple or list are taken as they stand, without quotes or blanks to strip.

    Raises:
        InputError: if it is neither a text nor a sequence of texts or whole numbers; the message says which part.
    """
    if isinstance(question, str):
        return parse_question(question)
    if not isinstance(question, Sequence) or isinstance(question, bytes):
        want = 'a text such as "a,b,?", or a tuple of its parts'
        raise InputError(f"a question is {want}; got {short(question)}.")
    return tuple(name_of(part, f"part {place} of the question") for place, part in enumerate(question))


def name_of(value: Any, what: str) -> str:
    """A name as text; `what` says in messages what it is.

    Raises:
        InputError: if it is neither text nor a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, str | numbers.Integral):
        raise InputError(f"{what} must be text or a whole number; got {short(value)}.")
    return str(value)
