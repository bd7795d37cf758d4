"""Files that a user names for results: never another file's end."""

import os
import pathlib
from collections.abc import Iterable

from gr_tf.errors import InputError
from gr_tf.runs.run_dir import RUN

# What no reader of data reads, so that it may be replaced in a folder of data, too.
_PAGES = (".html", ".htm")


def check_output(path: pathlib.Path, *, overwrite: bool, data: Iterable[pathlib.Path | str | None] = ()) -> None:
    """Refuses a path where writing would replace something; makes its folder if there is none.

    Args:
        path: where a file will be written.
        overwrite: whether a file that is there may be replaced, if it is no file of the data or of a run.
        data: the folders, or files, of the data and the model; None counts for nothing.

    Raises:
        InputError: if there is a file (without `overwrite`), or something that is no regular file, or a file of the
            data or of a run's stage, or if the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}.") from None
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: cannot be written: no permission to write in its folder.")
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path}: is no regular file, and is not replaced.")
    if not overwrite:
        raise InputError(f"{path}: exists already. Pass --overwrite to replace it, or name another.")
    if any((parent / RUN).exists() for parent in path.resolve().parents):
        raise InputError(f"{path}: is a file of a run, and is not replaced.")
    for place in data:
        if place is not None and _is_of(path, pathlib.Path(place)):
            raise InputError(f"{path}: is a file of the data or the model, and is not replaced.")


def _is_of(path: pathlib.Path, data: pathlib.Path) -> bool:
    """Whether a file is the data, or in their folder, by this or another name."""
    if not data.is_dir():
        return data.exists() and path.samefile(data)
    if any(path.samefile(other) for other in data.iterdir() if other.is_file() and other.suffix not in _PAGES):
        return True
    return path.suffix not in _PAGES and path.resolve().is_relative_to(data.resolve())
