"""Files of embeddings that another tool trained: arrays, and the names of their rows."""

import dataclasses
import gzip
import json
import pathlib
import re
import zlib
from typing import Any

import numpy as np

from gr_tf.data.text_files import decoded, read_text
from gr_tf.errors import InputError, short
from gr_tf.runs import files

# The stems of files of names, with %s for entity or relation: our own, PyKEEN's and LibKGE's.
_NAME_STEMS = {"entity": ("entities", "entity_to_id", "entity_ids"), "relation": ("relations",)}
_NAME_STEMS["relation"] += ("relation_to_id", "relation_ids")
_NAME_SUFFIXES = (".tsv", ".txt", ".dict", ".del", ".tsv.gz")
_ARRAY_STEMS = {"entity": "entities", "relation": "relations"}
# How a .npy file begins.
_MAGIC = b"\x93NUMPY"
# PyKEEN's first line.
_HEADS = (["id", "label"], ["label", "id"])


@dataclasses.dataclass(frozen=True, eq=False)
class NamedRows:
    """Rows of one kind, as a tool wrote them.

    Attributes:
        array: [n, k], numbers or complex numbers.
        names: of the rows, in their order; perhaps fewer than rows.
        path, names_path: the files.
    """

    array: np.ndarray
    names: tuple[str, ...]
    path: pathlib.Path
    names_path: pathlib.Path

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of both files, by name."""
        return {path.name: files.sha256(path) for path in (self.path, self.names_path)}


def read_named_rows(folder: pathlib.Path, what: str) -> NamedRows:
    """The rows of a folder's entities or relations, and their names.

    Args:
        folder: with entities.npy (or DGL-KE's *_entity.npy), and entities.tsv or .txt: a name a line in the order of
            the rows, or id and name with a tab between them; the same of relations.
        what: "entity" or "relation".

    Raises:
        InputError: naming file, line and value, if a file is absent, or is no array of finite numbers, or a name is
            empty or there twice.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder of embeddings.")
    plural = _ARRAY_STEMS[what]
    path = _one(folder, [f"{plural}.npy", *sorted(found.name for found in folder.glob(f"*_{what}.npy"))])
    if path is None:
        raise InputError(f"{folder}: has no {plural}.npy (nor *_{what}.npy).")
    names_path = _one(folder, [f"{stem}{suffix}" for stem in _NAME_STEMS[what] for suffix in _NAME_SUFFIXES])
    if names_path is None:
        raise InputError(f"{folder}: has no {plural}.tsv or {plural}.txt with the names of the rows of {path.name}.")
    return NamedRows(_array(path), _names(names_path), path, names_path)


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """An object of a JSON file.

    Raises:
        InputError: if it has none.
    """
    try:
        told = json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path}: is no JSON: {error}.") from None
    if not isinstance(told, dict):
        raise InputError(f'{path}: want an object such as {{"model": "complex", "convention": "pykeen"}}.')
    return told


def _one(folder: pathlib.Path, names: list[str]) -> pathlib.Path | None:
    """The one file of these names; None if there is none."""
    found = [folder / name for name in names if (folder / name).exists()]
    if len(found) > 1:
        raise InputError(f"{folder}: has {' and '.join(path.name for path in found)}; want one of them.")
    return found[0] if found else None


def _array(path: pathlib.Path) -> np.ndarray:
    files.refuse_special(path)
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise InputError(f"{path}: is no array of numbers: not a .npy file, such as numpy.save writes.")
        array = np.load(path, allow_pickle=False)
    except InputError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: is no array of numbers: {' '.join(str(error).split())}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fc":
        raise InputError(f"{path}: want an array of floating-point or complex numbers.")
    if array.ndim == 3 and array.shape[2] == 2 and array.dtype.kind == "f":
        # Complex numbers viewed as numbers.
        array = array.reshape(len(array), -1)
    if array.ndim != 2 or not array.size:
        raise InputError(f"{path}: want rows of numbers, [n, k]; got shape {array.shape}.")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise InputError(f"{path}: row {bad[0]} is not finite, nor are {len(bad) - 1} others.")
    large = np.flatnonzero(np.abs(array).max(axis=1) > np.finfo(np.float32).max)
    if len(large):
        raise InputError(f"{path}: row {large[0]} has a number that is too large for float32.")
    return array


def _names(path: pathlib.Path) -> tuple[str, ...]:
    """The names of a file: a name a line, or a name and a number with a tab between them."""
    lines = re.split("\r?\n", _text(path).rstrip("\r\n"))
    rows = [line.split("\t") for line in lines]
    first = 1
    head = rows[0] if rows[0] in _HEADS else None
    if head:
        rows, first = rows[1:], 2
    for number, row in enumerate(rows, start=first):
        if len(row) != len(rows[0]) or len(row) > 2 or not all(map(str.strip, row)):
            raise InputError(
                f"{path}:{number}: want a name, or an id, a tab and a name; got {short(lines[number - 1])}."
            )
    names = [row[0] for row in rows]
    if rows and len(rows[0]) == 2:
        names = _by_id(path, rows, head)
    _refuse_twice(path, names)
    return tuple(names)


def _refuse_twice(path: pathlib.Path, names: list[str]) -> None:
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in seen:
            raise InputError(f"{path}: {short(name)} is the name of rows {seen[name]} and {place}.")
        seen[name] = place


def _by_id(path: pathlib.Path, rows: list[list[str]], head: list[str] | None) -> list[str]:
    """The names in the order of their ids, which the head tells, or which are the column that has each once."""
    wanted = sorted(map(str, range(len(rows))))
    possible = [column for column in (0, 1) if sorted(row[column] for row in rows) == wanted]
    if head is not None:
        possible = [column for column in possible if head[column] == "id"]
    if not possible:
        raise InputError(f"{path}: no column of ids has the row numbers 0 to {len(rows) - 1}, each once.")
    if len(possible) == 2 and any(row[0] != row[1] for row in rows):
        raise InputError(f"{path}: both columns have the row numbers; say which are ids by a first line id<TAB>label.")
    ids = possible[0]
    return [row[1 - ids] for row in sorted(rows, key=lambda row: int(row[ids]))]


def _text(path: pathlib.Path) -> str:
    if path.suffix != ".gz":
        return read_text(path)
    files.refuse_special(path)
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}.") from None
    return decoded(path, data)


def read_row_names(path: pathlib.Path) -> tuple[str, ...]:
    """The names of a file in the order of the rows, a name a line; one may be empty, the padding's.

    Raises:
        InputError: if a name is there twice.
    """
    names = re.split("\r?\n", read_text(path))
    if not names[-1]:
        names.pop()
    _refuse_twice(path, names)
    return tuple(names)
