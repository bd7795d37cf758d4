"""Worker processes of this machine: they die without loss, and with their parent."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from gr_tf.errors import InputError
from gr_tf.runs.pools import dask_workers, processes
from gr_tf.runs.pools.chosen import chosen, retraining_on
from gr_tf.runs.pools.pool import WorkerDiedError
from gr_tf.runs.pools.processes import ProcessPool

ROOT = pathlib.Path(__file__).parents[2]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def threads_of_linear_algebra() -> str | None:
    return os.environ.get("OPENBLAS_NUM_THREADS")


def is_alive(process_id: int) -> bool:
    """Whether a process is there, and no zombie."""
    stat = pathlib.Path(f"/proc/{process_id}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_workers_remember_and_die_without_harm_to_others() -> None:
    pool = ProcessPool()
    pool.start(1)
    shared = pool.share(np.arange(10.0))
    assert pool.submit(np.sum, shared).result() == 45
    first = pool.submit(os.getpid).result()
    assert first != os.getpid()
    assert pool.submit(os.getpid).result() == first
    assert pool.submit(threads_of_linear_algebra).result() == "1"
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    with pytest.raises(WorkerDiedError):
        pool.submit(die).result()
    second = pool.submit(os.getpid).result()
    assert second != first
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()
    pool.close()
    assert not is_alive(second)
    assert not pathlib.Path(shared.path).exists()


def test_a_first_worker_that_is_killed_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not for ever: a script may be the reason."""

    def killed(folder: str) -> None:
        raise WorkerDiedError

    pool = ProcessPool()
    pool.start(1)
    with monkeypatch.context() as patched:
        patched.setattr(processes, "_Worker", killed)
        with pytest.raises(WorkerDiedError):
            pool.submit(os.getpid).result()
    assert pool.submit(os.getpid).result() != os.getpid()
    pool.close()
    pool.start(1)
    monkeypatch.setattr(processes, "_Worker", killed)
    with pytest.raises(WorkerDiedError):
        pool.submit(os.getpid).result()
    with pytest.raises(InputError, match="worker processes end while they start: something kills them"):
        pool.submit(os.getpid).result()
    pool.close()


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_workers_end_with_a_parent_that_is_killed() -> None:
    program = """
        import os, time
        from gr_tf.runs.pools.processes import ProcessPool
        if __name__ == "__main__":
            pool = ProcessPool()
            pool.start(1)
            print(pool.submit(os.getpid).result(), pool.share(1).path, flush=True)
            pool.submit(time.sleep, 60).result()
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    process_id, path = parent.stdout.readline().split()
    assert is_alive(int(process_id))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while is_alive(int(process_id)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(int(process_id))
    assert not pathlib.Path(path).exists()


def test_the_engine_is_one_of_some_for_a_while() -> None:
    assert chosen() is None
    with retraining_on("processes"):
        assert isinstance(chosen(), ProcessPool)
        with retraining_on("threads"):
            assert chosen() is None
        assert isinstance(chosen(), ProcessPool)
    assert chosen() is None
    for told, asked in (
        ("engine must be one of threads, processes, ray, dask; got 'spark'", {"engine": "spark"}),
        ("address is of a cluster of ray or dask; got processes", {"engine": "processes", "address": "auto"}),
        ("jobs must be at least 1; got 0", {"engine": "processes", "jobs": 0}),
    ):
        with pytest.raises(InputError, match=told), retraining_on(**asked):
            pass


def test_a_cluster_is_looked_for_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Not after the training that comes before retrainings; and one without workers is not waited for for ever."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(dask_workers, "_SECONDS_TO_CONNECT", 1)
    monkeypatch.setattr(dask_workers, "_SECONDS_FOR_A_WORKER", 0.5)
    nowhere = retraining_on("dask", address="tcp://127.0.0.1:1")
    with pytest.raises(InputError, match=r"^address='tcp://127.0.0.1:1': no Dask scheduler answers"):
        nowhere.__enter__()
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(InputError, match=r"Dask's scheduler has no worker, and none has come in 0\.5 seconds"):
            retraining_on("dask", address=address).__enter__()
        assert capsys.readouterr().err == f"Dask's scheduler at {address} has no worker yet: waiting for one\n"
    assert chosen() is None


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine, package in (("ray", "ray"), ("dask", "distributed")):
        monkeypatch.setitem(sys.modules, package, None)  # As if it were not installed.
        with pytest.raises(InputError, match=rf"needs the package {package}: pip install 'gr_tf\[{engine}\]'"):
            retraining_on(engine).__enter__()
