"""Files that are whole or absent, and JSON and arrays that are checked when they are read.

Everything is written to a temporary name beside its place and renamed, so that a process killed at
any moment leaves the old file or the new one; of a folder of arrays, the old, the new, or none.
What a kill leaves under a temporary name is deleted when the same place is written again.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gr_tf.errors import DamagedError, InputError

MANIFEST = "manifest.json"
# The key of a JSON file's own checksum.
CHECKSUM = "checksum"
# A temporary name has the number of the process that writes, and the name of the place that it writes.
_TEMPORARY = re.compile(r"\.tmp-(\d+)-[0-9a-f]{32}-(.*)", re.DOTALL)
# Bytes; names are at most 255 bytes long.
_LONGEST_NAME = 120


def sha256(path: pathlib.Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def new_file(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A temporary path that takes the place of `path` when the block ends well.

    Raises:
        InputError: if it cannot be written.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}.") from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A temporary folder that takes the place of `folder` when the block ends well.

    If there is such a folder, the new files move into it, in alphabetical order: a kill can leave some of them old.

    Raises:
        InputError: if a file cannot be written.
    """
    is_new = not os.path.lexists(folder)
    temporary = _temporary(folder if is_new else folder / "files")
    try:
        temporary.mkdir()
        yield temporary
        if is_new:
            temporary.replace(folder)
        else:
            for path in sorted(temporary.iterdir()):
                path.replace(folder / path.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a UTF-8 text file, whole or not at all."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def refuse_special(path: pathlib.Path) -> None:
    """Refuses what is none of a disk's files or folders, such as a pipe: reading it could wait for ever.

    Raises:
        InputError: if the path is there, but neither a regular file nor a folder.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: not a regular file: what is read here must be on a disk.")


def checksum_of(value: Any, before: str = "") -> str:
    """SHA-256 of a JSON value, as hexadecimal digits; the order of keys and the layout do not matter.

    Args:
        value: anything that JSON can hold, without NaN and infinity.
        before: the checksum of what comes before it, on which it then depends.

    Raises:
        ValueError: if it has NaN or infinity.
    """
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(before.encode() + text.encode()).hexdigest()


def write_json(path: pathlib.Path, value: Mapping[str, Any]) -> None:
    """Writes a JSON object with its checksum as the last value, whole or not at all; refuses NaN and infinity."""
    # Keys as they are read back.
    value = json.loads(json.dumps(value, allow_nan=False))
    told = {**value, CHECKSUM: checksum_of(value)}
    text = json.dumps(told, indent=1, ensure_ascii=False)
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        text = json.dumps(told, indent=1)  # Parts of a path that are no UTF-8 are escaped.
    write_text(path, text + "\n")


def read_json(path: pathlib.Path, *, checked: bool = True) -> dict[str, Any]:
    """Reads a JSON object, without its checksum.

    Args:
        path: the file.
        checked: refuse one without a checksum, which `write_json` did not write; a wrong one is always refused.

    Raises:
        InputError: if the file is absent; DamagedError: if it is no JSON object, or was truncated or edited.
    """
    refuse_special(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except RecursionError:
        raise DamagedError(f"{path}: not a JSON file of gr_tf: it is nested too deeply.") from None
    except ValueError as error:
        raise DamagedError(f"{path}: not a JSON file: {error}.") from None
    if not isinstance(value, dict):
        raise DamagedError(f"{path}: not written by gr_tf: want a JSON object.")
    checksum = value.pop(CHECKSUM, None)
    if checksum is None and checked:
        raise DamagedError(f"{path}: not written by this gr_tf: it has no {CHECKSUM}. Remove the run, or name another.")
    try:
        damaged = checksum is not None and checksum != checksum_of(value)
    except ValueError:
        damaged = True
    if damaged:
        raise DamagedError(f"{path}: truncated or edited: its {CHECKSUM} is another.")
    return value


def write_arrays(folder: pathlib.Path, arrays: Mapping[str, np.ndarray], meta: Any = None) -> None:
    """Writes named arrays as one new folder of .npy files with their checksums.

    Args:
        folder: replaced if it exists.
        arrays: name to array.
        meta: anything JSON can hold; returned by `read_arrays`.

    Raises:
        InputError: if an array cannot be written whole.
    """
    temporary = _temporary(folder)
    temporary.mkdir()
    try:
        checksums = {}
        for name, array in arrays.items():
            path = temporary / f"{name}.npy"
            try:
                np.save(path, array, allow_pickle=False)
            except OSError as error:
                where = folder / path.name
                raise InputError(f"{where}: cannot be written whole (is the disk full?): {error}.") from None
            checksums[name] = sha256(path)
        write_json(temporary / MANIFEST, {"sha256": checksums, "meta": meta})
        delete(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_arrays(folder: pathlib.Path, *, memory_map: bool = False) -> tuple[dict[str, np.ndarray], Any]:
    """Reads what `write_arrays` wrote, after checking every checksum.

    Args:
        folder: the folder.
        memory_map: leave the arrays on disk (read only) instead of loading them.

    Returns:
        The arrays by name, and the meta value.

    Raises:
        DamagedError: if a file is absent, truncated or edited.
    """
    manifest = read_json(folder / MANIFEST)
    arrays = {}
    for name, checksum in manifest["sha256"].items():
        path = folder / f"{name}.npy"
        if not path.exists():
            raise DamagedError(f"{path}: no such file, but {MANIFEST} lists it.")
        refuse_special(path)
        if sha256(path) != checksum:
            raise DamagedError(f"{path}: truncated or edited: its SHA-256 is not the one in {MANIFEST}.")
        arrays[name] = np.load(path, mmap_mode="r" if memory_map else None, allow_pickle=False)
    return arrays, manifest["meta"]


def fingerprint(*folders: pathlib.Path) -> str:
    """One SHA-256 for all the arrays in folders that `write_arrays` wrote."""
    manifests = [(folder / MANIFEST).read_bytes() for folder in folders]
    return hashlib.sha256(b"".join(manifests)).hexdigest()


def is_temporary(path: pathlib.Path) -> bool:
    """Whether a name is one under which gr_tf writes what is not whole yet."""
    return _TEMPORARY.fullmatch(path.name) is not None


def sweep_temporaries(folder: pathlib.Path) -> None:
    """Deletes what killed processes were still writing, anywhere below a folder that no other process works in."""
    for parent, folders, names in os.walk(folder):
        for path in [pathlib.Path(parent, name) for name in (*folders, *names)]:
            if is_temporary(path):
                delete(path)


def delete(path: pathlib.Path) -> None:
    """Deletes a file, a folder with all that is in it, or a symbolic link (not what it leads to), if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _temporary(path: pathlib.Path) -> pathlib.Path:
    """A new name beside a path, in its folder, which is made if it is absent; deletes those of killed processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST_NAME])
    for other in path.parent.glob(".tmp-*"):
        found = _TEMPORARY.fullmatch(other.name)
        if found and found[2] == name and not _is_alive(int(found[1])):
            delete(other)
    return path.parent / f".tmp-{os.getpid()}-{uuid.uuid4().hex}-{name}"


def _is_alive(process: int) -> bool:
    """Whether there is a process of this number on this machine, as far as the system tells it."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
