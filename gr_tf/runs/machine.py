"""The machine that a measurement was made on."""

import functools
import pathlib
import platform
import re
import resource
import sys

_WIDEST_FIRST = ("avx512f", "avx2", "avx", "sse4_2", "sve", "asimd")


def cpu_name() -> str:
    """The processor's name, as far as the system tells it."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def peak_memory_bytes() -> int:
    """The largest resident memory that this process has had so far."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        # What getrusage tells on Linux begins with the peak of the process that started this one.
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE)
        if found is not None:
            return int(found[1]) * 1024
    # Kilobytes on Linux, bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@functools.cache
def instruction_set() -> str:
    """The widest instructions of the processor that compiled code makes use of, as the system names them.

    Sums are added in another order with wider ones, so that the last bits of a result depend on it.
    """
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    flags: set[str] = set()
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                flags = set(line.partition(":")[2].split())
                break
    return next((name for name in _WIDEST_FIRST if name in flags), platform.machine())
