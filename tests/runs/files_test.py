"""Files: whole or absent, and checked when they are read."""

import pathlib

import numpy as np
import pytest

from gr_tf.errors import InputError
from gr_tf.runs import files

ARRAYS = {"a": np.arange(12.0).reshape(3, 4), "b": np.array(7)}


def test_arrays_come_back(tmp_path: pathlib.Path) -> None:
    files.write_arrays(tmp_path / "x", ARRAYS, {"epoch": 3})
    for memory_map in (False, True):
        arrays, meta = files.read_arrays(tmp_path / "x", memory_map=memory_map)
        assert meta == {"epoch": 3}
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(arrays[name], array)
    files.write_arrays(tmp_path / "x", {"c": np.ones(1)})
    assert list(files.read_arrays(tmp_path / "x")[0]) == ["c"]


def test_fingerprint_is_of_the_content(tmp_path: pathlib.Path) -> None:
    for name, array in (("x", np.ones(3)), ("y", np.ones(3)), ("z", np.zeros(3))):
        files.write_arrays(tmp_path / name, {"a": array})
    assert files.fingerprint(tmp_path / "x") == files.fingerprint(tmp_path / "y")
    assert files.fingerprint(tmp_path / "x") != files.fingerprint(tmp_path / "z")


def test_truncated_edited_and_missing_arrays(tmp_path: pathlib.Path) -> None:
    for damage, message in (
        (lambda path: path.write_bytes(path.read_bytes()[:-8]), "a.npy: truncated or edited"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x01"), "a.npy: truncated or edited"),
        (lambda path: path.unlink(), "a.npy: no such file"),
        (lambda path: (path.parent / "manifest.json").write_text("{"), "manifest.json: not a JSON file"),
        (lambda path: (path.parent / "manifest.json").unlink(), "manifest.json: no such file"),
    ):
        files.write_arrays(tmp_path / "x", ARRAYS)
        damage(tmp_path / "x" / "a.npy")
        with pytest.raises(InputError, match=message):
            files.read_arrays(tmp_path / "x")


def test_a_failed_write_leaves_the_old_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "result.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(path, {"a": float("nan")})

    def fail() -> None:
        with files.new_file(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_a_failed_array_write_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: object, array: object, **_: object) -> None:
        raise OSError("4096 requested and 0 written")  # what NumPy says on a full disk

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(InputError, match=r"x/a.npy: cannot be written whole \(is the disk full\?\): 4096 requested"):
        files.write_arrays(tmp_path / "x", ARRAYS)
    assert list(tmp_path.iterdir()) == []


def test_sweep(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a" / ".tmp-1").mkdir(parents=True)
    (tmp_path / "a" / ".tmp-1" / "x.npy").touch()
    (tmp_path / ".tmp-2").touch()
    (tmp_path / "kept").touch()
    files.sweep_temporaries(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "kept"]
