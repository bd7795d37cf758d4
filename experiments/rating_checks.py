"""Are the explanations of ratings true? Explains random test ratings, and trains again without the first examples.

python -m experiments.rating_checks --dataset=movielens-100k --data_dir=DATA/ml-100k

For each question and method two models are trained from the same start, without the first supporting rating and without
the first --k, as `gr_tf explain --verify` does. Retrainings that are done are found again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from gr_tf.asking.check import HELD, Check, check_of_dict
from gr_tf.attribution.methods import explainer, method_of
from gr_tf.commands import common, config_flags, data_flags, engine_flags, k_flag, removal_flags, run_flags, shard_flag
from gr_tf.data.ratings import RatingSplit
from gr_tf.errors import InputError
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.retraining import Retraining
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import kinds
from gr_tf.tasks.ratings import RatingTask
from gr_tf.training.rating_config import RatingConfig

for _config in (RatingConfig, RatingSplit):
    config_flags.define({"": _config}, defaults=False)
common.adopt(config_flags, data_flags, engine_flags, k_flag, removal_flags, run_flags, shard_flag)

NAME = "checks"
_NUM_QUESTIONS = flags.DEFINE_integer("questions", 10, "How many random test ratings.", lower_bound=2)
_SEED = flags.DEFINE_integer("questions_seed", 0, "Seed of the test ratings.", lower_bound=0)


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each method: how many of the questions' explanations held, and the mean changes."""
    rows = []
    for method, checked in result["checked"].items():
        pairs = [[check_of_dict(check) for check in question["checks"]] for question in checked]
        held = np.array([[check.verdict == HELD for check in pair] for pair in pairs])
        row = {"dataset": result["dataset"], "method": method, "questions": len(held), "both held": held.all(1).sum()}
        for place, what in enumerate(("the first", f"the first {result['settings']['k']}")):
            changes = np.mean([pair[place].changes[0] for pair in pairs])
            predicted = [change for pair in pairs if (change := pair[place].predicted) is not None]
            told = f"{np.mean(predicted):+.3f}" if predicted else "-"
            row |= {f"held without {what}": held[:, place].sum(), f"stars: predicted, measured ({what})": ""}
            row[f"stars: predicted, measured ({what})"] = f"{told}, {changes:+.3f}"
        rows.append({**row, "test RMSE": f"{result['quality']['test']['rmse']:.3f}"})
    return pd.DataFrame(rows)


def main() -> None:
    asked_methods: list[Any] = removal_flags.METHODS.value or [None]
    methods = [method_of("ratings", name).name for name in asked_methods]
    if k_flag.K.value < 2:
        raise InputError(f"k must be at least 2; got {k_flag.K.value}.")
    split = config_flags.asked(RatingSplit)
    ratings = kinds.read_own("ratings", data_flags.DATASET.value, data_flags.DATA_DIR.value, split)
    task = RatingTask(ratings, kinds.own_config("ratings", ratings, config_flags.asked(RatingConfig)))
    folder = run_flags.run_dir(f"{ratings.name}-{task.config.model}-{NAME}")
    trained = run_flags.trained(task, folder)
    tests = task.test_predictions(trained.parameters)
    places = np.random.default_rng(_SEED.value).choice(len(tests), min(_NUM_QUESTIONS.value, len(tests)), replace=False)
    queries = [tests[place].query for place in places]
    asked = {flag.name: flag.value for flag in (_NUM_QUESTIONS, _SEED, k_flag.K)}
    settings = {**asked, "methods": methods, "train_fingerprint": trained.fingerprint}
    with RunDir.begin(folder / NAME, settings, overwrite=run_flags.OVERWRITE.value, reuse=True) as stage:
        if not stage.is_finished:
            removals, removed_by = [], {}
            for method in methods:
                explained = explainer(trained, method)
                for query, explanation in zip(queries, explained.rank_many(queries), strict=True):
                    ids = explanation.example_ids[explanation.influences > 0][: k_flag.K.value]
                    sets = [ids[:1], ids]
                    estimates = method_of("ratings", method).estimates
                    predicted = [explained.change_without(explanation, part) if estimates else None for part in sets]
                    removed_by[method, query] = sets, predicted
                    removals += [Retraining.of(trained, part, "value", [query]) for part in sets]
            journal = stage.place("retrainings.jsonl")
            outcomes = iter(outcomes_of([trained], removals, journal, run_flags.JOBS.value))
            checked: dict[str, list[dict[str, Any]]] = {method: [] for method in methods}
            for (method, query), (sets, predicted) in removed_by.items():
                before = float(task.value(trained.parameters, [query])[0])
                checks = [
                    Check(tuple(part.tolist()), told, (before,), (next(outcomes).measured[0],), None).to_dict()
                    for part, told in zip(sets, predicted, strict=True)
                ]
                checked[method].append({**task.row_of(query), "title": task.names_of(query)[-1], "checks": checks})
            about = {"dataset": ratings.name, "config": task.config.to_dict(), "epoch": trained.epoch}
            stage.finish({**about, "quality": task.quality(trained.parameters), "checked": checked})
        result = stage.result()
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main)
