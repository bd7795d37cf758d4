"""Experiment binaries: one a table or figure."""

import os
import sys
import tempfile

# Set it to 0 to read TensorFlow's notes about CPU features and absent GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _import_tensorflow_quietly() -> None:
    """Keeps the notes that TensorFlow prints on import, whatever its log level, off the screen."""
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0":
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _use_a_core_a_training() -> None:
    """A step is too small to share: both cores are used by two trainings at a time."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)


_import_tensorflow_quietly()
_use_a_core_a_training()
