"""Ray's workers: on this machine, or of a cluster."""

import logging
import os
from collections.abc import Callable
from typing import Any

from gr_tf.errors import InputError, argument, short
from gr_tf.runs.pools import worker
from gr_tf.runs.pools.packages import needed
from gr_tf.runs.pools.pool import Pool, WorkerDiedError

_USES_ONE_CORE = {"num_cpus": 1, "max_retries": 0}  # What is done again is counted, and told, by who asks for it.


class RayPool(Pool):
    """Ray's workers, which look at shared values in their machine's object store."""

    name = "ray"

    def share(self, value: Any) -> Any:
        """See Pool."""
        return self._ray.put(value)

    def _start(self, jobs: int | None) -> int:
        # Otherwise Ray sends statistics of use to its makers.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._ray = needed("ray", "ray")
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            told: dict[str, Any] = {"address": self.address} if self.address else {"num_cpus": jobs}
            if not self.address:
                told["include_dashboard"] = False
            try:
                self._ray.init(**told, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
            except Exception as error:  # Ray raises plain Exceptions, too.
                where = "on this machine" if self.is_here else "there"
                address = f"{argument('address', self.address)}: " if self.address else ""
                raise InputError(f"{address}Ray does not start {where}: {short(str(error))}.") from None
        self._remote = self._ray.remote(**_USES_ONE_CORE)(worker.call)
        return jobs or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(self._remote.remote(function, *arguments))
        except errors.RayTaskError as error:
            raise error.cause from None
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError, errors.ObjectLostError):
            raise WorkerDiedError from None

    def _close(self) -> None:
        if self._is_ours:
            self._ray.shutdown()
