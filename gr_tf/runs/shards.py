"""Shards: several processes, on one machine or on many, that do a part of a command's retrainings each.

Each shard keeps a journal of its own beside the command's: retrainings-3-of-64.jsonl beside retrainings.jsonl. When it
has done its part, it stops. evaluation.merging joins the journals; then the command finds all retrainings done.

Shards may share a folder. Until a shard begins its part, it works in the folder alone, and others wait; then it lets
them in.
"""

import contextlib
import contextvars
import dataclasses
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from types import TracebackType

import filelock

from gr_tf.errors import InputError, argument, short

_PART = re.compile(r"(.+)-([1-9]\d*)-of-([1-9]\d*)\.(jsonl|json|lock)", re.DOTALL)
_SECONDS_BETWEEN_LOOKS = 0.5


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of several processes.

    Attributes:
        number: from 1 to count.
        count: how many there are.
    """

    number: int
    count: int

    @classmethod
    def of(cls, text: str) -> "Shard":
        """From a text such as 3/64.

        Raises:
            InputError: if it is no such text.
        """
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise InputError(
                f"{argument('shard')} must be a number and how many shards there are, from 1/N to N/N, such as 3/64; "
                f"got {short(text)}."
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def has(self, place: int) -> bool:
        """Whether the work at a place of a list is this shard's."""
        return place % self.count == self.number - 1

    def beside(self, journal: pathlib.Path, suffix: str) -> pathlib.Path:
        """The shard's own file for a journal: its journal (.jsonl), what its part is (.json), its lock (.lock)."""
        return journal.with_name(f"{journal.stem}-{self.number}-of-{self.count}{suffix}")


class Stopped(Exception):  # noqa: N818  (no error: a part is done)
    """A shard has done its part, so that the command cannot go on; the text says how it does.

    Attributes:
        done: how many retrainings it did now.
        part: how many its part has.
        total: how many there are in all.
        folder: where the journals are.
    """

    def __init__(self, shard: Shard, done: int, part: int, total: int, folder: pathlib.Path) -> None:
        self.shard, self.done, self.part, self.total, self.folder = shard, done, part, total, folder
        then = f"When all shards are done: gr_tf merge of {folder}, then the same again, of no shard."
        super().__init__(f"{self.told} {then}")

    @property
    def told(self) -> str:
        """What was done."""
        return (
            f"Shard {self.shard}: its part is {self.part:,} of {self.total:,} retrainings: {self.done:,} done now, "
            f"{self.part - self.done:,} before."
        )


@dataclasses.dataclass
class _Working:
    """This process as a shard.

    Attributes:
        shard: which one.
        locks: of the folders that it works in alone.
        has_let_go: whether it has let others in since it last entered one.
    """

    shard: Shard
    locks: list[filelock.BaseFileLock] = dataclasses.field(default_factory=list)
    has_let_go: bool = False


_working: contextvars.ContextVar[_Working | None] = contextvars.ContextVar("working", default=None)


@contextlib.contextmanager
def working_as(shard: Shard) -> Iterator[None]:
    """Does only a shard's part of the retrainings that are asked for in the context, and raises Stopped."""
    before = _working.set(_Working(shard))
    try:
        yield
    finally:
        _working.reset(before)


def current() -> Shard | None:
    """The shard that this process is; None: it is no shard."""
    working = _working.get()
    return None if working is None else working.shard


def enter(lock: filelock.BaseFileLock, folder: pathlib.Path) -> None:
    """Waits, as a shard, until no other process works in a folder alone; keeps others out until `let_others_in`."""
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        print(f"waiting for another process that works on {folder}", file=sys.stderr, flush=True)
        lock.acquire(poll_interval=_SECONDS_BETWEEN_LOOKS)
    working = _shard_at_work()
    working.locks.append(lock)
    working.has_let_go = False


def let_others_in() -> None:
    """Lets other shards into the folders of this one, which from now on writes files of its own only."""
    working = _shard_at_work()
    while working.locks:
        working.locks.pop().release(force=True)
    working.has_let_go = True


def works_alone() -> bool:
    """Whether this process may write files that are not one shard's."""
    working = _working.get()
    return working is None or not working.has_let_go


def _shard_at_work() -> _Working:
    working = _working.get()
    assert working is not None, "only in working_as()"
    return working


@contextlib.contextmanager
def own_lock(shard: Shard, journal: pathlib.Path) -> Iterator[None]:
    """Keeps out other processes that are the same shard.

    Raises:
        InputError: if there is one.
    """
    lock = filelock.FileLock(shard.beside(journal, ".lock"))
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise InputError(f"{journal.parent}: another process is working on shard {shard}.") from None
    with contextlib.ExitStack() as held:
        held.callback(lock.release)
        yield


def refuse_working(folder: pathlib.Path) -> None:
    """Refuses a folder that shards are working in.

    Raises:
        InputError: if one does.
    """
    for path in sorted(folder.rglob("*-of-*.lock")):
        found = _PART.fullmatch(path.name)
        if found is None:
            continue
        lock = filelock.FileLock(path)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            raise InputError(f"{folder}: another process is working on it, as shard {found[2]}/{found[3]}.") from None
        lock.release()


def parts_of(journal: pathlib.Path) -> list[tuple[Shard, pathlib.Path]]:
    """The files that shards have for a journal: journals, what parts are, and locks."""
    found = []
    for path in sorted(journal.parent.glob("*-of-*.*")) if journal.parent.is_dir() else ():
        match = _PART.fullmatch(path.name)
        if match is not None and match[1] == journal.stem:
            found.append((Shard(int(match[2]), int(match[3])), path))
    return found


def journals_below(folder: pathlib.Path) -> list[pathlib.Path]:
    """The journals, anywhere below a folder, that shards have parts of; their own paths need not exist."""
    matches = ((path, _PART.fullmatch(path.name)) for path in folder.rglob("*-of-*.json*"))
    return sorted({path.with_name(f"{match[1]}.jsonl") for path, match in matches if match is not None})


class Parts:
    """Lets a shard do its part of several pieces of work, one in each context of this, before it stops."""

    def __init__(self) -> None:
        self._stopped: list[Stopped] = []

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, Stopped):
            self._stopped.append(error)
            return True
        return False

    def stop(self) -> None:
        """
        Raises:
            Stopped: if the shard stopped in one of them.
        """
        if self._stopped:
            done, part, total = (sum(getattr(one, name) for one in self._stopped) for name in ("done", "part", "total"))
            folder = pathlib.Path(os.path.commonpath([one.folder for one in self._stopped]))
            raise Stopped(self._stopped[0].shard, done, part, total, folder)
