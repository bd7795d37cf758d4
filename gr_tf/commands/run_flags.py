"""Flags of the programs that work in a run's folder."""

import contextlib
import functools
import pathlib
from collections.abc import Iterator
from typing import Any

from absl import flags

from gr_tf.commands import common, engine_flags
from gr_tf.runs import devices, engine
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of the run. Default: runs/DATASET-..., printed at the end.")
OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Delete what this work has written, and nothing else, and do it again; replace named files."
)
ANY_VERSION = flags.DEFINE_bool(
    "any_version",
    False,
    "Go on with what another gr_tf, TensorFlow, or NumPy, or another processor began; the result will say so.",
)
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 30.0, "How much training a kill may lose, in seconds.", lower_bound=0.0
)
flags.register_validator(CHECKPOINT_SECONDS.name, lambda seconds: seconds < float("inf"), "must be a finite number.")
_DEVICES = "; ".join(f"{name}: {told}" for name, told in devices.DEVICES.items())
DEVICE = flags.DEFINE_enum("device", "auto", list(devices.DEVICES), f"Where to compute: {_DEVICES}.")
# How a run is found, begun, and continued.
FLAGS = (RUN_DIR, OVERWRITE, ANY_VERSION, CHECKPOINT_SECONDS, DEVICE)
# Who does retrainings; programs that do some adopt engine_flags.
JOBS = engine_flags.JOBS


@common.around_main
@contextlib.contextmanager
def _on_device() -> Iterator[None]:
    engine.configure = functools.partial(devices.choose, DEVICE.value)
    yield


def run_dir(default: str) -> pathlib.Path:
    """The folder that the flags name; all stages in it go on as --any_version says."""
    RunDir.any_version = ANY_VERSION.value
    return pathlib.Path(RUN_DIR.value or f"runs/{default}")


def trained(task: Task[Any], folder: pathlib.Path) -> Trained:
    """The training of a task in a folder, found there or done now; --overwrite drops only one with other settings.

    Raises:
        InputError, TrainingError: see tasks.stage.train.
    """
    training.train(task, folder, reuse=True, replace=OVERWRITE.value, checkpoint_seconds=CHECKPOINT_SECONDS.value)
    return training.load(folder, task.dataset)
