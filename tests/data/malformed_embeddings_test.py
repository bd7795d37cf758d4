"""Malformed files of embeddings, each with the line that tells it."""

import pathlib

import numpy as np
import pytest

from gr_tf.data.embedding_files import read_named_rows
from tests.data.malformed import CUT, LONG, Files, refused

ROWS = np.zeros((2, 3))

TABLE: list[tuple[Files, str]] = [
    (
        {"entities.npy": np.array([[1.0, 2], [1, -1e39]]), "entities.tsv": "a\nb\n"},
        "entities.npy: row 1 has a number that is too large for float32.",
    ),
    ({"entities.npy": ROWS, "entities.tsv": ""}, "entities.tsv:1: want a name, or an id, a tab and a name; got ''."),
    (
        {"entities.npy": ROWS, "entities.tsv": "a\nb\tc\n"},
        "entities.tsv:2: want a name, or an id, a tab and a name; got 'b\\tc'.",
    ),
    ({"entities.npy": ROWS, "entities.tsv": "a\na\n"}, "entities.tsv: 'a' is the name of rows 0 and 1."),
    (
        {"entities.npy": ROWS, "entities.tsv": "0\ta\n2\tb\n"},
        "entities.tsv: no column of ids has the row numbers 0 to 1, each once.",
    ),
    (
        {"entities.npy": ROWS, "entities.tsv": "a\tb\tc\n"},
        "entities.tsv:1: want a name, or an id, a tab and a name; got 'a\\tb\\tc'.",
    ),
    (
        {"entities.npy": ROWS, "entities.tsv": b"a\nb\x00\n"},
        "entities.tsv:2: has a NUL character: it is no text, or not UTF-8.",
    ),
    (
        {"entities.npy": ROWS, "entities.tsv": b"a\n\xff\n"},
        "entities.tsv:2: not UTF-8: byte 0xff (invalid start byte).",
    ),
    (
        {"entities.npy": ROWS, "entities.tsv": "1\t0\n0\t1\n"},
        "entities.tsv: both columns have the row numbers; say which are ids by a first line id<TAB>label.",
    ),
    (
        {"entities.npy": ROWS, "entities.tsv": "id\tlabel\n0\t\n"},
        "entities.tsv:2: want a name, or an id, a tab and a name; got '0\\t'.",
    ),
    (
        {"entities.npy": ROWS, "entities.tsv": LONG + "\n" + LONG + "\n"},
        "entities.tsv: " + CUT + " is the name of rows 0 and 1.",
    ),
    (
        {"entities.npy": np.zeros((3,)), "entities.tsv": "a\nb\nc\n"},
        "entities.npy: want rows of numbers, [n, k]; got shape (3,).",
    ),
    (
        {"entities.npy": np.zeros((0, 3)), "entities.tsv": "a\n"},
        "entities.npy: want rows of numbers, [n, k]; got shape (0, 3).",
    ),
    (
        {"entities.npy": np.zeros((2, 3), int), "entities.tsv": "a\nb\n"},
        "entities.npy: want an array of floating-point or complex numbers.",
    ),
    (
        {"entities.npy": np.full((2, 3), np.nan), "entities.tsv": "a\nb\n"},
        "entities.npy: row 0 is not finite, nor are 1 others.",
    ),
    (
        {"entities.npy": np.array([[1, np.inf], [1, 2]]), "entities.tsv": "a\nb\n"},
        "entities.npy: row 0 is not finite, nor are 0 others.",
    ),
    (
        {"entities.npy": np.array(["a", "b"]), "entities.tsv": "a\nb\n"},
        "entities.npy: want an array of floating-point or complex numbers.",
    ),
    (
        {"entities.npy": b"", "entities.tsv": "a\n"},
        "entities.npy: is no array of numbers: not a .npy file, such as numpy.save writes.",
    ),
    ({"entities.npy": b"\x93NUMPY", "entities.tsv": "a\n"}, "entities.npy: is no array of numbers: "),
    (
        {"entities.npy": b"0 1 2\n", "entities.tsv": "a\n"},
        "entities.npy: is no array of numbers: not a .npy file, such as numpy.save writes.",
    ),
    (
        {"entities.npy": np.zeros((2, 3, 4)), "entities.tsv": "a\nb\n"},
        "entities.npy: want rows of numbers, [n, k]; got shape (2, 3, 4).",
    ),
    ({"entities.tsv": "a\n"}, ": has no entities.npy (nor *_entity.npy)."),
    ({"entities.npy": ROWS}, ": has no entities.tsv or entities.txt with the names of the rows of entities.npy."),
]


@pytest.mark.parametrize(("contents", "message"), TABLE)
def test_embeddings(tmp_path: pathlib.Path, contents: Files, message: str) -> None:
    refused(tmp_path, contents, lambda folder: read_named_rows(folder, "entity"), message)
