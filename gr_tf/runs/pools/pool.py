"""Workers that call functions, each call in a process of its own kind: what processes, Ray, and Dask have in common."""

import abc
import concurrent.futures
from collections.abc import Callable
from typing import Any


class WorkerDiedError(Exception):
    """A worker ended before it gave a result: it was killed, ran out of memory, or its machine is gone."""


class Pool(abc.ABC):
    """Some workers. They start with the first work, remember what they made, and end with the pool.

    Attributes:
        name: of the engine.
        is_here: whether all workers are on this machine, and see its files.
    """

    name: str

    def __init__(self, address: str | None = None, jobs: int | None = None) -> None:
        """
        Args:
            address: of a cluster that runs already; None: workers on this machine.
            jobs: calls at a time, whatever `start` is told; None: as `start` is told, or of a cluster as many as it
                has cores.
        """
        self.address, self._own_jobs = address, jobs
        self.is_here = address is None
        self.workers = 0
        self._threads: concurrent.futures.ThreadPoolExecutor | None = None

    def start(self, jobs: int) -> None:
        """Starts the workers, unless they run; other than so many on this machine are ended first.

        Args:
            jobs: calls at a time.

        Raises:
            InputError: if they cannot start.
        """
        wanted = self._own_jobs or (jobs if self.is_here else None)
        if self._threads is not None and wanted not in (None, self.workers):
            self.close()
        if self._threads is None:
            self.workers = self._start(wanted)
            # Each of these threads waits for one call.
            self._threads = concurrent.futures.ThreadPoolExecutor(self.workers, thread_name_prefix=self.name)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> concurrent.futures.Future[Any]:
        """Calls a function of a module in a worker; `share`d arguments arrive as their values.

        The future has the function's own error, or WorkerDiedError.
        """
        assert self._threads is not None, "start() comes first"
        return self._threads.submit(self._call, function, arguments)

    def close(self) -> None:
        """Ends the workers at once, whatever they do."""
        threads, self._threads, self.workers = self._threads, None, 0
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
            self._close()
            threads.shutdown()

    @abc.abstractmethod
    def share(self, value: Any) -> Any:
        """Sends a value to the workers' machines once; what this gives stands for it among arguments of `submit`.

        Its arrays cannot be written to there: all calls look at one copy, where the engine can do that.
        """

    @abc.abstractmethod
    def _start(self, jobs: int | None) -> int:
        """Starts as many workers, or of a cluster all there are; returns how many calls are done at a time."""

    @abc.abstractmethod
    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Does a call, and waits for it; used by several threads.

        Raises:
            WorkerDiedError: if the worker died.
        """

    @abc.abstractmethod
    def _close(self) -> None:
        """Ends the workers."""
