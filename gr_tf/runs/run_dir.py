"""A folder for one piece of work: what was asked, what is done, whether it is finished."""

import errno
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import filelock

from gr_tf.errors import DamagedError, InputError, argument
from gr_tf.runs import files, shards
from gr_tf.runs.made_with import difference, made_with

RUN = "run.json"
RESULT = "result.json"
# What a stage writes to be continued after a kill, deleted when it is finished.
CHECKPOINTS = "checkpoints"
_LOCK = ".lock"
# In Python this is no argument, but an attribute of a class.
_ANY_VERSION = argument(f"{__name__}.RunDir.any_version", flag="any_version")


class RunDir:
    """A stage of an experiment on disk; the folder is the stage's alone.

    `run.json` says what was asked, with what it was begun, and what the stage writes. It is
    written first; `result.json` is written last, and its presence means that the stage is finished.
    In between, the stage can be continued by asking for the same again.

    Attributes:
        path: the folder.
        settings: what was asked, as JSON. A value whose name ends in _fingerprint tells which
            earlier stage the work was made from.
    """

    # Whether work that was begun with another gr_tf, TensorFlow, NumPy, or processor is continued: --any_version.
    any_version = False

    def __init__(self, path: pathlib.Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.settings = dict(settings)
        self._run: dict[str, Any] = {"settings": self.settings, "writes": []}
        self._file_lock = filelock.FileLock(path / _LOCK)  # A process that is killed loses it too.

    @classmethod
    def begin(
        cls,
        path: pathlib.Path,
        settings: Mapping[str, Any],
        *,
        overwrite: bool = False,
        replace: bool = False,
        reuse: bool = False,
    ) -> "RunDir":
        """Starts or continues a stage.

        Use it as a context: other processes are kept out of the folder until it ends.

        Args:
            path: the folder: new, empty, or a stage's.
            settings: what is asked for: JSON values.
            overwrite: delete what the stage had written, and nothing else.
            replace: delete it if it was begun with other settings.
            reuse: return a finished stage instead of refusing it; see `is_finished`.

        Raises:
            InputError: if the folder has other files in it, the stage is finished (without
                `reuse`) or was begun with other settings (without `replace`) or versions (without `any_version`), was
                damaged, or another process works on it.
        """
        path.mkdir(parents=True, exist_ok=True)
        # What is left of a `begin` that was killed is our own.
        foreign = [child.name for child in path.iterdir() if child.name != _LOCK and not files.is_temporary(child)]
        if foreign and RUN not in foreign:
            raise InputError(f"{path} has files but no {RUN}: gr_tf did not make this folder, and leaves it untouched.")
        run_dir = cls(path, settings)
        try:
            run_dir._locked()
        except OSError as error:
            # A finished stage that cannot be written is only read, and needs no lock.
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or overwrite or not run_dir.is_finished:
                raise
            if not reuse or run_dir._difference():
                raise
            run_dir.result()  # refuses what was edited
            return run_dir
        try:
            other = run_dir._difference()
            if overwrite or (replace and other):
                run_dir._clear(begins_anew=True)
            elif other:
                raise InputError(
                    f"{path} {other} Pass {argument('overwrite', True)} to begin anew, or another "
                    f"{argument('run_dir')}."
                )
            if run_dir.is_finished:
                run_dir._run = _run_of(path)
                run_dir.result()  # refuses what was edited
                run_dir._clear_checkpoints()
                if not reuse:
                    raise InputError(
                        f"{path} is already finished: see {path / RESULT}. Pass "
                        f"{argument('overwrite', True)} to do it again."
                    )
            else:
                run_dir._go_on()
            if shards.current() is None:  # Other shards may be writing there.
                files.sweep_temporaries(path)
        except BaseException:
            run_dir._file_lock.release()
            raise
        return run_dir

    @classmethod
    def finished(cls, path: pathlib.Path, how: str) -> "RunDir":
        """Opens a finished stage for reading.

        Args:
            path: the folder.
            how: the command that makes it, for the message.

        Raises:
            InputError: if it is absent or unfinished.
        """
        if not (path / RESULT).exists():
            state = "is not finished" if (path / RUN).exists() else "does not exist"
            raise InputError(f"{path} {state}: run {how} first.")
        return cls(path, _run_of(path)["settings"])

    @classmethod
    def drop(cls, path: pathlib.Path) -> None:
        """Deletes what a stage wrote, if there is one, and nothing else.

        Raises:
            InputError: if another process works on it, or its run.json was damaged.
        """
        if (path / RUN).exists():
            stage = cls(path, _run_of(path)["settings"])
            with stage._locked():
                stage._clear()

    @classmethod
    def finished_or_not(cls, path: pathlib.Path) -> "RunDir":
        """Opens a stage for reading, such as its settings.

        Raises:
            InputError: if it is absent.
        """
        return cls(path, _run_of(path)["settings"])

    @classmethod
    def locked(cls, path: pathlib.Path) -> "RunDir":
        """Opens a stage, finished or not, whose journals get records from elsewhere; use it as a context.

        Raises:
            InputError: if it is absent, or another process works on it.
        """
        return cls.finished_or_not(path)._locked()

    def made_with(self) -> list[dict[str, str]]:
        """What the stage was made with, see runs.made_with: now, and before if that was something else."""
        run = _run_of(self.path)
        return [run.get("made_with", {}), *run.get("begun_with", [])]

    def begun_with(self) -> dict[str, Any]:
        """The settings that the stage was begun with."""
        settings: dict[str, Any] = _run_of(self.path)["settings"]
        return settings

    def place(self, name: str) -> pathlib.Path:
        """The path of a file or folder that the stage writes; --overwrite deletes these only.

        What is in CHECKPOINTS is for continuing after a kill, and deleted when the stage is finished.
        """
        if name not in self._run["writes"]:
            self._run["writes"].append(name)
            files.write_json(self.path / RUN, self._run)
        return self.path / name

    @property
    def is_finished(self) -> bool:
        """Whether result.json is there."""
        return (self.path / RESULT).exists()

    def result(self) -> Any:
        """Reads what `finish` wrote.

        Raises:
            InputError: if it was damaged, or is another stage's.
        """
        result = files.read_json(self.path / RESULT)
        if result.get("settings") != self.begun_with():
            raise DamagedError(f"{self.path / RESULT}: is of other settings than {self.path / RUN}.")
        for name, checksum in result.get("files", {}).items():
            if _checksum_of(self.path / name) != checksum:
                where = _told_file(self.path / name)
                raise DamagedError(f"{where}: missing or edited: it is not what {RESULT} was written with.")
        return result

    def finish(self, result: Mapping[str, Any]) -> None:
        """Writes result.json: settings, what it was made with, checksums of the stage's files, then `result`.

        Journals have checksums of their own, and may go on.
        """
        earlier = self._run.get("begun_with", [])
        told = {"settings": self.settings, "made_with": made_with(), **({"begun_with": earlier} if earlier else {})}
        checksums = {
            name: _checksum_of(self.path / name) for name in sorted(self._run["writes"]) if not name.endswith(".jsonl")
        }
        told["files"] = {name: checksum for name, checksum in checksums.items() if checksum}
        files.write_json(self.path / RESULT, {**told, **result})
        self._clear_checkpoints()

    def __enter__(self) -> "RunDir":
        return self

    def __exit__(self, *_: object) -> None:
        self._file_lock.release()

    def _locked(self) -> "RunDir":
        """Keeps other processes out until the context ends; a shard waits for them, and may let others in before.

        Raises:
            InputError: if another process works in the folder.
        """
        if shards.current() is not None:
            shards.enter(self._file_lock, self.path)
            return self
        try:
            self._file_lock.acquire(blocking=False)
        except filelock.Timeout:
            raise InputError(f"{self.path}: another process is working on it.") from None
        try:
            shards.refuse_working(self.path)
        except BaseException:
            self._file_lock.release()
            raise
        return self

    def _go_on(self) -> None:
        """Begins or continues the work: writes run.json, or reads it, and notes versions that differ.

        Raises:
            InputError: if the stage was begun with other versions or on another processor (without `any_version`).
        """
        now = made_with()
        if not (self.path / RUN).exists():
            self._run |= {"made_with": now}
            files.write_json(self.path / RUN, self._run)
            return
        self._run = _run_of(self.path)
        before = self._run.get("made_with", {})
        other = difference(before, now)
        if other and not self.any_version:
            raise InputError(
                f"{self.path} was begun with {other}: the last digits may differ. Pass {_ANY_VERSION} to go on, "
                f"which the result will say, or {argument('overwrite', True)} to begin anew."
            )
        if other or before.get("commit") != now.get("commit"):
            self._run |= {"begun_with": [*self._run.get("begun_with", []), before], "made_with": now}
            files.write_json(self.path / RUN, self._run)

    def _clear_checkpoints(self) -> None:
        if CHECKPOINTS in self._run["writes"]:
            files.delete(self.path / CHECKPOINTS)

    def _clear(self, *, begins_anew: bool = False) -> None:
        """Deletes what the stage wrote; killed in between, it is an unfinished stage and can be deleted again.

        Args:
            begins_anew: leave run.json for the stage that begins now.

        Raises:
            InputError: if run.json was damaged.
        """
        if not (self.path / RUN).exists():
            return
        writes = _run_of(self.path)["writes"]
        files.delete(self.path / RESULT)
        for name in writes:
            files.delete(self.path / name)
            for _, part in shards.parts_of(self.path / name) if name.endswith(".jsonl") else ():
                files.delete(part)
        files.sweep_temporaries(self.path)
        kept = sorted(child.name for child in self.path.iterdir() if child.name not in (_LOCK, RUN))
        if kept:
            print(f"{self.path}: {', '.join(kept)}: not written by this stage, and left there.", file=sys.stderr)
        if begins_anew:
            self._run |= {"made_with": made_with()}
            files.write_json(self.path / RUN, self._run)
        else:
            files.delete(self.path / RUN)

    def _difference(self) -> str:
        """The first setting that differs from those the stage was begun with, as a sentence; empty if none does."""
        if not (self.path / RUN).exists():
            return ""
        before, now = flatten(self.begun_with()), flatten(self.settings)
        for name in before | now:
            if before.get(name) == now.get(name):
                continue
            if name.endswith("_fingerprint"):
                return f"was made from another {name.removesuffix('_fingerprint')} than the one there is now."
            return f"was begun with {name} = {before.get(name)!r}, not {now.get(name)!r}."
        return ""


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens nested settings to a dictionary by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _checksum_of(path: pathlib.Path) -> str:
    """Of a file, or of a folder of arrays by its manifest; empty if it is neither."""
    file = _told_file(path)
    return files.sha256(file) if file.is_file() else ""


def _told_file(path: pathlib.Path) -> pathlib.Path:
    return path / files.MANIFEST if path.is_dir() else path


def _run_of(path: pathlib.Path) -> dict[str, Any]:
    """The content of a stage's run.json, after a check."""
    run = files.read_json(path / RUN)
    if not isinstance(run.get("settings"), dict) or not isinstance(run.get("writes"), list):
        raise DamagedError(f"{path / RUN}: not written by gr_tf: it has no settings.")
    return run
