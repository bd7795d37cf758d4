"""Files that a user names for results: never another file's end."""

import os
import pathlib
from collections.abc import Iterable

from gr_tf.errors import InputError, argument
from gr_tf.runs import files
from gr_tf.runs.run_dir import RESULT, RUN

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]

# What no reader of data reads, so that it may be replaced in a folder of data, too.
_PAGES = (".html", ".htm")


def check_output(path: pathlib.Path, *, overwrite: bool, data: Iterable[pathlib.Path | str | None] = ()) -> None:
    """Refuses a path where writing would replace something, or cannot be done; writes nothing.

    Args:
        path: where a file will be written.
        overwrite: whether a file that is there may be replaced, if it is no file of the data or of a run.
        data: the folders, or files, of the data and the model; None counts for nothing.

    Raises:
        InputError: if there is a file (without `overwrite`), or something that is no regular file, or a file of the
            data or of a run's stage, or if the folder cannot be written.
    """
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise InputError(f"{path}: cannot be written: {folder} is no folder.")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: cannot be written: no permission to write in {folder}.")
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path}: is no regular file, and is not replaced.")
    if not overwrite:
        raise InputError(f"{path}: exists already. Pass {argument('overwrite', True)} to replace it, or name another.")
    whole = path.resolve()
    if whole.is_relative_to(_PACKAGE):
        raise InputError(f"{path}: is a file of gr_tf, and is not replaced.")
    if any(_is_written_by(parent, whole) for parent in whole.parents):
        raise InputError(f"{path}: is a file of a run, and is not replaced.")
    for place in data:
        if place is not None and _is_of(path, pathlib.Path(place)):
            raise InputError(f"{path}: is a file of the data or the model, and is not replaced.")


def check_beside_run(path: pathlib.Path, run_dir: pathlib.Path) -> None:
    """Refuses a file that would stand in the way of a run's folder, or of a stage in it; writes nothing.

    Raises:
        InputError: if the file is the run's folder, or would hold it, or is in a folder inside it.
    """
    whole, folder = path.resolve(), run_dir.resolve()
    if folder.is_relative_to(whole):
        raise InputError(f"{path}: is the run's folder, or holds it: name a file.")
    if whole.is_relative_to(folder) and whole.parent != folder:
        raise InputError(f"{path}: folders inside the run's folder are the run's own: write to {run_dir / path.name}.")


def _is_written_by(stage: pathlib.Path, path: pathlib.Path) -> bool:
    """Whether a folder is a run's stage that a file is of."""
    if not (stage / RUN).is_file():
        return False
    try:
        writes = files.read_json(stage / RUN).get("writes", [])
    except InputError:
        return path.parent == stage  # Another program's, or damaged.
    return path.relative_to(stage).parts[0] in (RUN, RESULT, *writes)


def _is_of(path: pathlib.Path, data: pathlib.Path) -> bool:
    """Whether a file is read with the data or the model, by this or another name."""
    if data.is_dir():
        beside = [other for other in data.iterdir() if other.is_file() and other.suffix not in _PAGES]
    else:
        beside = [data, *(data.parent.glob("*.txt") if data.suffix == ".keras" else ())]
    return any(other.exists() and path.samefile(other) for other in beside)
