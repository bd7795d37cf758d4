"""Journals and checkpoints: what a kill may leave behind, and what is refused."""

import contextlib
import pathlib

import numpy as np
import pytest

from gr_tf.errors import InputError
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.runs.journal import Journal


def test_records_come_back_without_an_unfinished_last_line(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a" / "journal.jsonl"
    journal = Journal(path, ("place", "value"))
    for record in ({"place": 0, "value": 0.1 + 0.2}, {"place": 1, "value": None}):
        journal.add(record)
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.add({"place": 2, "value": float("nan")})
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"place": 2, "val')
    again = Journal(path, ("place", "value"))
    assert again.records == [{"place": 0, "value": 0.1 + 0.2}, {"place": 1, "value": None}]
    again.add({"place": 2, "value": 5})
    again.close()
    assert path.read_bytes().startswith(whole + b'{"place": 2, "value": 5, "checksum": "')


@pytest.mark.parametrize("line", ["{", '{"place": 1}', '{"place": 1, "value": 2, "more": 3}', "[1, 2]", ""])
def test_a_damaged_line_is_named(tmp_path: pathlib.Path, line: str) -> None:
    path = tmp_path / "journal.jsonl"
    first, _, last = _lines(path)
    path.write_text(f"{first}{line}\n{last}")
    with pytest.raises(InputError, match=r"journal.jsonl:2: damaged: not a record of this journal"):
        Journal(path, ("place", "value"))


def _lines(path: pathlib.Path) -> list[str]:
    """The three lines of a journal."""
    with contextlib.closing(Journal(path, ("place", "value"))) as journal:
        for place in range(3):
            journal.add({"place": place, "value": 1.5})
    return path.read_text().splitlines(keepends=True)


@pytest.mark.parametrize("damage", ["digit", "name", "no checksum", "lost", "twice", "exchanged", "NaN"])
def test_an_edited_line_is_named(tmp_path: pathlib.Path, damage: str) -> None:
    path = tmp_path / "journal.jsonl"
    first, second, third = _lines(path)
    changed = {
        "digit": [first, second.replace("1.5", "1.6"), third],
        "name": [first, second.replace('"place": 1', '"place": 2'), third],
        "no checksum": [first, '{"place": 1, "value": 1.5}\n', third],
        "lost": [first, third],
        "twice": [first, first, second, third],
        "exchanged": [first, third, second],
        "NaN": [first, second.replace("1.5", "NaN"), third],
    }[damage]
    path.write_text("".join(changed))
    with pytest.raises(InputError, match=r"journal.jsonl:2: (edited|damaged)"):
        Journal(path, ("place", "value"))
    path.write_text(first)  # a journal that ends earlier is one of less work
    assert len(Journal(path, ("place", "value")).records) == 1


def test_the_newest_checkpoint_is_found(tmp_path: pathlib.Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints", every_seconds=3600)
    assert folder.newest() is None
    assert not folder.due()
    for step in range(3):
        folder.save({"a": np.full(2, step)}, {"step": step})
    # A kill while the next one was written leaves a temporary folder; one before the older ones were deleted, these.
    (tmp_path / "checkpoints" / f".tmp-1-{'0' * 32}-x").mkdir()
    (tmp_path / "checkpoints" / "checkpoint-00000001").mkdir()
    found = CheckpointFolder(tmp_path / "checkpoints", every_seconds=0)
    assert found.due()
    newest = found.newest()
    assert newest is not None
    assert newest[1] == {"step": 2}
    assert newest[0]["a"].tolist() == [2, 2]
    path = tmp_path / "checkpoints" / "checkpoint-00000003" / "a.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"checkpoint-00000003/a.npy: truncated or edited"):
        found.newest()
    (tmp_path / "checkpoints" / "checkpoint-abc").mkdir()
    with pytest.raises(InputError, match=r"checkpoint-abc: not a checkpoint of gr_tf"):
        found.newest()
    found.clear()
    assert not (tmp_path / "checkpoints").exists()
