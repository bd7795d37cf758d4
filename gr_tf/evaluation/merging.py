"""Joins the journals that shards left, also in copies of a run's folder on other machines, after checks."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from gr_tf.errors import InputError, argument, short
from gr_tf.evaluation.outcomes import FIELDS, told_asked
from gr_tf.runs import files, shards
from gr_tf.runs.journal import Journal, read_journal
from gr_tf.runs.made_with import difference
from gr_tf.runs.run_dir import RUN, RunDir, flatten

_KEY = "retraining"


@dataclasses.dataclass(frozen=True)
class Merged:
    """What became of one journal.

    Attributes:
        journal: the file.
        total: how many retrainings it has now.
        new: how many of them it did not have before.
        missing: of what is not there yet, a phrase for each shard that would do it.
    """

    journal: pathlib.Path
    total: int
    new: int
    missing: tuple[str, ...]

    def __str__(self) -> str:
        told = f"{self.journal}: {self.total:,} retrainings, {self.new:,} of them new."
        return f"{told} Missing: {', '.join(self.missing)}." if self.missing else told


def merge(folder: pathlib.Path, others: Sequence[pathlib.Path] = ()) -> list[Merged]:
    """Adds what shards did to the journals of a run, and deletes the shards' journals there.

    All is checked before anything is written.

    Args:
        folder: the run's, or one of its stages.
        others: copies of the folder, where other shards worked; they stay as they are.

    Returns:
        What became of each journal that shards have parts of; nothing where all was merged before.

    Raises:
        InputError: if there is no run in the folder, a process works in the folder, a copy is of other work or was made
            with other versions or on another processor (without RunDir.any_version), a journal is damaged, or two have
            different outcomes of the same retraining.
    """
    for one in (folder, *others):
        if not one.is_dir():
            raise InputError(f"{one}: no such folder.")
    places = {path.relative_to(one) for one in (folder, *others) for path in shards.journals_below(one)}
    if not places:
        if next(folder.rglob(RUN), None) is None:
            raise InputError(f"{folder}: no shard has left a journal there{' or in the others' if others else ''}.")
        return []
    with contextlib.ExitStack() as locked:
        for stage in sorted({_stage_of(folder, folder / place) for place in places}):
            locked.enter_context(RunDir.locked(stage))
        sources = {place: _checked_sources(folder, others, place) for place in sorted(places)}
        return [_merged(folder / place, of_journal) for place, of_journal in sources.items()]


def _stage_of(folder: pathlib.Path, journal: pathlib.Path) -> pathlib.Path:
    """The stage that a journal belongs to: the nearest folder above it with a run.json.

    Raises:
        InputError: if there is none.
    """
    # The folder itself may be a stage, or in one.
    for above in (*journal.parents, *folder.resolve().parents):
        if (above / RUN).exists():
            return above
    raise InputError(
        f"{journal.parent}: no stage of a run, it has no {RUN}: name the folder where a shard has worked with "
        f"{argument('run_dir')}, and the others with {argument('from')}."
    )


@dataclasses.dataclass(frozen=True)
class _Sources:
    """Where records of one journal are.

    Attributes:
        records: by key, of all files.
        asked: which shards there are, with what was asked for when they did their parts, see outcomes.told_asked.
        own: the shards' files in the folder that is merged into.
    """

    records: dict[str, dict[str, Any]]
    asked: dict[shards.Shard, list[list[str]]]
    own: list[pathlib.Path]


def _checked_sources(folder: pathlib.Path, others: Sequence[pathlib.Path], place: pathlib.Path) -> _Sources:
    """Reads all journals of a place.

    Raises:
        InputError: see merge.
    """
    stage = RunDir.finished_or_not(_stage_of(folder, folder / place))
    found: dict[str, tuple[dict[str, Any], pathlib.Path]] = {}
    asked: dict[shards.Shard, list[list[str]]] = {}
    for one in (folder, *others):
        journal = one / place
        if one is not folder and journal.parent.is_dir():
            _refuse_other_work(stage, RunDir.finished_or_not(_stage_of(one, journal)))
        for path, record in _records(journal):
            before, where = found.setdefault(record[_KEY], (record, path))
            if before != record:
                raise InputError(
                    f"{path}: retraining {record[_KEY]} has another outcome than in {where}: they cannot both be true."
                )
        for shard, path in shards.parts_of(journal):
            if path.suffix == ".json":
                asked.setdefault(shard, []).extend(told_asked(path))
    own = [path for _, path in shards.parts_of(folder / place)]
    return _Sources({key: record for key, (record, _) in found.items()}, asked, own)


def _records(journal: pathlib.Path) -> Iterator[tuple[pathlib.Path, dict[str, Any]]]:
    """The records of a journal and of its shards, with the file that each is in."""
    of_shards = [path for _, path in shards.parts_of(journal) if path.suffix == ".jsonl"]
    for path in (journal, *of_shards):
        yield from ((path, record) for record in read_journal(path, FIELDS))


def _refuse_other_work(stage: RunDir, other: RunDir) -> None:
    """
    Raises:
        InputError: if a copy of a stage is of other settings, or was made with other versions.
    """
    ours, theirs = flatten(stage.settings), flatten(other.settings)
    for name in ours | theirs:
        if ours.get(name) != theirs.get(name):
            raise InputError(
                f"{other.path}: {name} is {short(theirs.get(name))} there, but {short(ours.get(name))} in {stage.path}."
            )
    for made in other.made_with():
        differs = difference(stage.made_with()[0], made)
        if differs and not RunDir.any_version:
            raise InputError(
                f"{other.path} and {stage.path} were made with different versions or processors ({differs}): the last "
                f"digits may differ. Pass {argument('gr_tf.runs.run_dir.RunDir.any_version', flag='any_version')} to "
                "merge them anyway."
            )


def _merged(journal: pathlib.Path, sources: _Sources) -> Merged:
    with contextlib.closing(Journal(journal, FIELDS)) as kept:
        there = {record[_KEY] for record in kept.records}
        new = [record for key, record in sources.records.items() if key not in there]
        for record in new:
            kept.add(record)
    for path in sources.own:
        files.delete(path)
    return Merged(journal, len(there) + len(new), len(new), tuple(_missing(sources)))


def _missing(sources: _Sources) -> Iterator[str]:
    """What is not there: how many retrainings of each shard, or that it is the whole shard."""
    for count in sorted({shard.count for shard in sources.asked}):
        lists = [keys for shard, asked in sources.asked.items() if shard.count == count for keys in asked]
        for number in range(1, count + 1):
            shard = shards.Shard(number, count)
            part = {key for keys in lists for place, key in enumerate(keys) if shard.has(place)}
            if left := len(part - sources.records.keys()):
                yield f"all of shard {shard}" if left == len(part) else f"{left:,} of shard {shard}"
