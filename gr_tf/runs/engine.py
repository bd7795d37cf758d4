"""How TensorFlow is loaded: when it is first used, and quietly in programs."""

import contextlib
import gc
import importlib
import importlib.util
import logging
import os
import re
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import lazy_loader

from gr_tf.errors import InputError
from gr_tf.runs import streams

# Loaded when something of it is used: importing TensorFlow takes seconds, which `--help` need not wait for.
tf: Any = lazy_loader.load("tensorflow")
scipy: Any = lazy_loader.load("scipy")
# Bytes; a training of Nations with all cores takes less: BUILD_NOTES, "Address space".
_ADDRESS_SPACE = 4 << 30
# TensorFlow's warnings that are of no use to anybody here.
_NOT_TOLD = ("triggered tf.function retracing", "Converting IndexedSlices(")


def _nothing() -> None:
    """What most programs want."""


# What a program wants to do as soon as TensorFlow is loaded, before anything is computed.
configure: Callable[[], object] = _nothing


def start_quietly() -> None:
    """Loads TensorFlow for a program: without the notes that it prints on import, and with one thread a step.

    Ctrl-C during the import ends the process at once.

    A step is too small to share: the cores are used by several trainings at a time. TF_CPP_MIN_LOG_LEVEL=0 shows
    the notes about CPU features and absent GPUs.

    Raises:
        InputError: if the process may not have as much address space as TensorFlow needs.
    """
    _refuse_small_limit()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0":
        with streams.interrupted_at_once():
            _load()
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            with streams.interrupted_at_once(stderr):
                _load()
        except InputError:
            raise  # which says what is wrong
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _refuse_small_limit() -> None:
    # With less, TensorFlow aborts, cannot be imported, or, with a little less, computes zeros.
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _ADDRESS_SPACE:
        raise InputError(
            f"TensorFlow needs {_ADDRESS_SPACE >> 30} GB of address space, and the limit is {limit / (1 << 30):.1f} GB:"
            f" raise it with ulimit -v {_ADDRESS_SPACE >> 10}, or unlimited."
        )


def _load() -> None:
    with _without_extras():
        importlib.import_module("tensorflow")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    # A new explainer traces its functions anew, and is right to; each example's gradient of an embedding is dense.
    tf.get_logger().addFilter(lambda record: not any(part in record.getMessage() for part in _NOT_TOLD))
    logging.getLogger("absl").setLevel(logging.WARNING)
    configure()


@contextlib.contextmanager
def _without_extras() -> Iterator[None]:
    """Imports TensorFlow in half the time: without the garbage collector, and without Keras.

    What is imported stays, so that collections while it is find nothing. TensorFlow imports Keras, and that Matplotlib,
    so that optimizers can be found in SavedModels; models that need Keras import it when they are made.
    """
    was_collecting, key = gc.isenabled(), "TF_USE_LEGACY_KERAS"
    # It then looks for tf_keras, which is not there, and goes on without; what is asked of tf.keras later is Keras 3's.
    is_asked = key not in os.environ and "keras" not in sys.modules and importlib.util.find_spec("tf_keras") is None
    gc.disable()
    try:
        if is_asked:
            os.environ[key] = "1"
        yield
    finally:
        if is_asked:
            del os.environ[key]
        # What is there now need not be looked at again.
        gc.freeze()
        if was_collecting:
            gc.enable()


def reason_of(error: Any) -> str:
    """What an error of TensorFlow says, in one line without the names of its own functions."""
    lines = re.sub(r"\{\{[^}]*\}\}|\[Op:.*", "", error.message or "").strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
