"""Counts the trainings that checks do, and interrupts them."""

from collections.abc import Iterator, Sequence
from typing import Any

from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Outcome, Retraining


class Counter:
    """Takes the place of `retrain`: counts the trainings, and interrupts them after some.

    Attributes:
        done: how many there were.
        most: how many are done before the interruption; None: there is none.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self, most: int | None = None) -> None:
        """Counts anew."""
        self.done, self.most = 0, most

    def retrain(self, asked: Sequence[Retraining], jobs: int, **other: Any) -> Iterator[tuple[int, Outcome]]:
        """See many_retrainings.retrain."""
        for found in retrain(asked, jobs, **other):
            if self.done == self.most:
                raise KeyboardInterrupt
            self.done += 1
            yield found
