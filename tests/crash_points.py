"""Kills commands right before a change on disk, repeats them, and compares all files with those of an undisturbed run.

python -m tests.crash_points --points=500
python -m tests.crash_points --points=40 --case=evaluate

A change is a file opened for writing, renamed or deleted, a folder made or deleted, a line of a journal, half a line of
a journal, an epoch's point for TensorBoard, or TensorFlow's checkpoint. (Between two writes to one open file there is
no point: what is being written has a temporary name.) One process imports everything; each run is a fork of it.
"""

import dataclasses
import functools
import importlib
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.crash_cases import CASES, Case, Command, load, write_data

# Told about the process that wrote a file, not about the result: a repeated command may have others.
OF_THE_PROCESS = ("seconds", "timing", "peak_memory_bytes", "explaining_seconds", "checksum", "files")
# Files of TensorBoard have a time in their name; only the folder is compared.
OF_TENSORBOARD = "tensorboard"
LITTER = (".tmp-", "checkpoints")
# Python's audit events of changes: the places of the path and, if it has one, of its folder's descriptor.
_PLACES: Mapping[str, tuple[int, int | None]] = {
    **{"open": (0, None), "os.truncate": (0, None), "os.symlink": (1, 2), "os.chmod": (0, 2)},
    **{"os.remove": (0, 1), "os.rmdir": (0, 1), "os.mkdir": (0, 2), "os.rename": (1, 3), "os.link": (1, 3)},
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclasses.dataclass
class Changes:
    """Counts a process's changes on disk below a folder, and kills the process right before one of them."""

    folder: str
    kill_at: int | None
    count: int = 0

    def next(self) -> None:
        """Counts a change that is about to be made."""
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Begins to count, in this process, for good."""
        from gr_tf.runs.curves import Curves
        from gr_tf.runs.engine import tf
        from gr_tf.runs.journal import Journal

        self.listen()
        add = Journal.add

        def add_in_halves(journal: Any, record: dict[str, Any]) -> None:
            file, journal._file = journal._file, _Halves(journal._file, self)
            add(journal, record)
            journal._file = file

        Journal.add = add_in_halves  # type: ignore[method-assign, assignment]
        # TensorFlow writes without Python.
        Curves.add = _after(self.next, Curves.add)  # type: ignore[method-assign]
        tf.train.Checkpoint.write = _after(self.next, tf.train.Checkpoint.write)

    def listen(self) -> None:
        """Counts what Python tells of changes, for good."""
        sys.addaudithook(self._heard)

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        place = _PLACES.get(event)
        if place is None or (event == "open" and not args[2] & _WRITING):
            return
        path, dir_fd = args[place[0]], -1 if place[1] is None else args[place[1]]
        if isinstance(path, str | bytes | os.PathLike) and self._is_below(path, dir_fd):
            self.next()

    def _is_below(self, path: Any, dir_fd: int) -> bool:
        # Folders that shutil deletes are known by their descriptors.
        start = os.getcwd() if dir_fd == -1 else os.readlink(f"/proc/self/fd/{dir_fd}")
        return os.path.normpath(os.path.join(start, os.fsdecode(path))).startswith(self.folder + os.sep)


class _Halves:
    """A file whose writes are two changes: before the first byte, and after half of them."""

    def __init__(self, file: Any, changes: Changes) -> None:
        self._file, self._changes = file, changes

    def write(self, data: bytes) -> None:
        self._changes.next()
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        self._changes.next()
        self._file.write(data[half:])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _after(first: Callable[[], object], call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def both(*args: Any, **named: Any) -> Any:
        first()
        return call(*args, **named)

    return both


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended: its exit status (negative: the signal), the changes that it made, and what it printed."""

    status: int
    changes: int
    printed: str


class Bench:
    """Runs commands in a folder of its own.

    Args:
        folder: empty.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder, self._work = folder.resolve(), folder.resolve() / "work"
        self._saved: dict[tuple[Command, ...], pathlib.Path] = {}
        load()
        write_data(folder / "data")

    def run(self, command: Command, kill_at: int | None = None) -> Ended:
        """Runs a command in a fork of this process; it is killed right before its change `kill_at`, if it has one."""
        log, (reader, writer) = self._folder / "log", os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            changes, status = Changes(str(self._work), kill_at), 99
            try:
                printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(printed, 1)
                os.dup2(printed, 2)
                os.chdir(self._work)
                changes.watch()
                status = _call(command)
            finally:
                os.write(writer, str(changes.count).encode())
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader) as told:
            count = int(told.read() or 0)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return Ended(status, count, log.read_text(encoding="utf-8", errors="replace"))

    def prepare(self, case: Case) -> None:
        """Brings the working folder into the state before the command."""
        shutil.rmtree(self._work, ignore_errors=True)
        if case.before not in self._saved:
            saved = self._folder / f"saved{len(self._saved)}"
            self._work.mkdir()
            for command in case.before:
                ended = self.run(command)
                if ended.status:
                    raise RuntimeError(f"{' '.join(command)}: {ended.printed}")
            shutil.copytree(self._work, saved)
            self._saved[case.before] = saved
            shutil.rmtree(self._work)
        shutil.copytree(self._saved[case.before], self._work)

    def undisturbed(self, case: Case) -> tuple[int, dict[str, bytes]]:
        """The number of changes of a run that is not killed, and the files that it leaves."""
        self.prepare(case)
        ended = self.run(case.command)
        if ended.status:
            raise RuntimeError(f"{' '.join(case.command)}: {ended.printed}")
        return ended.changes, snapshot(self._work)

    def failure(self, case: Case, kill_at: int, wanted: Mapping[str, bytes]) -> str:
        """What is wrong after a kill right before a change and the same command again; empty if nothing is."""
        self.prepare(case)
        ended = self.run(case.command, kill_at)
        if ended.status != -signal.SIGKILL:
            return f"was not killed: exit status {ended.status} after {ended.changes} changes: {ended.printed[-300:]}"
        again = self.run(case.command)
        # Killed after its last file, the work is finished, and some commands refuse to do it again.
        refused = any(words in again.printed for words in ("is already finished", "exists already"))
        if again.status and not (again.status == 1 and refused):
            return f"the command again: exit status {again.status}: {again.printed[-300:]}"
        return "; ".join(differences(wanted, snapshot(self._work)))


def snapshot(folder: pathlib.Path) -> dict[str, bytes]:
    """By path, what is compared of each file, and b"" for each folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            found[name] = b""
        elif path.parent.name != OF_TENSORBOARD:
            found[name] = _compared(path)
    return found


def differences(wanted: Mapping[str, bytes], got: Mapping[str, bytes]) -> Iterator[str]:
    """How files differ from those wanted, a few words each."""
    for name in sorted({*wanted, *got}):
        if name not in got:
            yield f"{name} is missing"
        elif name not in wanted:
            yield f"{name} is left over"
        elif wanted[name] != got[name]:
            yield f"{name} differs"


def litter(found: Mapping[str, bytes]) -> list[str]:
    """The paths of what no finished command should leave."""
    return [name for name in found if pathlib.PurePath(name).name.startswith(LITTER)]


def _compared(path: pathlib.Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".json":
        return json.dumps(_of_the_result(json.loads(data))).encode()
    if path.suffix == ".jsonl":
        return "\n".join(json.dumps(_of_the_result(json.loads(line))) for line in data.splitlines()).encode()
    return data


def _of_the_result(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _of_the_result(one) for name, one in value.items() if name not in OF_THE_PROCESS}
    return list(map(_of_the_result, value)) if isinstance(value, list) else value


def spread(counts: Mapping[str, int], points: int) -> dict[str, list[int]]:
    """Which changes to kill at: `points` in all, alike for all cases, of a case's changes evenly; all of a short one's.

    Args:
        counts: the number of changes by case.
        points: how many.
    """
    chosen, left = {}, points
    for place, name in enumerate(sorted(counts, key=lambda name: counts[name])):
        number = min(counts[name], left // (len(counts) - place))
        chosen[name] = [1 + step * counts[name] // number for step in range(number)]
        left -= number
    return {name: chosen[name] for name in counts}


def check(bench: Bench, names: Sequence[str], points: int, tell: Callable[[str], object] = print) -> list[str]:
    """Kills commands at some points; returns a line for each failure.

    Args:
        bench: where.
        names: of cases.
        points: how many, over all cases.
        tell: called with a line for each case and failure.
    """
    undisturbed = {name: bench.undisturbed(CASES[name]) for name in names}
    tell(f"{sum(count for count, _ in undisturbed.values())} changes on disk in all.")
    failures = [
        f"{name}: leaves {', '.join(left)}" for name, (_, files) in undisturbed.items() if (left := litter(files))
    ]
    for name, changes in spread({name: count for name, (count, _) in undisturbed.items()}, points).items():
        count, wanted = undisturbed[name]
        start, before = time.monotonic(), len(failures)
        for change in changes:
            if wrong := bench.failure(CASES[name], change, wanted):
                failures.append(f"{name}: killed before change {change} of {count}: {wrong}")
                tell(failures[-1])
        seconds = (time.monotonic() - start) / max(len(changes), 1)
        tell(f"{name}: {len(changes)} of {count} points, {len(failures) - before} failed, {seconds:.1f} s each.")
    return failures


def _call(command: Command) -> int:
    """Runs a command in this process; returns its exit status."""
    from gr_tf.commands import common, main

    program, *arguments = command
    try:
        if program == "gr_tf":
            main.main(arguments)
        else:
            module = importlib.import_module(f"experiments.{program}")
            common.start(module.main, getattr(module, "DEFAULTS", {}), argv=[program, *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def _main() -> None:
    import argparse

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=500, help="how many kills, over all cases")
    parser.add_argument("--case", choices=list(CASES), action="append", help="a command; default: all of them")
    asked = parser.parse_args()
    names = asked.case or list(CASES)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        failures = check(Bench(pathlib.Path(folder)), names, asked.points, lambda line: print(line, flush=True))
    print(
        f"{asked.points} points of {len(names)} commands in {time.monotonic() - start:.0f} s: {len(failures)} failed."
    )
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    _main()
