"""Retrainings that are found again: a journal has the outcome of each as soon as it is done."""

import contextlib
import pathlib
import shutil
from collections.abc import Sequence

from gr_tf.evaluation.retraining import Outcome, Retraining, retrain
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import progress
from gr_tf.tasks.trained import Trained

_FIELDS = ("retraining", "removed", "seed", "epoch", "epochs", "measured")


def outcomes_of(
    trained: Trained,
    retrainings: Sequence[Retraining],
    journal: pathlib.Path,
    jobs: int,
    *,
    what: str = "retraining",
    folder: pathlib.Path | None = None,
    checkpoint_seconds: float = 30.0,
) -> list[Outcome]:
    """The outcomes of retrainings of one model, in their order; what the journal has is not done again.

    Args:
        trained: the model.
        retrainings: what is wanted; the journal may have others.
        journal: a file; a record has Retraining.key, so that other settings never find it.
        jobs: retrainings at a time; they change no result.
        what: for the progress bar, which counts blocks of steps.
        folder: where retrainings under way leave checkpoints, removed at the end; None: a killed one begins anew.
        checkpoint_seconds: how much of each a kill may lose.

    Raises:
        InputError: if jobs is below 1, an example id is out of range, or the journal is damaged.
    """
    with contextlib.closing(Journal(journal, _FIELDS)) as kept:
        done = {record["retraining"] for record in kept.records}
        missing = list({one.key: one for one in retrainings if one.key not in done}.values())
        blocks = sum(len(trained.task.steps.blocks(one.length)) for one in missing)
        with progress(what, blocks) as bar:
            for place, outcome in retrain(
                missing,
                jobs,
                known=[trained],
                folder=folder,
                checkpoint_seconds=checkpoint_seconds,
                on_found=bar.pass_over,
                on_block=bar.advance,
            ):
                one = missing[place]
                told = {"retraining": one.key, "removed": list(one.removed), "seed": one.seed}
                kept.add({**told, "epoch": outcome.epoch, "epochs": outcome.epochs, "measured": outcome.measured})
        found = {
            record["retraining"]: Outcome(record["epoch"], record["measured"], record["epochs"])
            for record in kept.records
        }
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return [found[one.key] for one in retrainings]
