"""A folder for one piece of work: what was asked, what is done, whether it is finished."""

import errno
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import filelock

from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.engine import versions

RUN = "run.json"
RESULT = "result.json"
_LOCK = ".lock"
# Settings that runs begun by an earlier version lack, by the last part of their name, and what they had.
_BEFORE_IT_WAS_A_SETTING = {"negatives_seed": 0}


class RunDir:
    """A stage of an experiment on disk; the folder is the stage's alone.

    `run.json` says what was asked and is written first; `result.json` is written last, and
    its presence means that the stage is finished. In between, the stage can be continued by
    asking for the same again.

    Attributes:
        path: the folder.
        settings: what was asked, as JSON. A value whose name ends in _fingerprint tells which
            earlier stage the work was made from.
    """

    def __init__(self, path: pathlib.Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.settings = dict(settings)
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
            overwrite: delete what the stage had written.
            replace: delete it if it was begun with other settings.
            reuse: return a finished stage instead of refusing it; see `is_finished`.

        Raises:
            InputError: if the folder has other files in it, the stage is finished (without
                `reuse`) or was begun with other settings (without `replace`), or another process works on it.
        """
        path.mkdir(parents=True, exist_ok=True)
        # What is left of a `begin` that was killed is our own.
        foreign = [name for name in os.listdir(path) if name != _LOCK and not name.startswith(files.TEMPORARY)]
        if foreign and RUN not in foreign:
            raise InputError(f"{path} has files but no {RUN}: gr_tf did not make this folder, and leaves it untouched.")
        run_dir = cls(path, settings)
        try:
            run_dir._file_lock.acquire(blocking=False)
        except filelock.Timeout:
            raise InputError(f"{path}: another process is working on it.") from None
        except OSError as error:
            # A finished stage that cannot be written is only read, and needs no lock.
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or overwrite or not run_dir.is_finished:
                raise
            if not reuse or run_dir._difference():
                raise
            return run_dir
        try:
            difference = run_dir._difference()
            if overwrite or (replace and difference):
                run_dir._clear()
            elif difference:
                raise InputError(f"{path} {difference} Pass --overwrite to begin anew, or another --run_dir.")
            if not run_dir.is_finished:
                files.sweep_temporaries(path)
                files.write_json(path / RUN, {"settings": run_dir.settings, "versions": versions()})
            elif not reuse:
                raise InputError(f"{path} is already finished: see {path / RESULT}. Pass --overwrite to do it again.")
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
        return cls(path, _settings(path))

    @classmethod
    def drop(cls, path: pathlib.Path) -> None:
        """Deletes what a stage wrote, if there is one.

        Raises:
            InputError: if another process works on it, or it has files that gr_tf did not write.
        """
        if (path / RUN).exists():
            with cls.begin(path, _settings(path), reuse=True) as stage:
                stage._clear()

    def begun_with(self) -> dict[str, Any]:
        """The settings that the stage was begun with."""
        return _settings(self.path)

    @property
    def is_finished(self) -> bool:
        """Whether result.json is there."""
        return (self.path / RESULT).exists()

    def result(self) -> Any:
        """Reads what `finish` wrote."""
        return files.read_json(self.path / RESULT)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Writes result.json: settings and versions, then `result`."""
        files.write_json(self.path / RESULT, {"settings": self.settings, "versions": versions(), **result})

    def __enter__(self) -> "RunDir":
        return self

    def __exit__(self, *_: object) -> None:
        self._file_lock.release()

    def _clear(self) -> None:
        """Deletes what the stage wrote; killed in between, it is an unfinished stage and can be deleted again."""
        if (self.path / RUN).exists():
            _settings(self.path)  # refuses what gr_tf did not write
        (self.path / RESULT).unlink(missing_ok=True)
        for child in self.path.iterdir():
            if child.name not in (_LOCK, RUN):
                shutil.rmtree(child) if child.is_dir() else child.unlink()
        (self.path / RUN).unlink(missing_ok=True)

    def _difference(self) -> str:
        """The first setting that differs from those the stage was begun with, as a sentence; empty if none does."""
        if not (self.path / RUN).exists():
            return ""
        before, now = flatten(_settings(self.path)), flatten(self.settings)
        for name in before | now:
            missing = _BEFORE_IT_WAS_A_SETTING.get(name.rpartition(".")[2])
            if before.get(name, missing) == now.get(name):
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


def _settings(path: pathlib.Path) -> dict[str, Any]:
    """The settings that a stage was begun with."""
    run = files.read_json(path / RUN)
    if not isinstance(run, dict) or not isinstance(run.get("settings"), dict):
        raise InputError(f"{path / RUN}: not written by gr_tf: it has no settings.")
    settings: dict[str, Any] = run["settings"]
    return settings
