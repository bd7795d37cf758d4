"""Files: whole or absent, and checked when they are read."""

import os
import pathlib
import subprocess

import numpy as np
import pytest

from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.journal import Journal

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
        (lambda path: _edit(path.parent / "manifest.json", '"epoch": 3', '"epoch": 4'), "manifest.json: truncated or"),
    ):
        files.write_arrays(tmp_path / "x", ARRAYS, {"epoch": 3})
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


def _edit(path: pathlib.Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_sweep(tmp_path: pathlib.Path) -> None:
    temporary = f".tmp-1-{'0' * 32}-x"
    (tmp_path / "a" / temporary).mkdir(parents=True)
    (tmp_path / "a" / temporary / "x.npy").touch()
    (tmp_path / temporary).touch()
    (tmp_path / "kept").touch()
    (tmp_path / "a" / ".tmp-of-the-user").touch()
    files.sweep_temporaries(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == [".tmp-of-the-user", "a", "kept"]


def test_what_a_killed_process_left_goes_when_the_file_is_written(tmp_path: pathlib.Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    names = {
        "dead": f".tmp-{dead.pid}-{'0' * 32}-why.html",
        "alive": f".tmp-{os.getpid()}-{'0' * 32}-why.html",
        "other file": f".tmp-{dead.pid}-{'0' * 32}-when.html",
        "user's": ".tmp-why.html",
    }
    for name in names.values():
        (tmp_path / name).touch()
    files.write_text(tmp_path / "why.html", "because")
    del names["dead"]
    assert {path.name for path in tmp_path.iterdir()} == {"why.html", *names.values()}


def test_long_names(tmp_path: pathlib.Path) -> None:
    path = tmp_path / ("ä" * 120 + ".html")  # 245 bytes
    files.write_text(path, "because")
    assert path.read_text() == "because"


def test_names_that_are_no_utf8(tmp_path: pathlib.Path) -> None:
    value = {"data_dir": os.fsdecode(b"caf\xe9"), "more": "é"}
    files.write_json(tmp_path / "x.json", value)
    assert files.read_json(tmp_path / "x.json") == value


def test_json_without_a_checksum(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.json").write_text('{"a": 1}')
    assert files.read_json(tmp_path / "x.json", checked=False) == {"a": 1}
    with pytest.raises(InputError, match=r"x.json: not written by this gr_tf: it has no checksum"):
        files.read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"a": 1, "checksum": "0"}')
    with pytest.raises(InputError, match=r"x.json: truncated or edited"):
        files.read_json(tmp_path / "x.json", checked=False)


def test_a_pipe_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    for name, read in (("run.json", files.read_json), ("trials.jsonl", Journal)):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match=f"{name}: not a regular file"):
            read(tmp_path / name)
