"""Influences from anybody's files, and mistakes in them."""

import pathlib

import numpy as np
import pytest

from gr_tf.errors import InputError
from gr_tf.evaluation.influence_files import read_influences

SHAPE = (3, 4)
GOOD = np.random.default_rng(0).normal(size=SHAPE)


def test_each_format_gives_the_same_numbers(tmp_path: pathlib.Path) -> None:
    np.save(tmp_path / "mine.npy", GOOD)
    np.savez_compressed(tmp_path / "mine.npz", anything=GOOD)
    (tmp_path / "mine.csv").write_text("".join(",".join(map(repr, row)) + "\n" for row in GOOD.tolist()) + "\n")
    for suffix in ("npy", "npz", "csv"):
        found = read_influences(tmp_path / f"mine.{suffix}", SHAPE)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, GOOD)
    np.save(tmp_path / "whole.npy", np.arange(12, dtype=np.int8).reshape(SHAPE))
    assert read_influences(tmp_path / "whole.npy", SHAPE)[2, 3] == 11


def changed(place: tuple[int, ...] | int, value: float) -> np.ndarray:
    found = GOOD.copy()
    found[place] = value
    return found


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (GOOD.T, r"want influences of 3 queries \(rows\) and 4 training examples .* \[4, 3\]\. It is the transpose"),
        (GOOD[:2], r"got the shape \[2, 4\]\.$"),
        (GOOD[None], r"got the shape \[1, 3, 4\]"),
        (np.float64(3), r"got the shape \[\]"),
        (changed((1, 2), np.nan), "query 1, example 2 .*got nan; want finite numbers, 0 for what is not ranked"),
        (changed((2, 0), -np.inf), "query 2, example 0 .*got -inf"),
        (changed(1, 0.5), r"query 1 \(counted from 0\): all its influences are 0\.5"),
        (GOOD > 0, "want real numbers; got bool"),
        (GOOD.astype(complex), "want real numbers; got complex128"),
        (GOOD.astype(str), "want real numbers; got <U32"),
        (GOOD.astype(object), "not an array of NumPy"),
    ],
)
def test_wrong_arrays(tmp_path: pathlib.Path, array: np.ndarray, message: str) -> None:
    path = tmp_path / "mine.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(InputError, match=message) as raised:
        read_influences(path, SHAPE)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n1,2,3\n", "mine.csv:2: want 4 numbers, one for each example; got 3"),
        ("a,b,c,d\n1,2,3,4\n", "mine.csv:1: 'a' is not a number"),
        ("1,2,3,4\n1,,3,4\n", "mine.csv:2: '' is not a number"),
        ("1,2,3,4\n1,2,3,5\n1,2,3,nan\n", "query 2, example 3 .*got nan"),
        ("1,2,3,4\n", r"got the shape \[1, 4\]"),
        ("", r"got the shape \[0, 4\]"),
    ],
)
def test_wrong_csv(tmp_path: pathlib.Path, text: str, message: str) -> None:
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_influences(tmp_path / "mine.csv", SHAPE)


def test_wrong_files(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"none\.npy: no such file"):
        read_influences(tmp_path / "none.npy", SHAPE)
    (tmp_path / "mine.txt").write_text("1")
    with pytest.raises(
        InputError, match=r"mine\.txt: want influences in a file whose name ends in \.npy, \.npz, \.csv"
    ):
        read_influences(tmp_path / "mine.txt", SHAPE)
    for suffix in ("npy", "npz"):
        for content in (b"", b"PK\x03\x04", b"no array"):
            (tmp_path / f"mine.{suffix}").write_bytes(content)
            with pytest.raises(InputError, match="not an array of NumPy"):
                read_influences(tmp_path / f"mine.{suffix}", SHAPE)
    np.savez(tmp_path / "two.npz", first=GOOD, second=GOOD)
    with pytest.raises(InputError, match="want one array; got 2: 'first', 'second'"):
        read_influences(tmp_path / "two.npz", SHAPE)
