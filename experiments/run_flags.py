"""Flags of the binaries that work in a run's folder."""

import pathlib

from absl import flags

RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of the run. Default: runs/DATASET-MODEL, nations-distmult.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Do work again that is finished, and drop what it had written.")


def run_dir(default: str = "nations-distmult") -> pathlib.Path:
    """The folder of the flags."""
    return pathlib.Path(RUN_DIR.value or f"runs/{default}")
