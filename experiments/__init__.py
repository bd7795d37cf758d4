"""Experiment binaries: one a table or figure."""

import importlib
import importlib.machinery
import logging
import os
import sys
import tempfile
import types
from typing import Any

# Set it to 0 to read TensorFlow's notes about CPU features and absent GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _not_about_retracing(record: logging.LogRecord) -> bool:
    """A new explainer traces its functions anew, and is right to."""
    return "triggered tf.function retracing" not in record.getMessage()


class _TensorFlowWhenUsed(types.ModuleType):
    """Stands for TensorFlow until something of it is used, so that --help need not wait seconds for it.

    It is loaded with settings that only a new one takes. (importlib.util.LazyLoader would load it at the
    second import statement.)
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get("tensorflow") is self:
            del sys.modules["tensorflow"]
            _import_quietly()
            tensorflow = sys.modules["tensorflow"]
            # A step is too small to share: both cores are used by two trainings at a time.
            tensorflow.config.threading.set_intra_op_parallelism_threads(1)
            tensorflow.get_logger().addFilter(_not_about_retracing)
            self.__dict__.update(tensorflow.__dict__)
        return getattr(sys.modules["tensorflow"], name)


def _import_quietly() -> None:
    """Keeps the notes that TensorFlow prints on import, whatever its log level, off the screen."""
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0":
        importlib.import_module("tensorflow")
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


if "tensorflow" not in sys.modules:
    sys.modules["tensorflow"] = _TensorFlowWhenUsed("tensorflow")
    sys.modules["tensorflow"].__spec__ = importlib.machinery.ModuleSpec("tensorflow", loader=None)
