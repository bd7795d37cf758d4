"""Progress of long work, with a rate and the time left."""

import contextlib
import contextvars
import sys
import threading
import time
from collections.abc import Iterator

import tqdm

_SECONDS_BETWEEN_LINES = 10.0
# What the progress that begins now is part of, see `labelled`.
_PART_OF = contextvars.ContextVar("part_of", default="")


class Progress:
    """A bar on a terminal; plain lines now and then elsewhere. Safe to use from several threads."""

    def __init__(self, what: str, total: int, done: int) -> None:
        self._what, self._total, self._initial, self._done = what, total, done, done
        self._bar = tqdm.tqdm(desc=what, total=total, initial=done) if sys.stderr.isatty() else None
        self._start = self._last = time.monotonic()
        self._lock = threading.Lock()

    def pass_over(self, count: int) -> None:
        """Counts pieces as done that need no work: an earlier process did them, or they turned out not to be needed."""
        with self._lock:
            self._initial += count
            self._done += count
            if self._bar is not None:
                self._bar.initial, self._bar.n = self._initial, self._done

    def advance(self) -> None:
        """Counts one more piece as done."""
        with self._lock:
            self._done += 1
            now = time.monotonic()
            if self._bar is not None:
                self._bar.update()
            elif now - self._last >= _SECONDS_BETWEEN_LINES or self._done >= self._total:
                self._last = now
                text = tqdm.tqdm.format_meter(
                    self._done, self._total, now - self._start, ncols=0, prefix=self._what, initial=self._initial
                )
                print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()


@contextlib.contextmanager
def progress(what: str, total: int, done: int = 0) -> Iterator[Progress]:
    """Shows the progress of a block of work.

    Args:
        what: what is being done.
        total: pieces in all.
        done: pieces done by an earlier process.
    """
    with contextlib.closing(Progress(_PART_OF.get() + what, total, done)) as shown:
        yield shown


@contextlib.contextmanager
def labelled(part: str) -> Iterator[None]:
    """Shows before the name of all progress that begins within, in this thread, what it is part of.

    Args:
        part: such as "training 2 of 5".
    """
    token = _PART_OF.set(f"{_PART_OF.get()}{part}: ")
    try:
        yield
    finally:
        _PART_OF.reset(token)
