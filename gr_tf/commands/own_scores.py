"""The part of `gr_tf evaluate` that scores influences from anywhere by an atlas, without any training."""

import json
import pathlib
import sys
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from gr_tf.commands import atlas_flag, open_flags, removal_flags, run_flags
from gr_tf.commands.output_flag import OUTPUT
from gr_tf.commands.retraining_flag import RETRAINING_STEPS
from gr_tf.errors import InputError
from gr_tf.evaluation.atlas_scores import Scoring
from gr_tf.evaluation.influence_files import SUFFIXES, read_influences
from gr_tf.evaluation.leaderboard import leaderboard
from gr_tf.report.leaderboard_table import about, leaderboard_frame, verdict
from gr_tf.report.tables import as_text
from gr_tf.runs import files
from gr_tf.runs.csv_text import csv_text
from gr_tf.runs.outputs import check_output
from gr_tf.tasks.kinds import KINDS
from gr_tf.tasks.task import Task

SCORES = flags.DEFINE_string(
    "scores",
    None,
    f"Influences from anywhere ({', '.join(SUFFIXES)}): a row for each query of the atlas, a column for each training "
    "example, in the order that --order_dir writes. Positive: the example supports the prediction.",
)
ORDER_DIR = flags.DEFINE_string(
    "order_dir",
    None,
    "Write into this folder what the influences must be of: queries.csv (the rows of --scores, by name), examples.csv "
    "(the columns), and model.json (the settings of the model that predicts).",
)
# What is written into ORDER_DIR.
_QUERIES, _EXAMPLES, _MODEL = "queries.csv", "examples.csv", "model.json"
FLAGS = (SCORES, atlas_flag.ATLAS, ORDER_DIR, OUTPUT)


def asked() -> bool:
    """Whether the flags ask for this, instead of an evaluation by removing and retraining.

    Raises:
        InputError: if not, and --output was given.
    """
    if any(flag.present for flag in (SCORES, atlas_flag.ATLAS, ORDER_DIR)):
        return True
    if OUTPUT.present:
        raise InputError(f"--output is for --scores; got --output={OUTPUT.value}.")
    return False


def main() -> None:
    """Scores, and writes the order of the rows and columns."""
    kind = open_flags.kind(overwrites=True)
    open_flags.refuse_training(overwrites=ORDER_DIR.present)
    of_removal = [flag.name for flag in flags.FLAGS.flags_by_module_dict()[removal_flags.__name__]]
    for name in (*of_removal, RETRAINING_STEPS.name, run_flags.JOBS.name):
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} is for removing and retraining, not for --scores, --atlas, or --order_dir.")
    if ORDER_DIR.present and SCORES.value is None and OUTPUT.present:
        raise InputError(f"--output is for --scores, and --order_dir writes CSV; got --output={OUTPUT.value}.")
    path = atlas_flag.path()
    dataset = open_flags.read_dataset(kind)
    scoring = Scoring.read(path, dataset)
    kind = scoring.atlas.kind
    task = KINDS[kind](dataset, KINDS[kind].config_class.of_dict(scoring.settings["config"]))
    own, called = None, ""
    if SCORES.value is not None:
        scores = pathlib.Path(SCORES.value)
        own, called = _read(scores, scoring), scores.name
    if ORDER_DIR.value is not None:
        _write_order(task, scoring, pathlib.Path(ORDER_DIR.value))
        if own is None:
            return
    _print(leaderboard(task, scoring, path, called, own))


def _read(path: pathlib.Path, scoring: Scoring) -> np.ndarray:
    """The influences, checked against the atlas."""
    count, examples = scoring.atlas.standard_errors.shape
    found = read_influences(path, (count, examples))
    try:
        scoring.score(found)
    except InputError as error:
        # Such as influences of 0 for all that are near a query.
        raise InputError(f"{path}: {error.marked}") from None
    return found


def _write_order(task: Task[Any], scoring: Scoring, folder: pathlib.Path) -> None:
    """Writes the files of --order_dir; all are checked before the first is written."""
    queries = scoring.atlas.asked()
    rows = pd.DataFrame([task.row_of(query) for query in queries])
    rows.insert(0, "query", range(len(rows)))
    columns = task.dataset.train_frame.rename_axis("example_id").reset_index()
    model = {"dataset": task.dataset.name, "kind": task.kind, **scoring.settings["config"]}
    texts = {
        _QUERIES: csv_text(rows),
        _EXAMPLES: csv_text(columns),
        _MODEL: json.dumps(model, indent=1, ensure_ascii=False) + "\n",
    }
    for name in texts:
        check_output(folder / name, overwrite=run_flags.OVERWRITE.value, data=[task.dataset.source])
    for name, text in texts.items():
        files.write_text(folder / name, text)
    told = f"{_QUERIES}, the {len(rows)} rows of --scores; {_EXAMPLES}, the {len(columns):,} columns"
    print(f"Written to {folder}: {told}; {_MODEL}, the model's settings (any seeds).", file=sys.stderr)


def _print(board: dict[str, Any]) -> None:
    for line in board["without"]:
        print(line, file=sys.stderr)
    if OUTPUT.value == "json":
        print(json.dumps(board, indent=1, ensure_ascii=False))
    elif OUTPUT.value == "csv":
        print(csv_text(pd.DataFrame(map(_flat, board["rows"]))), end="")
    else:
        print(f"{about(board)}\n\n{as_text(leaderboard_frame(board))}")
        if board["beyond_shape"]:
            print(f"\n{verdict(board)}")


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with an interval's ends in columns of their own."""
    cells: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, list):
            cells |= dict(zip((name, f"{name}, low", f"{name}, high"), value, strict=True))
        else:
            cells[name] = value
    return cells
