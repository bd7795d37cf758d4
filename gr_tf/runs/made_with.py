"""What made a result: versions, commit, command, and the machine's instructions; and whether two are alike."""

import functools
import importlib.metadata
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from gr_tf.runs import devices
from gr_tf.runs.machine import cpu_name, instruction_set
from gr_tf.version import VERSION

# With another of these, the last bits of a result may differ.
DECISIVE = ("gr_tf", "tensorflow", "numpy", "instruction_set", "device")
_ROOT = pathlib.Path(__file__).parents[2]
# XLA's limit of the instructions that it may use.
_LIMIT = re.compile(r"--xla_cpu_max_isa=(\w+)")


def made_with() -> dict[str, str]:
    """What this process makes results with.

    Returns:
        The versions of gr_tf, Python, TensorFlow, and NumPy; "commit", if gr_tf is used from its repository, with a +
        if files differ from it; "instruction_set", the widest of the processor; "device", if that may be a GPU; "cpu";
        "command", the command line.
    """
    now = decisive()
    told = {
        "gr_tf": now.pop("gr_tf"),
        "commit": _commit(),
        "python": platform.python_version(),
        **now,
        "cpu": cpu_name(),
        "command": _command(),
    }
    return {name: value for name, value in told.items() if value}


def decisive() -> dict[str, str]:
    """That part of it which decides the last bits of a result, by the names of DECISIVE."""
    packages = {name: importlib.metadata.version(name) for name in ("tensorflow", "numpy")}
    limit = _LIMIT.search(os.environ.get("XLA_FLAGS", ""))
    device = {"device": devices.used()} if devices.used() else {}
    return {"gr_tf": VERSION, **packages, "instruction_set": limit[1].lower() if limit else instruction_set(), **device}


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is decisive and differs, as "gr_tf 0.1.0, not 0.2.0"; empty if nothing is."""
    return ", ".join(
        f"{name} {before.get(name)}, not {now.get(name)}" for name in DECISIVE if before.get(name) != now.get(name)
    )


@functools.cache
def _commit() -> str:
    """The commit of the repository that gr_tf is used from; empty if it is installed, or git is absent."""
    if not (_ROOT / ".git").exists() or not (_ROOT / "setup.py").exists():
        return ""
    git = ["git", "-c", "safe.directory=*", "-C", str(_ROOT)]
    asked = (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "-uno", "--", "gr_tf", "experiments"])
    try:
        commit, changes = (
            subprocess.run([*git, *words], check=True, capture_output=True, text=True, timeout=10).stdout.strip()
            for words in asked
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + ("+" if changes else "")


def _command() -> str:
    """This process's command line, as one would type it in the working folder; its paths are told from there."""
    program = pathlib.Path(sys.argv[0] if sys.argv else "")
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    module = spec.name.removesuffix(".__main__") if spec is not None else ""
    name = f"python -m {module}" if module else program.name
    # A name that is no UTF-8 can be typed, but not written as JSON.
    return f"{name} {shlex.join(map(_from_here, sys.argv[1:]))}".strip().encode("utf-8", "backslashreplace").decode()


def _from_here(argument: str) -> str:
    """An argument; an absolute path in it, such as of --data_dir=/data, relative to the working folder.

    Names of graphs may look like paths (/m/06w92), but are in no folder.
    """
    flag, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    is_path = os.path.isabs(value) and (os.path.exists(value) or os.path.exists(os.path.dirname(value)))
    return flag + equals + (os.path.relpath(value) if is_path else value)
