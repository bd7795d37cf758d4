"""How TensorFlow is loaded: when it is first used, and quietly in programs."""

import importlib
import logging
import os
import sys
import tempfile
from typing import Any

import lazy_loader

# Loaded when something of it is used: importing TensorFlow takes seconds, which `--help` need not wait for.
tf: Any = lazy_loader.load("tensorflow")
scipy: Any = lazy_loader.load("scipy")
# TensorFlow's warnings that are of no use to anybody here.
_NOT_TOLD = ("triggered tf.function retracing", "Converting IndexedSlices(")


def start_quietly() -> None:
    """Loads TensorFlow for a program: without the notes that it prints on import, and with one thread a step.

    A step is too small to share: the cores are used by several trainings at a time. TF_CPP_MIN_LOG_LEVEL=0 shows
    the notes about CPU features and absent GPUs.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0":
        _load()
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            _load()
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _load() -> None:
    importlib.import_module("tensorflow")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    # A new explainer traces its functions anew, and is right to; each example's gradient of an embedding is dense.
    tf.get_logger().addFilter(lambda record: not any(part in record.getMessage() for part in _NOT_TOLD))
    logging.getLogger("absl").setLevel(logging.WARNING)
