"""Every engine gives the same bits as threads, also if its workers are killed again and again."""

import contextlib
import importlib.util
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from gr_tf.data.sources import load_triples
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.retraining import Outcome, Retraining
from gr_tf.runs.journal import read_journal
from gr_tf.runs.pools.chosen import retraining_on
from gr_tf.runs.pools.dask_workers import DaskPool
from gr_tf.runs.pools.pool import WorkerDiedError
from gr_tf.tasks.ratings import RatingTask
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig
from tests.commands.program import ROOT

pytestmark = pytest.mark.slow
PACKAGES = {"processes": "multiprocessing", "ray": "ray", "dask": "distributed"}
ENGINES = [
    pytest.param(
        engine,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(package) is None, reason=f"needs {package}: pip install 'gr_tf[{engine}]'"
        ),
    )
    for engine, package in PACKAGES.items()
]


@pytest.fixture(scope="module")
def task() -> TripleTask:
    return TripleTask(load_triples("nations"), TripleConfig(dim=10, num_negatives=20, epochs=2))


def asked_of(task: TripleTask, count: int) -> list[Retraining]:
    like: dict[str, Any] = {"length": 2, "seed": 0, "measure": "answers", "queries": (task.query_of(0),)}
    return [Retraining(task=task.reference, removed=(i,), **like) for i in range(count)]


@pytest.mark.parametrize("engine", ENGINES)
def test_nations(task: TripleTask, engine: str, tmp_path: pathlib.Path) -> None:
    asked = asked_of(task, 60)
    straight = outcomes_of([task], asked, tmp_path / "threads.jsonl", 2)
    with retraining_on(engine):
        assert outcomes_of([task], asked, tmp_path / f"{engine}.jsonl", 2) == straight
        # The workers are still there, and remember.
        assert [outcome for _, outcome in sorted(retrain(asked[:3], 2, known=[task]))] == straight[:3]

    def records(name: str) -> list[dict[str, Any]]:
        return sorted(read_journal(tmp_path / f"{name}.jsonl"), key=lambda record: record["retraining"])

    assert records(engine) == records("threads")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_says_what_it_says_in_threads(engine: str, tmp_path: pathlib.Path) -> None:
    """Not what the engine does all the time; Ray's own note about its security is one line."""
    asked = "--dataset=nations --epochs=1 --num_queries=2 --ks=1 --methods=nh"
    done = subprocess.run(
        [sys.executable, "-m", "gr_tf", "evaluate", *asked.split(), f"--engine={engine}", f"--run_dir={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 3
    bars = ("training: ", "explaining: ", "retraining: ")
    other = [line for line in done.stderr.splitlines() if not line.startswith(bars)]
    assert len(other) <= (engine == "ray"), other


@pytest.mark.parametrize("engine", ENGINES)
def test_ratings_that_go_on_from_a_state(trained_ratings: Any, engine: str) -> None:
    trained = trained_ratings
    assert isinstance(trained.task, RatingTask)
    queries = [told.query for told in trained.task.test_predictions(trained.parameters)[:3]]
    asked = [
        Retraining.of(trained, removed, "value", queries, length=90, seed=seed)
        for removed in ((), (5,), (3, 8))
        for seed in (1, 2)
    ]
    straight = dict(retrain(asked, 2, known=[trained]))
    with retraining_on(engine):
        assert dict(retrain(asked, 2, known=[trained])) == straight


class Killer(threading.Thread):
    """Kills a worker at random every now and then.

    Attributes:
        killed: how many it has killed.
    """

    def __init__(self, of_worker: Callable[[str], bool], most: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self.killed, self._of_worker, self._most, self._seconds = 0, of_worker, most, seconds
        self._random, self._ended = random.Random(0), threading.Event()

    def run(self) -> None:
        while self.killed < self._most and not self._ended.wait(self._seconds * self._random.uniform(0.5, 1.5)):
            workers = [pid for pid in descendants(os.getpid()) if self._of_worker(command_of(pid))]
            if workers:
                os.kill(self._random.choice(workers), signal.SIGKILL)
                self.killed += 1

    def end(self) -> None:
        self._ended.set()
        self.join()


def descendants(process_id: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has ended.
        if fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, left = list[int](), [process_id]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


def command_of(process_id: int) -> str:
    try:
        return pathlib.Path(f"/proc/{process_id}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


# What the command line of a worker has in it.
WORKERS: dict[str, Callable[[str], bool]] = {
    "processes": lambda command: "spawn_main" in command,
    "ray": lambda command: command.startswith(("ray::call", "ray::IDLE")),
    "dask": lambda command: "spawn_main" in command,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_killed_workers_change_nothing(
    task: TripleTask, engine: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty are killed. What they had is done again, and told."""
    monkeypatch.setattr("gr_tf.runs.pools.batches.SECONDS_OF_A_BATCH", 0.5)
    monkeypatch.setattr("gr_tf.runs.pools.batches.MOST_DEATHS", 100)  # They are killed while they start, too.
    asked = asked_of(task, 100)
    straight: dict[int, Outcome] = dict(retrain(asked, 2, known=[task]))
    with retraining_on(engine):
        began = time.monotonic()
        dict(retrain(asked[:4], 2, known=[task]))
        killer = Killer(WORKERS[engine], 20, (time.monotonic() - began) / 8)
        killer.start()
        while killer.is_alive():
            assert dict(retrain(asked, 2, known=[task])) == straight
        killer.end()
        assert dict(retrain(asked, 2, known=[task])) == straight
    assert killer.killed == 20
    assert f"a worker of the engine {engine} died: " in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs distributed")
@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_dask_starts_a_worker_again_that_it_gave_up() -> None:
    """It gives up one that is killed while it starts; the work would wait for ever."""
    pool = DaskPool()
    pool.start(1)
    pool.submit(os.getpid).result()
    assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN  # Ctrl-C is the parent's matter.
    cluster: Any = pool._cluster
    until = time.monotonic() + 120
    while cluster.workers and time.monotonic() < until:
        for process_id in filter(lambda one: WORKERS["dask"](command_of(one)), descendants(os.getpid())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        time.sleep(0.2)
    assert not cluster.workers
    found = None
    while found is None and time.monotonic() < until + 120:
        with contextlib.suppress(WorkerDiedError):  # The last one's death may be noticed late.
            found = pool.submit(os.getpid).result(timeout=180)
    assert found not in (None, os.getpid())
    pool.close()
