"""Starts every program: parses its flags, and reports errors in one line.

The exit status is 0, 1 for a user's mistake, or as gr_tf.runs.streams says.
"""

import contextlib
import os
import pathlib
import re
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from absl import app, flags, logging

from gr_tf.errors import InputError, TrainingError, short
from gr_tf.runs import engine, streams

Returned = TypeVar("Returned")
_DEFAULT = re.compile(r" Default: \S+\.(?= |$)")
# No flag's name is longer.
_LONGEST_NAME = 100
# Of an error message; readers already cut what they show of a value.
_MOST_CHARACTERS = 1000
# What programs do their work in; see `around_main`.
_AROUND_MAIN: list[Callable[[], contextlib.AbstractContextManager[None]]] = []
# What the same command does after an interruption, for people.
_CONTINUES = " The same command, without --overwrite, continues where it stopped."
_BEGINS_ANEW = " There is no folder to keep what it did: the same command begins anew."
_after_interruption = [_CONTINUES]
# `adopt` adopts flags for its caller, not for this module.
flags.disclaim_key_flags()


def adopt(*modules: types.ModuleType) -> None:
    """Lists the flags of some modules in the --help of the program that calls this."""
    for module in modules:
        flags.adopt_module_key_flags(module)


def around_main(
    context: Callable[[], contextlib.AbstractContextManager[None]],
) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Lets every program that has some flags do its work in a context that these flags decide: a decorator."""
    _AROUND_MAIN.append(context)
    return context


def keep_nothing() -> None:
    """Notes that the program that runs has no folder to keep its work in, and begins anew after an interruption."""
    _after_interruption[:] = [_BEGINS_ANEW]


def start(
    main: Callable[[], None],
    defaults: Mapping[str, Any] = types.MappingProxyType({}),
    *,
    argv: Sequence[str] | None = None,
    load: bool = True,
) -> None:
    """Parses the flags and calls `main`; a user's mistake ends in one line and exit status 1.

    Args:
        main: the program's work.
        defaults: defaults of flags that differ in this program from the flag's own.
        argv: the program's name, which error messages begin with, and its arguments; default: the process's.
        load: load TensorFlow before `main`; else `main` calls engine.start_quietly after it has looked for mistakes.
    """
    program = argv[0] if argv else pathlib.Path(sys.argv[0]).stem
    _after_interruption[:] = [_CONTINUES]
    for name, value in defaults.items():
        flags.FLAGS.set_default(name, value)
        # What the flag's own text says of its default is not of this program; absl adds the program's.
        flags.FLAGS[name].help = _DEFAULT.sub("", flags.FLAGS[name].help)

    def checked(rest: Sequence[str]) -> None:
        _refuse_odd_paths(sys.argv if argv is None else argv)
        if len(rest) > 1:
            raise app.UsageError(f"unexpected argument {short(rest[1])}.")
        for name in flags.FLAGS:
            if flags.FLAGS[name].present and flags.FLAGS[name].value == "":
                # Such as --data_dir=$FOLDER of a shell that has no FOLDER.
                raise app.UsageError(f"--{name} is empty: leave it out, or give it a value.")
        if not flags.FLAGS["verbosity"].present:
            # Otherwise TensorFlow logs how long it took to write a checkpoint.
            logging.set_verbosity(logging.WARNING)
        with contextlib.ExitStack() as around:
            for context in _AROUND_MAIN:
                around.enter_context(context())
            if load:
                engine.start_quietly()
            main()
        sys.stdout.flush()

    streams.open_closed()
    for stream in (sys.stdout, sys.stderr):
        # Names may have letters that the terminal's encoding lacks.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app.run(
            lambda rest: one_line_errors(program, lambda: checked(rest)),
            argv=None if argv is None else list(argv),
            flags_parser=lambda args: one_line_errors(program, lambda: _parsed(args)),
        )
    except KeyboardInterrupt:
        streams.tell_interrupted(_after_interruption[0])
        streams.end(streams.INTERRUPTED)


def _refuse_odd_paths(arguments: Sequence[str]) -> None:
    """
    Raises:
        InputError: if an argument, or the folder that relative paths start from, is not UTF-8: names from it are
            written into JSON, and TensorFlow takes no other paths.
    """
    for what, text in (*(("the argument", text) for text in arguments), ("the current folder", os.getcwd())):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(f"{what} {os.fsencode(text)!r} is not UTF-8: rename what it names.") from None


def _parsed(arguments: Sequence[str]) -> list[str]:
    """Reads the flags; returns the program's name and what is no flag."""
    for argument in arguments[1:]:
        name = argument.lstrip("-").partition("=")[0]
        if argument.startswith("-") and len(name) > _LONGEST_NAME:
            # absl looks for similar names, and recurses as deep as the name is long.
            raise app.UsageError(f"unknown flag {short(name)}.")
    return flags.FLAGS(arguments)


def one_line_errors(program: str, call: Callable[[], Returned]) -> Returned:
    """Calls a function; reports a user's mistake in one line, and ends the process with exit status 1."""
    try:
        return call()
    except InputError as error:
        message = error.on_command_line
    except (TrainingError, app.UsageError, flags.Error) as error:
        message = str(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and streams.reader_left():
            streams.end(streams.READER_LEFT)
        # An error of printing has no name of a file.
        message = f"{error.filename or 'standard output, or a file'}: {error.strerror or error}."
    with contextlib.suppress(OSError):
        print(f"{program}: error: {one_line(message)}", file=sys.stderr)
    streams.end(1)


def one_line(message: str) -> str:
    """A message on one line of bounded length, whatever the user's values in it are."""
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in " ".join(message.splitlines()))
    if len(text) <= _MOST_CHARACTERS:
        return text
    half = (_MOST_CHARACTERS - 40) // 2
    return f"{text[:half]} ... ({len(text) - 2 * half:,} characters) ... {text[-half:]}"
