"""Outcomes of retrainings, kept in a journal: what is known is not done again."""

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from gr_tf.errors import InputError, argument
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Known, Outcome, Retraining, Trainers
from gr_tf.runs import files, shards
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import Progress, progress

# The fields of a journal's records.
FIELDS = ("retraining", "removed", "seed", "epoch", "epochs", "measured")


def outcomes_of(
    known: Known,
    retrainings: Sequence[Retraining],
    journal: pathlib.Path,
    jobs: int,
    *,
    what: str = "retraining",
    folder: pathlib.Path | None = None,
    checkpoint_seconds: float = 30.0,
    bar: Progress | None = None,
) -> list[Outcome]:
    """The outcomes of retrainings, in their order; those in the journal are not done again.

    A shard (see runs.shards) does its part of those that are missing, if any is, and stops.

    Args:
        known: tasks and trainings in memory.
        retrainings: what to do; equal ones are done once, and the journal may have others.
        journal: a file; each record has Retraining.key, so that it is never found for other settings.
        jobs: retrainings at a time; they change no result.
        what: for the progress bar, which counts blocks of steps.
        folder: where unfinished retrainings save checkpoints, removed at the end; None: a killed one begins anew.
        checkpoint_seconds: how much of each retraining a kill may lose.
        bar: where retrainings are counted, instead of blocks on a bar of its own.

    Raises:
        InputError: if jobs is below 1, an example id is out of range, the journal is damaged, or parts of shards are
            not merged.
        Stopped: if this is a shard, and outcomes are missing.
    """
    shard = shards.current()
    every = {one.key: one for one in retrainings}
    with contextlib.closing(Journal(journal, FIELDS)) as kept:
        done = {record["retraining"] for record in kept.records}
        missing = {key: one for key, one in every.items() if key not in done}
        if bar is not None:
            bar.pass_over(len(retrainings) - len(missing))
        work = _Work(known, jobs, what, folder, checkpoint_seconds, bar)
        if shard is None:
            if missing:
                _refuse_unmerged(journal)
            work.do(list(missing.values()), kept)
        outcomes = {one["retraining"]: Outcome(one["epoch"], one["measured"], one["epochs"]) for one in kept.records}
    if shard is not None and (missing or not shards.works_alone()):
        _do_part(shard, journal, every, done, work)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return [outcomes[one.key] for one in retrainings]


def told_asked(path: pathlib.Path) -> list[list[str]]:
    """The keys of all retrainings that were asked for when a shard did its part of them, from the file that it left.

    There is a list for each time that they were others; `Shard.has` says which places of it are a shard's.

    Raises:
        InputError: if the file is absent, damaged, or of an earlier gr_tf.
    """
    told: dict[str, list[list[str]]] = files.read_json(path)
    if "asked" not in told:
        raise InputError(f"{path}: written by an earlier gr_tf: delete it, and do this shard's command again.")
    return told["asked"]


def _refuse_unmerged(journal: pathlib.Path) -> None:
    parts = [path for _, path in shards.parts_of(journal) if path.suffix == ".jsonl"]
    if parts:
        several = f"{len(parts)} shards' journals are" if len(parts) > 1 else "a shard's journal is"
        raise InputError(
            f"{journal.parent}: {several} not merged, such as {parts[0].name}: merge first "
            f"(gr_tf merge, {argument('run_dir', str(journal.parent))})."
        )


def _do_part(
    shard: shards.Shard,
    journal: pathlib.Path,
    every: Mapping[str, Retraining],
    done: set[str],
    work: "_Work",
) -> None:
    """Does what is missing of a shard's part, into the shard's own journal; `done` are the keys in the common one.

    Raises:
        Stopped: at the end.
        InputError: if another process is the same shard.
    """
    part = {key: every[key] for place, key in enumerate(every) if shard.has(place)}
    with shards.own_lock(shard, journal):
        shards.let_others_in()
        told = shard.beside(journal, ".json")
        asked = told_asked(told) if told.exists() else []
        if list(every) not in asked:
            files.write_json(told, {"asked": [*asked, list(every)]})
        with contextlib.closing(Journal(shard.beside(journal, ".jsonl"), FIELDS)) as own:
            done = done | {record["retraining"] for record in own.records}
            missing = [one for key, one in part.items() if key not in done]
            work.do(missing, own)
        if work.folder is not None:
            for key in part:
                shutil.rmtree(work.folder / key, ignore_errors=True)
    raise shards.Stopped(shard, len(missing), len(part), len(every), journal.parent)


@dataclasses.dataclass(frozen=True)
class _Work:
    """How retrainings are done; see outcomes_of."""

    known: Known
    jobs: int
    what: str
    folder: pathlib.Path | None
    checkpoint_seconds: float
    bar: Progress | None

    def do(self, missing: Sequence[Retraining], kept: Journal) -> None:
        """Does retrainings, and keeps each outcome as soon as it is known."""
        trainers = Trainers(self.known)
        blocks = sum(len(trainers.task(one.task).steps.blocks(one.length)) for one in missing)
        told: dict[str, Any] = {"folder": self.folder, "checkpoint_seconds": self.checkpoint_seconds}
        with contextlib.ExitStack() as shown:
            if self.bar is None:
                bar = shown.enter_context(progress(self.what, blocks))
                told |= {"on_found": bar.pass_over, "on_block": bar.advance}
            for place, outcome in retrain(missing, self.jobs, known=self.known, **told):
                one = missing[place]
                about = {"retraining": one.key, "removed": list(one.removed), "seed": one.seed}
                kept.add({**about, **dataclasses.asdict(outcome)})
                if self.bar is not None:
                    self.bar.advance()
