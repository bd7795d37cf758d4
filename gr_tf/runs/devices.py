"""Where TensorFlow computes: on a GPU, or on the processor.

A step on one example has little to compute: a GPU would start a kernel for each of its operations, and wait. Such steps
stay on the processor, unless a GPU is asked for.
"""

import contextlib
import os
from contextlib import AbstractContextManager

from gr_tf.errors import InputError, argument, short
from gr_tf.runs.engine import tf

DEVICES = {
    "auto": "a GPU if there is one, but for steps on one example",
    "cpu": "the processor",
    "gpu": "a GPU, for steps on one example too",
}
_DEVICE = "device"
_chosen = {_DEVICE: "auto"}
_used: set[str] = set()


def check(device: str) -> None:
    """
    Raises:
        InputError: if there is no such device.
    """
    if device not in DEVICES:
        raise InputError(f"{argument('device')} must be one of {', '.join(DEVICES)}; got {short(device)}.")


def choose(device: str) -> None:
    """Says where this process computes from now on; before anything is computed.

    On a GPU only operations that give the same bits each time are taken; there they may be slower.

    Raises:
        InputError: if there is no such device, or no GPU is there and one is asked for.
    """
    check(device)
    there = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not there:
        why = "its own notes, which TF_CPP_MIN_LOG_LEVEL=0 shows, say why"
        raise InputError(f"{argument('device')} is gpu, and TensorFlow finds none; {why}.")
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif there:
        # Compiled blocks have a flag of their own; it is read when the first one is compiled.
        flags = os.environ.get("XLA_FLAGS", "")
        if "xla_gpu_deterministic_ops" not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
        tf.config.experimental.enable_op_determinism()
        _used.add("GPU")
    _chosen[_DEVICE] = device


def chosen() -> str:
    """What `choose` was told last."""
    return _chosen[_DEVICE]


def used() -> str:
    """GPU, if this process may compute on one, as far as `choose` knows; else empty."""
    return "".join(_used)


def of_steps(*, on_one_example: bool) -> AbstractContextManager[object]:
    """Where the steps of a training are computed: a scope for this thread.

    Args:
        on_one_example: whether each step is on one example.
    """
    if on_one_example and chosen() != "gpu":
        placed: AbstractContextManager[object] = tf.device("/CPU:0")
        return placed
    return contextlib.nullcontext()
