"""Runs `gr_tf` in this process or in one of its own."""

import importlib
import os
import pathlib
import subprocess
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

from gr_tf.commands import main

ROOT = pathlib.Path(__file__).parents[2]


def gr_tf(*arguments: object) -> int:
    """Runs a command in this process; returns its exit status."""
    for command in main.COMMANDS:  # Flags that are defined later are dropped with the others' values.
        importlib.import_module(f"gr_tf.commands.{command}")
    with flagsaver.flagsaver():
        flags.FLAGS.unparse_flags()
        with pytest.raises(SystemExit) as exit_info:
            main.main(list(map(str, arguments)))
    return int(exit_info.value.code or 0)


def own_process(
    *arguments: object, folder: pathlib.Path, code: pathlib.Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Runs a command as a user would.

    Args:
        arguments: of the command.
        folder: that it is run in.
        code: where the package is.
    """
    return subprocess.run(
        [sys.executable, "-m", "gr_tf", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
