"""Much work in batches of seconds, so that sending them costs little; what a dead worker had is done again."""

import collections
import concurrent.futures
import dataclasses
import math
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Protocol

from gr_tf.errors import TrainingError
from gr_tf.runs.pools.pool import Pool, WorkerDiedError

# A batch takes about so long, if there are enough pieces. A dead worker loses one batch.
SECONDS_OF_A_BATCH = 5.0
# How many workers in a row may die at the same piece of work.
MOST_DEATHS = 3


class Report(Protocol):
    """What the function of a batch gives.

    Attributes:
        seconds: how long it worked.
    """

    @property
    def seconds(self) -> float:
        """See above."""


def size_of_batch(seconds: float, left: int, workers: int) -> int:
    """How many pieces: as many as take the wanted time, but so few that all workers end at about the same time.

    Args:
        seconds: of a piece.
        left: how many pieces are left.
        workers: how many calls are done at a time.
    """
    return max(1, min(int(SECONDS_OF_A_BATCH / max(seconds, 1e-6)), math.ceil(left / (2 * workers))))


@dataclasses.dataclass
class _Batch:
    """Pieces of work by their places, and how many workers died at them."""

    places: list[int]
    deaths: int = 0


def completed(
    pool: Pool,
    groups: Sequence[Hashable],
    call: Callable[[Sequence[int]], tuple[Any, ...]],
    what: str,
) -> Iterator[tuple[list[int], Any]]:
    """Does pieces of work in batches.

    Args:
        pool: the workers, which run.
        groups: of each piece: pieces of one group may be in one batch.
        call: from the places of a batch to a function, and its arguments; the function gives a Report.
        what: what a piece is called, for messages.

    Yields:
        Places, and the function's result, in the order of completion.

    Raises:
        TrainingError: if MOST_DEATHS workers in a row died at the same piece.
    """
    left = _Left(groups, pool.workers)
    running: dict[concurrent.futures.Future[Any], _Batch] = {}
    try:
        while running or left:
            while left and len(running) < pool.workers:
                batch = left.next()
                function, *arguments = call(batch.places)
                running[pool.submit(function, *arguments)] = batch
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                batch = running.pop(future)
                try:
                    report = future.result()
                except WorkerDiedError:
                    left.again(batch, pool.name, what)
                    continue
                left.took(batch, report.seconds)
                yield batch.places, report
    finally:
        for future in running:
            future.cancel()


class _Left:
    """What is still to be done, and how large batches should be."""

    def __init__(self, groups: Sequence[Hashable], workers: int) -> None:
        self._groups, self._workers = groups, workers
        self._places = collections.deque(range(len(groups)))
        self._again: collections.deque[_Batch] = collections.deque()
        # Of each group: the least seconds of a piece; a worker's first piece takes longer.
        self._seconds: dict[Hashable, float] = {}

    def __bool__(self) -> bool:
        return bool(self._places or self._again)

    def next(self) -> _Batch:
        """The next pieces."""
        if self._again:
            return self._again.popleft()
        group = self._groups[self._places[0]]
        places: list[int] = []
        size = self._size(group)
        while self._places and len(places) < size and self._groups[self._places[0]] == group:
            places.append(self._places.popleft())
        return _Batch(places)

    def _size(self, group: Hashable) -> int:
        """How many pieces; of a group of which none is done yet, one."""
        return size_of_batch(self._seconds[group], len(self._places), self._workers) if group in self._seconds else 1

    def took(self, batch: _Batch, seconds: float) -> None:
        """Learns how long a batch took."""
        group = self._groups[batch.places[0]]
        self._seconds[group] = min(seconds / len(batch.places), self._seconds.get(group, math.inf))

    def again(self, batch: _Batch, engine: str, what: str) -> None:
        """Puts back what a dead worker had, one by one: what kills a worker is then known.

        Raises:
            TrainingError: if too many died at it.
        """
        deaths, count = batch.deaths + 1, len(batch.places)
        if deaths >= MOST_DEATHS:
            raise TrainingError(
                f"{deaths} workers of the engine {engine} died in a row at the same {what}: they were killed, perhaps "
                "because the machine has too little memory for so many at a time: want fewer jobs."
            )
        told = f"a worker of the engine {engine} died: {count} {what}{'s' if count > 1 else ''} will be done again"
        print(f"{told} (death {deaths} of at most {MOST_DEATHS} in a row).", file=sys.stderr, flush=True)
        self._again.extend(_Batch([place], deaths) for place in batch.places)
