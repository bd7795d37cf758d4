"""Puts anybody's influences beside what everybody is compared with, by the same atlas: no training is needed."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gr_tf.attribution import best
from gr_tf.attribution.neighborhood import random_influences
from gr_tf.errors import InputError
from gr_tf.evaluation import fidelity
from gr_tf.evaluation.atlas_scores import Scoring
from gr_tf.evaluation.method_names import is_variant, with_present_names
from gr_tf.evaluation.prices import SHAPE_ROWS
from gr_tf.runs import files
from gr_tf.tasks.task import Task

# What the rows beside the user's are from, if from no file.
_COMPUTED = "computed now"
# Random orders that are averaged.
_DRAWS = 10
_RANDOM, _SHAPE = "nh", SHAPE_ROWS[0]

Row = dict[str, Any]


def leaderboard(
    task: Task[Any], scoring: Scoring, path: pathlib.Path, name: str = "", influences: np.ndarray | None = None
) -> dict[str, Any]:
    """Scores influences, random ones, and the data's shape, and adds what the results beside the atlas say of it.

    Args:
        task: the atlas's.
        scoring: the atlas.
        path: its file.
        name: what to call the influences.
        influences: [num_queries, num_examples]; None: only what they would be compared with.

    Returns:
        rows: method, price and trainings (None if they are not known), by stratum the corrected correlation with its
        interval, "captured, 1" and "captured, 10" if known (see Scoring.captured), and from, the file of the row, best
        row first; yours: the name of the influences' row; beyond_shape: see Scoring.beyond, what they have beyond the
        data's shape; without: why a row is absent.

    Raises:
        InputError: see Scoring.score.
    """
    rows, without, beyond = [], [], None
    rows.append(_row(_RANDOM, 0, 0, scoring, _random(task, scoring)))
    try:
        features = np.stack([best.centred_likeness(task, query) for query in scoring.atlas.asked()])
    except InputError as error:
        without.append(f"no row of the data's shape: {error}")
        shape = None
    else:
        shape = scoring.fitted_on_others(features)
        rows.append(_row(_SHAPE, 0, 0, scoring, shape))
    if influences is not None:
        rows.append(_row(name, None, None, scoring, influences) | {"from": name})
        beyond = None if shape is None else scoring.beyond(influences, shape)
    known = {(row["method"], row["price"]) for row in rows}
    for row in (*_of_prices(scoring, path), *_of_fidelity(scoring, path)):
        if row["method"] != _RANDOM and (row["method"], row["price"]) not in known:
            known.add((row["method"], row["price"]))
            rows.append(row)
    first = next(iter(scoring.masks))
    rows.sort(key=lambda row: -row[first][0])
    return {
        "atlas": str(path),
        "dataset": task.dataset.name,
        "model": scoring.settings["config"]["model"],
        "seeds": len(scoring.atlas.seeds),
        "num_queries": len(scoring.atlas.queries),
        "num_examples": task.num_examples,
        "ceilings": dict(scoring.ceilings),
        "rows": rows,
        "yours": None if influences is None else name,
        "beyond_shape": beyond,
        "without": without,
    }


def _row(name: str, price: int | None, trainings: int | None, scoring: Scoring, influences: np.ndarray) -> Row:
    captured = {f"captured, {k}": share for k, share in (scoring.captured(influences) or {}).items()}
    told = {"method": name, "price": price, "trainings": trainings}
    return {**told, **scoring.score(influences), **captured, "from": _COMPUTED}


def _random(task: Task[Any], scoring: Scoring) -> np.ndarray:
    """What the method nh says with several seeds: [draws, num_queries, num_examples]."""
    queries = scoring.atlas.asked()
    found = np.zeros((_DRAWS, len(queries), task.num_examples))
    for place, query in enumerate(queries):
        example_ids = task.related(query)
        for seed in range(_DRAWS):
            found[seed, place, example_ids] = random_influences(seed, query, len(example_ids))
    return found


def _of_prices(scoring: Scoring, path: pathlib.Path) -> Iterator[Row]:
    """The rows of results of experiments/prices.py that are of this atlas."""
    for file, result in _beside(path, "prices_*.json"):
        settings = result.get("settings", {})
        same = all(settings.get(name) == scoring.settings[name] for name in ("checksum", "config"))
        if same and result.get("ceilings") == dict(scoring.ceilings):
            names = ("method", "price", "trainings", *scoring.masks, *(f"captured, {k}" for k in fidelity.TOP))
            for row in result["rows"]:
                yield {**{name: row[name] for name in names if name in row}, "from": file}


def _of_fidelity(scoring: Scoring, path: pathlib.Path) -> Iterator[Row]:
    """The rows of one and of the most trainings, of results of experiments/fidelity.py that are of this atlas."""
    fingerprint = files.sha256(path)
    for file, result in _beside(path, "fidelity_*.json"):
        if result.get("settings", {}).get("atlas_fingerprint") != fingerprint:
            continue
        rows = with_present_names(result)["rows"]
        names = {row["method"] for row in rows}
        sizes = {1, max(row["trainings"] for row in rows)}
        for row in rows:
            if row["trainings"] in sizes and not is_variant(row["method"], names):
                yield {
                    "method": row["method"],
                    "price": row["trainings"],
                    "trainings": row["trainings"],
                    **{
                        stratum: [value / scoring.ceilings[stratum] for value in row[f"spearman, {stratum}"]]
                        for stratum in scoring.masks
                    },
                    **{name: row[name] for name in (f"captured, {k}" for k in fidelity.TOP) if name in row},
                    "from": file,
                }


def _beside(path: pathlib.Path, pattern: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The results beside an atlas, by the names of their files."""
    for other in sorted(path.absolute().parent.glob(pattern)):
        yield other.name, files.read_json(other, checked=False)
