"""How the benchmark takes a time."""

import time
from collections.abc import Callable

# Repeated and the fastest kept: other processes can only slow a run down.
_REPEATS = 3


def fastest(call: Callable[[], object], restart: Callable[[], object] = lambda: None) -> float:
    """Seconds of a call, the fastest of three; `restart` goes before each, untimed."""
    seconds = []
    for _ in range(_REPEATS):
        restart()
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
