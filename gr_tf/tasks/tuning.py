"""Chooses settings of one's own data on its validation examples, under a budget of minutes: a run's stage "tune"."""

import pathlib
import sys
import time
from collections.abc import Mapping
from typing import Any

from gr_tf.errors import DamagedError, InputError, TrainingError, argument
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RUN, RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.task import ERRORS, Task

STAGE = "tune"
# Without --tune_minutes: the budget of data with at most so many training examples, where no setting is asked for.
_MINUTES, _EXAMPLES = 2.0, 20_000
# With fewer validation examples, chance would choose.
_VALID = 20
_FIELDS = ("settings", "metric", "seconds", "told")


class _OverBudgetError(Exception):
    """Ends a trial that takes longer than the budget."""


def minutes_for(task: Task[Any], asked: Mapping[str, Any], minutes: float | None) -> float:
    """The budget: as asked for, or by the size of the data; 0: nothing is tried.

    Args:
        task: with the settings that are tried first.
        asked: settings that the user names.
        minutes: what the user asks for; None: nothing.

    Raises:
        InputError: if minutes are asked for that are no number, or there is nothing to try or to choose by.
    """
    variants, num_valid = task.variants(asked), len(task.dataset.valid)
    if minutes is None:
        own_size = task.num_examples <= _EXAMPLES and num_valid >= _VALID
        return _MINUTES if variants and own_size and not asked else 0.0
    if not 0 <= minutes < float("inf"):
        raise InputError(f"{argument('tune_minutes')} must be a number of minutes; got {minutes}.")
    if minutes and not variants:
        raise InputError(
            f"{argument('tune_minutes')}: there is nothing to try: settings are tried for one's own graphs, ratings, "
            "and choices, but not in place of a paper's."
        )
    if minutes and not num_valid:
        raise InputError(f"{argument('tune_minutes')}: there are no validation examples to choose by.")
    return minutes


def tuned(
    task: Task[Any],
    run_dir: pathlib.Path,
    asked: Mapping[str, Any],
    minutes: float | None = None,
    *,
    overwrite: bool = False,
) -> Task[Any]:
    """The task with the settings that are best on the validation examples, of those that the budget lets it try.

    The trials are remembered in the run's folder: the same call again gives the same settings, and so does one that
    says nothing of minutes; one that was killed goes on. A run that was begun without trials has none. What is tried
    depends on the budget and the machine; what comes of the settings does not.

    Args:
        task: with the settings that are tried first, and taken if the budget is too small for any trial.
        run_dir: the run's folder.
        asked: settings that the user names; they stay.
        minutes: see `minutes_for`.
        overwrite: drop trials that are there, and the training that was made with them.

    Raises:
        InputError: if the folder was begun with other data, settings, or another budget; see also `minutes_for`.
    """
    budget, folder = minutes_for(task, asked, minutes), run_dir / STAGE
    told = {"checksum": task.dataset.checksum, "config": task.config.to_dict(), "asked": dict(asked)}
    if overwrite:
        # Both: what is killed now goes on without `overwrite`.
        RunDir.drop(run_dir / training.STAGE)
        RunDir.drop(folder)
    if minutes is None and (folder / RUN).exists():
        before = dict(RunDir(folder, {}).begun_with())
        budget = before.pop("tune_minutes", 0.0)
        if before != told:
            return task
    elif not (folder / RUN).exists() and (run_dir / training.STAGE / RUN).exists():
        return task
    if not budget:
        return task
    with RunDir.begin(folder, {**told, "tune_minutes": budget}, reuse=True) as stage:
        if not stage.is_finished:
            _search(stage, task, asked, 60 * budget)
    return task.with_config(**stage.result()["chosen"])


def _search(stage: RunDir, task: Task[Any], asked: Mapping[str, Any], seconds: float) -> None:
    """Tries the variants in their order until the budget is spent; the best one's settings are the result."""
    journal = Journal(stage.place("trials.jsonl"), _FIELDS)
    variants = task.variants(asked)
    done = len(journal.records)
    with progress(f"trying settings (at most {seconds / 60:g} minutes)", len(variants), done) as bar:
        for variant in variants[done:]:
            left = seconds - sum(record["seconds"] for record in journal.records)
            if left <= 0:
                break
            journal.add(_trial(task, variant, left))
            bar.advance()
    journal.close()
    sign = -1 if task.deciding in ERRORS else 1
    tried = [record for record in journal.records if record["metric"] is not None]
    best = max(tried, key=lambda record: sign * record["metric"], default=None)
    chosen = {} if best is None else best["settings"]
    name = f"{task.deciding} on the validation examples"
    if best is None:
        print("No trial ended within the budget: the settings go by the size of the data.", file=sys.stderr)
    else:
        told = ", ".join(f"{key} {value}" for key, value in chosen.items()) or "the settings by the size of the data"
        failed = len(journal.records) - len(tried)
        others = f" ({failed} more failed or took too long)" if failed else ""
        print(f"Best of {len(tried)} trials{others}, {name} {best['metric']:.4f}: {told}.", file=sys.stderr)
    stage.finish({"metric": name, "chosen": chosen, "trials": journal.records})


def _trial(task: Task[Any], variant: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The record of one training."""
    begun = time.monotonic()

    def look(*_: Any) -> None:
        if time.monotonic() - begun > seconds:
            raise _OverBudgetError

    metric, told = None, ""
    try:
        tried = task.with_config(**variant)
        training = tried.train(validating=True, on_block=look)
        metric = tried.accuracy(training.parameters, task.dataset.valid)[task.deciding]
    except _OverBudgetError:
        told = "over budget"
    except DamagedError:
        raise
    except (InputError, TrainingError) as error:
        # The settings do not go together with those asked for, or the training fails.
        told = str(error)
    return {"settings": dict(variant), "metric": metric, "seconds": time.monotonic() - begun, "told": told}
