"""Outcomes of retrainings, kept in a journal: what is known is not done again."""

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Sequence

from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Known, Outcome, Retraining, Trainers
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import progress

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
) -> list[Outcome]:
    """The outcomes of retrainings, in their order; those in the journal are not done again.

    Args:
        known: tasks and trainings in memory.
        retrainings: what to do; equal ones are done once, and the journal may have others.
        journal: a file; each record has Retraining.key, so that it is never found for other settings.
        jobs: retrainings at a time; they change no result.
        what: for the progress bar, which counts blocks of steps.
        folder: where unfinished retrainings save checkpoints, removed at the end; None: a killed one begins anew.
        checkpoint_seconds: how much of each retraining a kill may lose.

    Raises:
        InputError: if jobs is below 1, an example id is out of range, or the journal is damaged.
    """
    with contextlib.closing(Journal(journal, FIELDS)) as kept:
        done = {record["retraining"] for record in kept.records}
        missing = list({one.key: one for one in retrainings if one.key not in done}.values())
        trainers = Trainers(known)
        blocks = sum(len(trainers.task(one.task).steps.blocks(one.length)) for one in missing)
        with progress(what, blocks) as bar:
            for place, outcome in retrain(
                missing,
                jobs,
                known=known,
                folder=folder,
                checkpoint_seconds=checkpoint_seconds,
                on_found=bar.pass_over,
                on_block=bar.advance,
            ):
                one = missing[place]
                told = {"retraining": one.key, "removed": list(one.removed), "seed": one.seed}
                kept.add({**told, **dataclasses.asdict(outcome)})
        outcomes = {one["retraining"]: Outcome(one["epoch"], one["measured"], one["epochs"]) for one in kept.records}
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return [outcomes[one.key] for one in retrainings]
