"""Dask's workers: on this machine, or of a cluster."""

import concurrent.futures
import logging
import pickle
import sys
import uuid
import warnings
from collections.abc import Callable
from typing import Any

from gr_tf.errors import InputError, argument, short
from gr_tf.runs.pools import worker
from gr_tf.runs.pools.packages import needed
from gr_tf.runs.pools.pool import Pool, WorkerDiedError
from gr_tf.runs.pools.shared_files import SharedFolder

_SECONDS_TO_CONNECT = 30
_SECONDS_FOR_A_WORKER = 120.0
_SECONDS_BETWEEN_LOOKS = 20


class DaskPool(Pool):
    """Dask's workers.

    On this machine they look at shared values in files. In a cluster each worker has the value once, sent by Dask from
    one to another, and made again if all that have it die.
    """

    name = "dask"

    def share(self, value: Any) -> Any:
        """See Pool."""
        if self._folder is not None:
            return self._folder.share(value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # That it is large.
            return self._client.submit(pickle.loads, pickle.dumps(value, protocol=5), key=_key("value"))

    def _start(self, jobs: int | None) -> int:
        dask, self._distributed = needed("dask", "dask"), needed("distributed", "dask")
        # Dask tells each step of its own cluster, to whatever shows the program's log. A cluster elsewhere is not ours.
        self._log = logging.getLogger("distributed")
        self._log_level = self._log.level
        self._log.setLevel(logging.CRITICAL if self.is_here else logging.WARNING)
        self._folder = SharedFolder() if self.is_here else None
        self._cluster = None
        try:
            if self.is_here:
                # What is done again is counted, and told, by who asks for it.
                with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
                    self._cluster = self._distributed.LocalCluster(
                        n_workers=jobs,
                        threads_per_worker=1,
                        dashboard_address=None,
                        silence_logs=logging.CRITICAL,
                        preload=[worker.__name__],  # Its dask_setup.
                    )
            self._client = self._distributed.Client(self._cluster or self.address, timeout=_SECONDS_TO_CONNECT)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"{argument('address', self.address or 'none')}: no Dask scheduler answers: {short(str(error))}."
            ) from None
        if not self.is_here:
            self._wait_for_workers()
        return jobs or sum(self._client.nthreads().values())

    def _wait_for_workers(self) -> None:
        """
        Raises:
            InputError: if the cluster has none, and none comes.
        """
        if self._client.nthreads():
            return
        print(f"Dask's scheduler at {self.address} has no worker yet: waiting for one", file=sys.stderr, flush=True)
        try:
            self._client.wait_for_workers(1, timeout=_SECONDS_FOR_A_WORKER)
        except (TimeoutError, self._distributed.TimeoutError):
            self._client.close()
            raise InputError(
                f"{argument('address', self.address)}: Dask's scheduler has no worker, and none has come in "
                f"{_SECONDS_FOR_A_WORKER:g} seconds."
            ) from None

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        future = self._client.submit(worker.call, function, *arguments, key=_key(function.__name__), pure=False)
        try:
            return self._result(future)
        except (self._distributed.KilledWorker, concurrent.futures.CancelledError):
            raise WorkerDiedError from None
        finally:
            future.release()

    def _result(self, future: Any) -> Any:
        while True:
            try:
                return future.result(timeout=_SECONDS_BETWEEN_LOOKS)
            except self._distributed.TimeoutError:
                if future.done():
                    raise  # The function's own.
                if self._cluster is not None:
                    # Dask gives up a worker that is killed while it starts: this starts another, if one is missing.
                    self._cluster.scale(self.workers)

    def _close(self) -> None:
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
        if self._folder is not None:
            self._folder.close()
        self._log.setLevel(self._log_level)


def _key(name: str) -> str:
    return f"gr_tf-{name}-{uuid.uuid4().hex}"
