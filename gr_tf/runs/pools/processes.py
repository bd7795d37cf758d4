"""Worker processes on this machine."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from gr_tf.errors import InputError
from gr_tf.runs.pools import worker
from gr_tf.runs.pools.pool import Pool, WorkerDiedError
from gr_tf.runs.pools.shared_files import SharedFolder

_SPAWNING = threading.Lock()
# Of workers that end while they start, before any could: one may have been killed by chance.
_FIRST_STARTS = 2


class _Worker:
    """One process. The library ends all processes of an executor if one dies, so that each has its own.

    Attributes:
        process_id: its number.
    """

    def __init__(self, folder: str) -> None:
        """
        Raises:
            WorkerDiedError: if it ends while it starts.
        """
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork.
        self._executor = concurrent.futures.ProcessPoolExecutor(1, context, worker.end_with_parent, (folder,))
        self._ending = threading.Lock()
        self._has_ended = False
        try:
            with _one_thread_each():
                started = self._executor.submit(os.getpid)
            self.process_id = started.result()
        except BrokenProcessPool:
            self._executor.shutdown()
            raise WorkerDiedError from None

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Calls a function there.

        Raises:
            WorkerDiedError: if it died.
        """
        try:
            return self._executor.submit(worker.call, function, *arguments).result()
        except BrokenProcessPool:
            raise WorkerDiedError from None

    def end(self) -> None:
        """Kills the process, unless it has ended."""
        with self._ending:
            if not self._has_ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.process_id, signal.SIGKILL)
                self._executor.shutdown()
                self._has_ended = True


class ProcessPool(Pool):
    """Processes on this machine that look at shared values in files."""

    name = "processes"

    def share(self, value: Any) -> Any:
        """See Pool."""
        return self._folder.share(value)

    def _start(self, jobs: int | None) -> int:
        assert jobs is not None, "processes are on this machine"
        self._folder = SharedFolder()
        self._closing = self._can_start = False
        self._ended = 0
        # Those that do nothing; None stands for one that is still to be started.
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        self._all: set[_Worker] = set()
        for _ in range(jobs):
            self._free.put(None)
        return jobs

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        # There are as many threads that call as workers.
        one = self._free.get_nowait()
        try:
            one = one or self._started()
            return one.call(function, arguments)
        except WorkerDiedError:
            if one is not None:
                self._all.discard(one)
                one.end()
                one = None
            raise
        finally:
            self._free.put(one)

    def _started(self) -> _Worker:
        """A new worker.

        Raises:
            InputError: if it cannot start, and none before it could.
            WorkerDiedError: if it ends while it starts.
        """
        try:
            one = _Worker(str(self._folder.path))
        except WorkerDiedError:
            self._ended += 1
            if self._can_start or self._ended < _FIRST_STARTS:
                raise
            raise InputError(
                "worker processes end while they start: something kills them, the machine has too little memory, or a "
                "script asks for retrainings by processes without beginning its work under if __name__ == '__main__'."
            ) from None
        self._can_start = True
        self._all.add(one)
        if self._closing:
            one.end()
        return one

    def _close(self) -> None:
        self._closing = True
        for one in list(self._all):
            one.end()
        self._folder.close()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started meanwhile use one thread each for linear algebra; this one goes on as it does."""
    with _SPAWNING:
        before = {name: os.environ.get(name) for name in worker.ONE_THREAD}
        os.environ.update(worker.ONE_THREAD)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
