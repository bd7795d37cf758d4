"""How every binary starts: flags, and errors in one line."""

import pathlib
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from absl import app, flags, logging

from gr_tf.errors import InputError, TrainingError

Returned = TypeVar("Returned")


def start(main: Callable[[], None], defaults: Mapping[str, Any] = types.MappingProxyType({})) -> None:
    """Parses the flags and calls `main`; a user's mistake ends in one line and exit status 1.

    Args:
        main: the binary's work.
        defaults: of flags, where the binary's differ from the flag's.
    """
    for name, value in defaults.items():
        flags.FLAGS.set_default(name, value)

    def checked(argv: Sequence[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"unexpected argument {argv[1]!r}.")
        if not flags.FLAGS["verbosity"].present:
            # TensorFlow tells how long it took to write a checkpoint.
            logging.set_verbosity(logging.WARNING)
        main()

    for stream in (sys.stdout, sys.stderr):
        # Names may have letters that the terminal's encoding lacks.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app.run(lambda argv: _one_line_errors(lambda: checked(argv)), flags_parser=_parse_flags)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command, without --overwrite, continues where it stopped.", file=sys.stderr)
        sys.exit(130)


def _parse_flags(argv: Sequence[str]) -> list[str]:
    return _one_line_errors(lambda: flags.FLAGS(argv))


def _one_line_errors(call: Callable[[], Returned]) -> Returned:
    try:
        return call()
    except (InputError, TrainingError, app.UsageError, flags.Error) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}.")


def _fail(message: str) -> NoReturn:
    program = pathlib.Path(sys.argv[0]).stem
    print(f"{program}: error: {' '.join(message.splitlines())}", file=sys.stderr)
    sys.exit(1)
