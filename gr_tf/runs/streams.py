"""The process's standard streams and signals, for every program.

A stream that is closed at the start is as /dev/null: the work is done, and what it tells goes nowhere. If the reader of
a pipe leaves, as `head` does, the program ends quietly with exit status 141, which a shell reports for Unix tools too;
what else cannot be written, as on a full disk, is an error. Ctrl-C ends with one line and exit status 130, SIGTERM by
the signal itself.
"""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

INTERRUPTED, READER_LEFT = 130, 141


def open_closed() -> None:
    """Opens /dev/null as each standard stream that is closed, so that no file of ours takes its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def reader_left() -> bool:
    """Whether standard output or standard error is a pipe that nobody reads any more."""
    asked = select.poll()
    for number in (1, 2):
        asked.register(number, 0)
    return any(event & select.POLLERR for _, event in asked.poll(0))


def end(status: int) -> NoReturn:
    """Ends the process; what could not be written before is dropped."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Otherwise the interpreter tries once more, and tells of it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


@contextlib.contextmanager
def interrupted_at_once(stderr: int = 2) -> Iterator[None]:
    """While modules are imported, which Ctrl-C can break in odd ways: Ctrl-C ends the process here and now.

    Args:
        stderr: the number of standard error.
    """

    def stop(*_: Any) -> None:
        tell_interrupted(stderr=stderr)
        os._exit(INTERRUPTED)

    before = signal.getsignal(signal.SIGINT)
    # Elsewhere than in the main thread there are no signals; where Ctrl-C is ignored, it stays so.
    if before is not signal.default_int_handler or not _set(stop):
        yield
        return
    try:
        yield
    finally:
        _set(before)


def tell_interrupted(more: str = "", stderr: int = 2) -> None:
    """One line; on a terminal below the ^C that it shows. A second Ctrl-C ends the process at once."""
    _set(lambda *_: os._exit(INTERRUPTED))
    line = f"Interrupted.{more}\n"
    with contextlib.suppress(OSError):
        os.write(stderr, (("\n" if os.isatty(stderr) else "") + line).encode())


def _set(handler: Any) -> bool:
    try:
        signal.signal(signal.SIGINT, handler)
    except ValueError:
        return False
    return True
