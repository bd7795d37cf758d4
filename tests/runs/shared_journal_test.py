"""Journals that several processes add to: nothing is lost, nothing is damaged, and everybody sees all."""

import concurrent.futures
import pathlib
import subprocess
import sys
import textwrap

import pytest

from gr_tf.errors import DamagedError
from gr_tf.runs.journal import read_journal
from gr_tf.runs.shared_journal import SharedJournal

FIELDS = ("who", "place")


def records(who: int, count: int) -> list[dict[str, int]]:
    return [{"who": who, "place": place} for place in range(count)]


def test_two_see_each_other(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "checks" / "journal.jsonl"
    mine, others = SharedJournal(path, FIELDS), SharedJournal(path, FIELDS)
    assert mine.records() == ()
    assert not path.parent.exists()
    for place in range(3):
        mine.add({"who": 0, "place": place})
        others.add({"who": 1, "place": place})
        assert mine.records() == others.records() == tuple(read_journal(path, FIELDS))
    assert [one["who"] for one in mine.records()] == [0, 1] * 3


def test_many_processes_add_at_the_same_time(tmp_path: pathlib.Path) -> None:
    program = """
        import pathlib, sys
        from gr_tf.runs.shared_journal import SharedJournal
        journal = SharedJournal(pathlib.Path(sys.argv[1]), ("who", "place"))
        for place in range(50):
            journal.add({"who": int(sys.argv[2]), "place": place})
    """
    path, own = tmp_path / "journal.jsonl", SharedJournal(tmp_path / "journal.jsonl", FIELDS)
    command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
    others = [subprocess.Popen([*command, str(who)]) for who in (0, 1)]
    # Threads of one process, too.
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        list(executor.map(own.add, records(2, 50)))
    assert [other.wait() for other in others] == [0, 0]
    found = read_journal(path, FIELDS)
    assert own.records() == tuple(found)
    for who in (0, 1, 2):
        of_one = [one for one in found if one["who"] == who]
        assert sorted(of_one, key=lambda one: one["place"]) == records(who, 50)


@pytest.mark.parametrize("cut", [1, 20])
def test_an_unfinished_line_is_dropped_by_the_next_addition(tmp_path: pathlib.Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    journal = SharedJournal(path, FIELDS)
    for record in records(0, 3):
        journal.add(record)
    path.write_bytes(path.read_bytes()[:-cut])
    again = SharedJournal(path, FIELDS)
    assert list(again.records()) == records(0, 2)
    again.add({"who": 1, "place": 7})
    assert read_journal(path, FIELDS) == [*records(0, 2), {"who": 1, "place": 7}]
    # Who knew more of it than there is now looks again.
    assert journal.records() == again.records()


def test_one_that_is_begun_anew_is_read_anew(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.jsonl"
    mine, others = SharedJournal(path, FIELDS), SharedJournal(path, FIELDS)
    for record in records(0, 4):
        mine.add(record)
    (tmp_path / "foreign").touch()
    others.delete()
    assert mine.records() == ()
    for record in records(1, 9):  # Longer than it was.
        others.add(record)
    assert list(mine.records()) == records(1, 9)
    mine.add({"who": 0, "place": 0})
    assert others.records() == mine.records()
    assert (tmp_path / "foreign").exists()


def test_what_was_edited_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = SharedJournal(path, FIELDS)
    for record in records(0, 3):
        journal.add(record)
    path.write_text(path.read_text().replace('"place": 1', '"place": 5'))
    for call in (SharedJournal(path, FIELDS).records, lambda: SharedJournal(path, FIELDS).add(records(0, 1)[0])):
        with pytest.raises(DamagedError, match=r"journal.jsonl:2: edited"):
            call()
