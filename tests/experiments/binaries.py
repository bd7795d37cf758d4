"""Runs binaries in this process or in one of their own."""

import importlib
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from absl import flags
from absl.testing import flagsaver

ROOT = pathlib.Path(__file__).parents[2]


def run_here(monkeypatch: pytest.MonkeyPatch, binary: str, *arguments: object) -> int:
    """Runs a binary's main in this process; returns its exit status."""
    from gr_tf.commands import common

    module = importlib.import_module(f"experiments.{binary}")
    monkeypatch.setattr(sys, "argv", [f"{binary}.py", *map(str, arguments)])
    with flagsaver.flagsaver():
        flags.FLAGS.unparse_flags()
        with pytest.raises(SystemExit) as exit_info:
            common.start(module.main, getattr(module, "DEFAULTS", {}))
    return int(exit_info.value.code or 0)


def start_process(binary: str, *arguments: object) -> subprocess.Popen[str]:
    """Starts a binary as a user would."""
    command = [sys.executable, "-m", f"experiments.{binary}", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_when(condition: Callable[[], bool], binary: str, *arguments: object) -> None:
    """Starts a binary, waits until its work has come to a point, and kills it."""
    process = start_process(binary, *arguments)
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
