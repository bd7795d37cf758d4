"""Runs commands that must be refused, and looks at how."""

import pathlib
from collections.abc import Sequence

import pytest

from gr_tf.commands import main
from tests.commands.program import gr_tf

# A value that messages cut.
LONG = "y" * 100_000
CUT = "'" + "y" * 59 + "... (100,002 characters)"
# A message with the path of the data has this instead.
_DATA = "DATA"


def refused(
    capsys: pytest.CaptureFixture[str],
    folder: pathlib.Path,
    run_dir: pathlib.Path,
    command: str,
    data: str,
    arguments: Sequence[str],
    message: str,
) -> None:
    """A command ends in one line that begins with a message, and exit status 1; it writes nothing.

    Args:
        capsys: pytest's.
        folder: of the data of every kind.
        run_dir: the folder of the run, which does not exist.
        command: of `gr_tf`.
        data: the folder's subfolder that the command is given; "" if it is given none.
        arguments: the others.
        message: with _DATA for the folder.
    """
    given = [f"--data_dir={folder / data}"] if data else []
    trains = command in main.COMMANDS and command != "export"
    named = any(argument.startswith(("--run_dir", "--model_dir")) for argument in arguments)
    where = [f"--run_dir={run_dir}"] if trains and not named else []
    capsys.readouterr()
    assert gr_tf(command, *given, *arguments, *where) == 1
    out, err = capsys.readouterr()
    assert not out
    *notes, last = err.splitlines()
    # What is noticed of the toy graph, choices, and sequences.
    assert all(note.startswith(("graph: ", "choices: ", "sequences: there are no ratings: ")) for note in notes), notes
    start = f"gr_tf {command}: error: " if command in main.COMMANDS else "gr_tf: error: "
    assert last.startswith(start + message.replace(_DATA, str(folder))), last
    assert len(last) < 1100
    assert not run_dir.exists()
