"""What people are shown of an explanation: its strongest examples, and the reasons to doubt it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.attribution.base import Explanation, counted
from gr_tf.attribution.combined import Combination, num_related, queries_of
from gr_tf.tasks.task import Task
from gr_tf.types import Ids

# A sign that all trainings agree on is seldom certain among hundreds if there are fewer.
_FEW_TRAININGS = 10


def examples_frame(task: Task[Any], explanation: Explanation[Any], k: int) -> pd.DataFrame:
    """See Answer.frame."""
    chosen = explanation.strongest(k)
    frame = examples_of(task, chosen.example_ids, explanation.query)
    frame.insert(0, "influence", chosen.influences)
    certain = explanation.sign_is_certain
    if certain is not None:
        is_certain = np.isin(chosen.example_ids, explanation.example_ids[certain])
        frame.insert(1, "standard error", chosen.standard_errors)
        frame.insert(2, "sign", np.where(is_certain, "certain", "not certain"))
    if chosen.sign_chances is not None and chosen.standard_errors is not None:
        frame.insert(1, "95% interval", [f"+-{1.96 * error:.4f}" for error in chosen.standard_errors])
        frame.insert(2, "sign is right", [_of_100(chance) for chance in chosen.sign_chances])
    if chosen.agreeing is not None:
        frame.insert(3, "same sign in", [f"{count} of {chosen.num_trainings}" for count in chosen.agreeing])
    return frame.assign(example_id=chosen.example_ids)


def _of_100(chance: float) -> str:
    """A chance for people, never of 0 or 100."""
    return f"{min(max(round(100 * chance), 1), 99)} in 100"


def examples_of(task: Task[Any], example_ids: Ids, query: Any) -> pd.DataFrame:
    """See Task.examples; of a combination, too.

    Of one answer rather than another, the connections with both are told; of a group, with how many of its questions an
    example shares something.
    """
    first, *others = queries_of(query)
    frame = task.examples(example_ids, first)
    if not isinstance(query, Combination):
        return frame
    if query.is_difference:
        other = task.examples(example_ids, others[0])["connection"]
        frame.insert(list(frame).index("connection") + 1, "connection with the other", other)
        return frame
    counts = num_related(task, query)[example_ids]
    return frame.assign(connection=[f"{count:,} of {1 + len(others):,} questions" for count in counts.tolist()])


def doubts(explanation: Explanation[Any]) -> Iterator[str]:
    """Yields each reason to doubt the influences once."""
    systems = explanation.systems
    yield from counted((warning for system in systems for warning in system.warnings), len(systems), "systems")
    yield from explanation.warnings
    certain = explanation.sign_is_certain
    if certain is not None and explanation.num_supporting and not certain[0]:
        yield _doubt(explanation)


def _doubt(explanation: Explanation[Any]) -> str:
    """That not even the first sign is certain, and what would make it so."""
    trainings, tested = explanation.num_trainings, f"among {len(explanation.influences):,} tested"
    agree = 0 if explanation.agreeing is None else int(explanation.agreeing[0])
    told = f"{agree} of {trainings} trainings agree that the first example supports it"
    more = "; so few trainings can hardly make a sign certain: try 20" if trainings < _FEW_TRAININGS else ""
    return f"{told}, but not even its sign is certain {tested} (false discovery rate 5%){more}"
