"""Files that are whole or absent, and arrays that are checked when they are read.

Everything is written to a temporary name beside its place and renamed, so that a process killed at
any moment leaves the old file or the new one; of a folder of arrays, the old, the new, or none.
"""

import contextlib
import hashlib
import json
import pathlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gr_tf.errors import InputError

MANIFEST = "manifest.json"
TEMPORARY = ".tmp-"


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


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a UTF-8 text file, whole or not at all."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes JSON, whole or not at all; refuses NaN and infinity."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: pathlib.Path) -> Any:
    """Reads JSON.

    Raises:
        InputError: if the file is absent or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a JSON file: {error}.") from None


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
        shutil.rmtree(folder, ignore_errors=True)
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
        InputError: if a file is absent, truncated or edited.
    """
    manifest = read_json(folder / MANIFEST)
    arrays = {}
    for name, checksum in manifest["sha256"].items():
        path = folder / f"{name}.npy"
        if not path.exists():
            raise InputError(f"{path}: no such file, but {MANIFEST} lists it.")
        if sha256(path) != checksum:
            raise InputError(f"{path}: truncated or edited: its SHA-256 is not the one in {MANIFEST}.")
        arrays[name] = np.load(path, mmap_mode="r" if memory_map else None, allow_pickle=False)
    return arrays, manifest["meta"]


def fingerprint(*folders: pathlib.Path) -> str:
    """One SHA-256 for all the arrays in folders that `write_arrays` wrote."""
    manifests = [(folder / MANIFEST).read_bytes() for folder in folders]
    return hashlib.sha256(b"".join(manifests)).hexdigest()


def sweep_temporaries(folder: pathlib.Path) -> None:
    """Deletes what a killed process was still writing, anywhere below a folder."""
    for path in list(folder.rglob(f"{TEMPORARY}*")):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _temporary(path: pathlib.Path) -> pathlib.Path:
    """A new name beside a path, in its folder, which is made if it is absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
