"""Work in batches: sizes, and what dead workers had."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gr_tf.errors import TrainingError
from gr_tf.runs.pools import batches
from gr_tf.runs.pools.batches import completed
from gr_tf.runs.pools.pool import Pool, WorkerDiedError


class Here(Pool):
    """Calls in threads of this process."""

    name = "here"

    def share(self, value: Any) -> Any:
        return value

    def _start(self, jobs: int | None) -> int:
        assert jobs is not None
        return jobs

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        return function(*arguments)

    def _close(self) -> None:
        pass


@dataclasses.dataclass
class Report:
    seconds: float
    places: list[int]


def done(
    groups: Sequence[int], work: Callable[[Sequence[int]], Report], workers: int = 2
) -> tuple[list[int], list[list[int]]]:
    """The places in the order of completion, and the batches that ended."""
    pool = Here()
    pool.start(workers)
    found = list(completed(pool, groups, lambda places: (work, places), "piece"))
    pool.close()
    assert all(report.places == places for places, report in found)
    return [place for places, _ in found for place in places], [places for places, _ in found]


def test_everything_is_done_once_in_batches_of_one_group() -> None:
    groups = [0] * 50 + [1] * 30 + [0] * 5
    places, of_batches = done(groups, lambda places: Report(0.001 * len(places), list(places)))
    assert sorted(places) == list(range(len(groups)))
    assert all(len({groups[place] for place in batch}) == 1 for batch in of_batches)
    assert 10 < len(of_batches) < 60


def test_long_pieces_go_one_by_one_and_short_ones_so_that_all_end_together() -> None:
    _, long = done([0] * 12, lambda places: Report(batches.SECONDS_OF_A_BATCH * len(places), list(places)))
    assert max(map(len, long)) == 1
    _, short = done([0] * 100, lambda places: Report(1e-9, list(places)))
    assert max(map(len, short)) <= 25  # A fourth of what was left, of two workers.
    assert len(short[-1]) == 1


def test_no_more_calls_at_a_time_than_workers() -> None:
    running, most = 0, 0

    def work(places: Sequence[int]) -> Report:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.002)
        running -= 1
        return Report(1, list(places))

    done([0] * 20, work, workers=3)
    assert most == 3


def test_what_a_dead_worker_had_is_done_again_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    tries: dict[tuple[int, ...], int] = {}

    def work(places: Sequence[int]) -> Report:
        tries[tuple(places)] = tries.get(tuple(places), 0) + 1
        if 40 in places and (len(places) > 1 or tries[tuple(places)] == 1):
            raise WorkerDiedError
        return Report(0.001 * len(places), list(places))

    places, of_batches = done([0] * 60, work)
    assert sorted(places) == list(range(60))
    assert [40] in of_batches
    assert tries[(40,)] == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert "a worker of the engine here died:" in told[0]
    assert told[1].endswith("1 piece will be done again (death 2 of at most 3 in a row).")


def test_a_piece_that_kills_every_worker_ends_the_work() -> None:
    deaths = []

    def work(places: Sequence[int]) -> Report:
        if 7 in places:
            deaths.append(places)
            raise WorkerDiedError
        return Report(1, list(places))

    with pytest.raises(TrainingError, match="3 workers of the engine here died in a row at the same piece"):
        done([0] * 10, work)
    assert len(deaths) == 3


def test_an_error_of_the_work_is_the_error() -> None:
    def work(places: Sequence[int]) -> Report:
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        done([0] * 10, work)
