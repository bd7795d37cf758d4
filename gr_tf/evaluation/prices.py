"""Which answer is best at the price of 1, 3, and 10 whole trainings? By an atlas, of trainings of other seeds."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution import best
from gr_tf.attribution.learnt import Learnt
from gr_tf.evaluation.atlas_scores import Scoring
from gr_tf.evaluation.calibration import calibration_rows
from gr_tf.evaluation.compared import Scored, compared, ensembles
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task

PRICES = (1, 3, 10)
# The methods that are averaged over whole trainings.
_WHOLE = ("gr", "cosine", "replay")
# The first seed of the explained trainings, which no atlas has.
FIRST_SEED = 20_000
# Rows of what the data alone say.
SHAPE_ROWS = ("graph's shape, fitted on other queries' truth", "graph's shape, fitted on replay")


def measure_prices(
    task: Task[Any], scoring: Scoring, run_dir: pathlib.Path, *, overwrite: bool = False
) -> dict[str, Any]:
    """Computes what is missing, and returns rows: method, price, trainings, groups, correlations by stratum, captured.

    Args:
        task: the atlas's task.
        scoring: its atlas.
        run_dir: the folder of the results.
        overwrite: drop what was written.

    Raises:
        InputError: if the trainings cannot be replayed.
    """
    queries = scoring.atlas.asked()
    of_one, most = best.price(task), max(PRICES)
    counts = {price: max(1, int(price / of_one + 1e-9)) for price in PRICES}
    settings = {
        "dataset": task.dataset.name,
        "checksum": task.dataset.checksum,
        "config": task.config.to_dict(),
        "short": {"share": best.SHARE, "width": best.WIDTH, "price": of_one, "trainings": list(counts.values())},
        "whole": list(_WHOLE),
        "first_seed": FIRST_SEED,
    }
    with RunDir.begin(run_dir, settings, overwrite=overwrite, reuse=True) as stage:
        asks = compared(task.kind)
        whole = Scored(stage.place("whole"), task.seeded, queries, {name: asks[name] for name in _WHOLE})
        whole_seeds = range(FIRST_SEED, FIRST_SEED + most)
        whole.compute(whole_seeds)
        short = Scored(
            stage.place("short"), lambda seed: best.shorter(task.seeded(seed)), queries, {"replay": asks["replay"]}
        )
        short_seeds = range(FIRST_SEED, FIRST_SEED + counts[most])
        short.compute(short_seeds)
        if stage.is_finished:
            return dict(stage.result())
        rows = [
            {
                "method": name,
                "price": price,
                "trainings": price,
                **_scored(scoring, ensembles(whole, name, whole_seeds, price)),
            }
            for name in _WHOLE
            for price in PRICES
        ]
        calibration = []
        for price, count in counts.items():
            groups = [short_seeds[first : first + count] for first in range(0, len(short_seeds) - count + 1, count)]
            replayed = [np.stack([short("replay", seed) for seed in group]) for group in groups]
            told: dict[str, Any] = {"price": price, "trainings": count}
            means = [best.standardised(one)[0].mean(axis=0) for one in replayed]
            rows.append({"method": "replay of short trainings", **told, **_scored(scoring, means)})
            learnt = [best.learn(task, queries, one) for one in replayed]
            answers = [_answers(task, queries, *both) for both in zip(replayed, learnt, strict=True)]
            blend = learnt[0].blend
            weights = {"own": blend.own, "prior": blend.prior}
            rows.append({"method": "best", **told, **_scored(scoring, [values for values, _ in answers]), **weights})
            if count >= best.LEAST_TRAININGS:
                calibration.append({**told, "rows": calibration_rows(scoring, answers)})
        rows += _shape_rows(task, scoring, queries, blend.coefficients)
        facts = {"ceilings": dict(scoring.ceilings), "num_queries": len(queries)}
        stage.finish({**facts, "rows": rows, "calibration": calibration})
        return dict(stage.result())


def _answers(
    task: Task[Any], queries: Sequence[Any], replayed: np.ndarray, learnt: Learnt
) -> tuple[np.ndarray, np.ndarray]:
    """The expected effects and standard errors, [num_queries, num_examples] each."""
    each = [best.expected(task, query, replayed[:, place], learnt) for place, query in enumerate(queries)]
    effects, errors = zip(*each, strict=True)
    return np.stack(effects), np.stack(errors)


def _scored(scoring: Scoring, groups: Sequence[np.ndarray]) -> dict[str, Any]:
    several = np.stack(groups)
    captured = {f"captured, {k}": share for k, share in (scoring.captured(several) or {}).items()}
    return {"groups": len(groups), **scoring.score(several), **captured}


def _shape_rows(
    task: Task[Any], scoring: Scoring, queries: Sequence[Any], coefficients: np.ndarray
) -> list[dict[str, Any]]:
    """What the data alone say: by the truth of other queries, and by what best learnt from its trainings."""
    features = np.stack([best.centred_likeness(task, query) for query in queries])
    found = (scoring.fitted_on_others(features), features @ coefficients)
    return [
        {"method": name, "price": 0, "trainings": 0, **_scored(scoring, [values])}
        for name, values in zip(SHAPE_ROWS, found, strict=True)
    ]
