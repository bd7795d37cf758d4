"""Which engine retrainings are done by: a setting of the process, as it changes no result."""

import contextlib
import contextvars
from collections.abc import Iterator

from gr_tf.errors import InputError, argument, short, whole_number
from gr_tf.runs.pools.dask_workers import DaskPool
from gr_tf.runs.pools.packages import needed
from gr_tf.runs.pools.pool import Pool
from gr_tf.runs.pools.processes import ProcessPool
from gr_tf.runs.pools.ray_workers import RayPool

THREADS = "threads"
_POOLS: dict[str, type[Pool]] = {pool.name: pool for pool in (ProcessPool, RayPool, DaskPool)}
ENGINES = (THREADS, *_POOLS)
# What may have another address than this machine; and the package that it needs.
PACKAGES = {RayPool.name: "ray", DaskPool.name: "distributed"}
CLUSTERS = tuple(PACKAGES)

_chosen: contextvars.ContextVar[Pool | None] = contextvars.ContextVar("chosen", default=None)


@contextlib.contextmanager
def retraining_on(engine: str, *, address: str | None = None, jobs: int | None = None) -> Iterator[None]:
    """Lets an engine do the retrainings that are asked for in the context; no engine changes a bit of any result.

    Workers start with the first retraining, those of a cluster at once; they end with the context.

    Args:
        engine: threads of this process; processes of this machine; ray or dask, which are packages of their own.
        address: of a Ray or Dask cluster that runs already; None: workers on this machine, as many as `jobs`.
        jobs: retrainings at a time, whatever number is given where they are asked for. Default: that number; of a
            cluster, as many as it has cores.

    Raises:
        InputError: if there is no such engine, its package is not installed, it takes no address, or nothing answers
            at the address.
    """
    if engine not in ENGINES:
        raise InputError(f"{argument('engine')} must be one of {', '.join(ENGINES)}; got {short(engine)}.")
    if address is not None and engine not in CLUSTERS:
        raise InputError(f"{argument('address')} is of a cluster of {' or '.join(CLUSTERS)}; got {engine}.")
    if jobs is not None:
        whole_number("jobs", jobs)
    if engine in PACKAGES:
        needed(PACKAGES[engine], engine)
    pool = None if engine == THREADS else _POOLS[engine](address, jobs)
    before = _chosen.set(pool)
    try:
        if pool is not None and address is not None:
            pool.start(jobs or 1)  # Whether it is there is told before hours of training, not after them.
        yield
    finally:
        _chosen.reset(before)
        if pool is not None:
            pool.close()


def chosen() -> Pool | None:
    """The engine's workers; None: threads of this process."""
    return _chosen.get()
