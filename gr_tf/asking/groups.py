"""Groups of questions: which training examples help or hurt all of them."""

import collections
import dataclasses
import difflib
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from gr_tf.asking.answer import parse_question
from gr_tf.data.named_tables import SUFFIXES, read_named
from gr_tf.errors import InputError, short
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.task import Task

# The splits whose questions may be asked about, and how many answers are a question's best.
SPLITS = {"test": "test", "valid": "validation"}
NUM_BEST = 10
_BEST = "best"
# A question as text, or its parts.
Question = str | Sequence[str]


@dataclasses.dataclass(frozen=True)
class Group:
    """Several questions with their answers.

    Attributes:
        name: of the group, for people.
        queries: each once, in the order of asking.
        repeated: how many more there were.
    """

    name: str
    queries: tuple[Any, ...]
    repeated: int


def group_of(task: Task[Any], asked: str | Sequence[Question], parameters: Parameters | None = None) -> Group:
    """The questions of a group.

    Args:
        task: that is asked.
        asked: what `help_of` lists; or questions. Of a question whose answer is open, the best answer is meant.
        parameters: of the model that gives best answers; None: any answer stands in for them, to see early whether
            the group can be asked about.

    Raises:
        InputError: if there is no such group, it is empty, or a question cannot be read; naming the file's line.
    """
    name, found = _named(task, asked, parameters) if isinstance(asked, str) else ("", _listed(task, asked, parameters))
    queries = list(found)
    if not queries:
        raise InputError(f"the group has no question; got {short(asked)}.")
    distinct = tuple(dict.fromkeys(queries))
    return Group(name or f"these {len(distinct):,} questions", distinct, len(queries) - len(distinct))


def help_of(columns: Sequence[str]) -> str:
    """What a group may be, for messages."""
    parts = ", ".join(f"{column}:NAME" for column in columns)
    return (
        f"test or valid (what was held out), {parts} (what was held out and has it), {_BEST}:QUESTION (the best "
        f"{NUM_BEST} answers to an open question), or a table of questions with columns {','.join(columns)}"
    )


def _named(task: Task[Any], asked: str, parameters: Parameters | None) -> tuple[str, Iterator[Any]]:
    """The name of a group that is given as text, and its queries."""
    if asked in SPLITS:
        return f"the {SPLITS[asked]} questions", (query for query, _ in task.asked_by(asked))
    part, colon, name = asked.partition(":")
    if colon and part in task.columns:
        return f"the held-out questions with {part} {name}", _with_part(task, part, name)
    if colon and part == _BEST:
        return f"the best answers to ({name})", _best(task, name, parameters)
    path = pathlib.Path(asked)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"a group is {help_of(task.columns)}; got {short(asked)}.")
    return f"the questions of {path.name}", _of_file(task, path, parameters)


def _with_part(task: Task[Any], part: str, name: str) -> Iterator[Any]:
    """Yields the held-out questions with a name in one part.

    Raises:
        InputError: if there is none.
    """
    place, names = task.columns.index(part), collections.Counter[str]()
    found = []
    for split in SPLITS:
        for query, parts in task.asked_by(split):
            names.update(set(parts[place]))
            if name in parts[place]:
                found.append(query)
    if not found:
        close = difflib.get_close_matches(name, names, n=3)
        hint = f" Did you mean {' or '.join(map(short, close))}?" if close else ""
        raise InputError(f"no held-out question (validation, test) has the {part} {short(name)}.{hint}")
    yield from found


def _best(task: Task[Any], question: str, parameters: Parameters | None) -> Iterator[Any]:
    parts = parse_question(question)
    query, is_open = task.read_question(parts)
    if not is_open:
        raise InputError(f"{_BEST}:QUESTION leaves a part of the question open with ?; got {short(question)}.")
    answers = task.best(parameters or task.initial_parameters, query, NUM_BEST)
    if not answers:
        raise InputError(f"({question}) has nothing left to answer: {task.all_known(query)}.")
    yield from (task.with_answer(query, answer) for answer, _ in answers)


def _of_file(task: Task[Any], path: pathlib.Path, parameters: Parameters | None) -> Iterator[Any]:
    frame = read_named(path, task.columns)
    for line, parts in zip(frame.index.tolist(), frame[list(task.columns)].values.tolist(), strict=True):
        try:
            yield _query(task, parts, parameters)
        except InputError as error:
            raise InputError(f"{path}:{line}: {error.marked}") from None


def _listed(task: Task[Any], asked: Sequence[Question], parameters: Parameters | None) -> Iterator[Any]:
    for question in asked:
        yield _query(task, parse_question(question) if isinstance(question, str) else question, parameters)


def _query(task: Task[Any], parts: Sequence[str], parameters: Parameters | None) -> Any:
    """The query of a question; with the best answer if that is open."""
    return task.read_question(parts)[0] if parameters is None else task.ask(parameters, parts)[0]
