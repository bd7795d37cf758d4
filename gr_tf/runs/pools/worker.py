"""What worker processes do: how they start, make calls, and end."""

import contextlib
import functools
import multiprocessing
import os
import pathlib
import shutil
import signal
import threading
from collections.abc import Callable
from typing import Any

from gr_tf.runs import devices, engine
from gr_tf.runs.pools.shared_files import SharedFile

# Libraries that start a thread for each core read these when they are loaded; each worker has one core.
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM")}


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function with the values of shared arguments."""
    return function(*(one.value() if isinstance(one, SharedFile) else one for one in arguments))


@functools.cache
def start_tensorflow(device: str) -> None:
    """Loads TensorFlow with a single thread, because a worker does one training at a time.

    Args:
        device: where to compute, see runs.devices.
    """
    # A process that was not started for this, such as a Dask worker's, may have used TensorFlow already.
    with contextlib.suppress(RuntimeError):
        engine.configure = functools.partial(devices.choose, device)
        engine.start_quietly()
        engine.tf.config.threading.set_inter_op_parallelism_threads(1)


def end_with_parent(folder: str) -> None:
    """Lets this process end as soon as its parent does, even if that is killed; Ctrl-C is the parent's matter.

    Args:
        folder: what the parent would have deleted.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_the_end, args=(pathlib.Path(folder),), daemon=True).start()


def dask_setup(worker: object) -> None:
    """What a Dask worker of this machine does when it starts: Ctrl-C is the parent's matter, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _wait_for_the_end(folder: pathlib.Path) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)
