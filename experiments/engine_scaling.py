"""How many workers are of use? Measures what an engine costs the one process that asks, and simulates many workers.

python -m experiments.engine_scaling --engine=ray

The command sends each batch, receives it, and writes its outcomes: work of one core, however many workers there are.
It is measured with retrainings that do nothing; then a training's seconds, `--training_seconds`, are added on paper.
"""

import dataclasses
import heapq
import pathlib
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from gr_tf.commands import common, engine_flags, run_flags
from gr_tf.errors import InputError
from gr_tf.evaluation.outcomes import FIELDS
from gr_tf.report.tables import as_text
from gr_tf.runs.journal import Journal
from gr_tf.runs.pools import batches, chosen
from gr_tf.runs.run_dir import RunDir

common.adopt(engine_flags, run_flags)

NAME = "engine_scaling"
_TRAININGS = flags.DEFINE_integer(
    "retrainings", 600, "How many: 100 predictions in six rows of a table.", lower_bound=1
)
_SECONDS = flags.DEFINE_list("training_seconds", ["0.07", "1", "60"], "Seconds of a retraining, some to compare.")
_START = flags.DEFINE_float("start_seconds", 15.0, "Seconds until a worker has loaded and compiled.", lower_bound=0.0)
_WORKERS = flags.DEFINE_list("workers", ["1", "2", "10", "100", "1000", "10000"], "How many workers, some to compare.")
_MEASURED = 300
# Training times differ by so much (the standard deviation of their logarithm).
_SPREAD = 0.1


@dataclasses.dataclass(frozen=True)
class Costs:
    """Seconds of the process that asks.

    Attributes:
        batch: to send one, and to receive its report.
        outcome: to write one.
    """

    batch: float
    outcome: float


@dataclasses.dataclass(frozen=True)
class _Report:
    seconds: float


def nothing(places: Sequence[int]) -> _Report:
    """What a worker does in the measurement: batches of one."""
    return _Report(batches.SECONDS_OF_A_BATCH)


def measure(jobs: int) -> Costs:
    """Measures the engine that the flags name.

    Raises:
        InputError: if that is threads, which send nothing.
    """
    pool = chosen.chosen()
    if pool is None:
        raise InputError("--engine=threads sends nothing to anybody: name processes, ray, or dask.")
    pool.start(jobs)
    shared = pool.share(np.zeros(1_000))

    def run(count: int) -> None:
        # As long as real arguments: some retrainings, and shared data.
        for _ in batches.completed(pool, [0] * count, lambda places: (_with_data, "x" * 3_000, shared), "measurement"):
            pass

    run(2 * jobs)
    start = time.process_time()
    run(_MEASURED)
    batch = (time.process_time() - start) / _MEASURED
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(pathlib.Path(folder) / "retrainings.jsonl", FIELDS)
        record: dict[str, Any] = dict.fromkeys(FIELDS, 0) | {"measured": [[0.123456789, 17]], "removed": [1, 2, 3]}
        start = time.process_time()
        for _ in range(_MEASURED):
            journal.add(record)
        outcome = (time.process_time() - start) / _MEASURED
        journal.close()
    return Costs(batch, outcome)


def _with_data(asked: str, data: Any) -> _Report:
    return nothing([len(asked)])


def simulate(trainings: int, seconds: float, workers: int, costs: Costs, start: float) -> float:
    """The seconds until all is done: workers side by side, and one process that sends and receives in turn."""
    lengths = seconds * np.random.default_rng(0).lognormal(sigma=_SPREAD, size=trainings)
    # When each worker is free, or brings a batch of so many; all wait for the first batch at the same time.
    free, done, asker = [(0.0, number, 0) for number in range(min(workers, trainings))], 0, 0.0
    started, end = set[int](), 0.0
    while free:
        when, number, brought = heapq.heappop(free)
        asker = max(asker, when) + costs.batch / 2 * (brought > 0) + costs.outcome * brought
        end = asker if brought else end
        if done == trainings:
            continue
        size = batches.size_of_batch(seconds, trainings - done, workers)
        asker += costs.batch / 2
        work = float(lengths[done : done + size].sum()) + (0 if number in started else start)
        started.add(number)
        heapq.heappush(free, (asker + work, number, min(size, trainings - done)))
        done = min(done + size, trainings)
    return end


def rows(trainings: int, seconds: Sequence[float], workers: Sequence[int], costs: Costs, start: float) -> list[Any]:
    """For each length of a training and number of workers: the seconds, how many times faster, and how much is idle."""
    found = []
    for each in seconds:
        alone = simulate(trainings, each, 1, costs, start)
        for count in workers:
            took = simulate(trainings, each, count, costs, start)
            busy = trainings * each / (took * count)
            row = {"seconds of a training": each, "workers": count, "seconds in all": took}
            found.append({**row, "times faster than one": alone / took, "busy": busy})
    return found


def frame(result: dict[str, Any]) -> pd.DataFrame:
    """The table, from result.json."""
    table = pd.DataFrame(result["rows"])
    table["busy"] = table["busy"].map("{:.0%}".format)
    return table.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value)


def main() -> None:
    try:
        seconds, workers = [float(text) for text in _SECONDS.value], [int(text) for text in _WORKERS.value]
    except ValueError as error:
        raise InputError(f"--training_seconds and --workers are numbers, separated by commas: {error}.") from None
    if not seconds or not workers or min(seconds) <= 0 or min(workers) < 1:
        raise InputError("--training_seconds must be above 0, and --workers at least 1.")
    asked = {flag.name: flag.value for flag in (_TRAININGS, _SECONDS, _START, _WORKERS, engine_flags.ENGINE)}
    with RunDir.begin(run_flags.run_dir(NAME), asked, overwrite=run_flags.OVERWRITE.value) as stage:
        costs = measure(run_flags.JOBS.value)
        # More workers than this wait for the process that asks, if batches are as long as they may be.
        of_batch = {str(each): batches.size_of_batch(each, 1 << 60, 1) for each in seconds}
        most = {
            name: max(float(name) * size, float(name)) / (costs.batch + costs.outcome * size)
            for name, size in of_batch.items()
        }
        table = rows(_TRAININGS.value, seconds, workers, costs, _START.value)
        stage.finish({"costs": dataclasses.asdict(costs), "most_workers": most, "rows": table})
    result = stage.result()
    print(as_text(frame(result)))
    told = f"{1e3 * costs.batch:.2f} ms a batch, and {1e3 * costs.outcome:.2f} ms an outcome"
    print(
        f"The engine {engine_flags.ENGINE.value} costs the process that asks {told}. With enough retrainings it keeps"
    )
    for name, count in result["most_workers"].items():
        print(f"  {count:,.0f} workers busy, if a training takes {name} s.")
    print(f"Written to {stage.path}.")


if __name__ == "__main__":
    common.start(main)
