"""The evaluating stage: removing explanations and retraining (step 3 of Lawrence et al. 2021), for every kind."""

import dataclasses
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution import methods as registry
from gr_tf.attribution.base import Explanation, in_parts
from gr_tf.errors import InputError
from gr_tf.evaluation import explained as explaining
from gr_tf.evaluation.explained import QUERIES_AT_ONCE, ExplainedRun
from gr_tf.evaluation.released import evaluated_predictions, parse_defects, retraining_changes
from gr_tf.evaluation.retraining import check_jobs
from gr_tf.evaluation.roar import Outcome, Removal, make_removals, parse_ks, remove_and_retrain, score_outcomes
from gr_tf.runs import files
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

STAGE = "evaluate"
KS = ("1", "10", "ALL")
# The registry's names in capitals, as in Tables 1 and 2 of the paper; other methods come after these.
PAPERS_METHODS = ("NH", "CRIAGE", "GR-O", "GR")


def evaluate_run(
    run_dir: pathlib.Path,
    *,
    methods: Sequence[str] = (),
    ks: Sequence[str] = KS,
    jobs: int,
    explained_by: str | None = None,
    num_queries: int | None = None,
    query_seed: int = 0,
    right_if: str = "drawn",
    overwrite: bool = False,
    reuse: bool = False,
    **other: Any,
) -> RunDir:
    """Explains the test predictions of a training if that is not done yet, then removes and retrains.

    Args:
        run_dir: the run's folder; reads "train", writes "explain" and "evaluate".
        methods: whose explanations to remove; default: NH and `explained_by`.
        explained_by, num_queries, query_seed, right_if: see explained.explain_run; the method's examples with influence
            >= 0 are what ALL removes.
        ks, jobs, overwrite, reuse: see `evaluate`.
        other: more arguments of `evaluate`.

    Raises:
        InputError: if an argument is out of range, or a folder cannot be used.
    """
    trained = training.load(run_dir)
    first = registry.method_of(trained.task.kind, explained_by).name
    chosen = check(trained.task, methods or ("nh", first), ks, other.get("released_defects", ()))[0]
    check_jobs(jobs)
    explaining.explain_run(
        run_dir,
        method=first,
        num_queries=num_queries,
        query_seed=query_seed,
        right_if=right_if,
        overwrite=overwrite,
        reuse=True,
    )
    return evaluate(run_dir, methods=chosen, ks=ks, jobs=jobs, overwrite=overwrite, reuse=reuse, **other)


def evaluate(
    run_dir: pathlib.Path,
    *,
    methods: Sequence[str],
    ks: Sequence[str] = KS,
    nh_seed: int = 0,
    released_defects: Sequence[str] = (),
    length: int | None = None,
    jobs: int,
    overwrite: bool = False,
    reuse: bool = False,
) -> RunDir:
    """Retrains without what each method names, or continues where that was killed.

    Args:
        run_dir: the run's folder; reads "train" and "explain", writes "evaluate".
        methods: names of the registry, in small letters or capitals.
        ks: how many examples to remove: whole numbers, or ALL.
        nh_seed: seed of the random neighbours.
        released_defects: some of released.DEFECTS.
        length: of a retraining, in the unit of the configuration; default: the training's.
        jobs: retrainings at a time; they change no result.
        overwrite: drop an evaluation that is there.
        reuse: return a finished evaluation with the same settings instead of refusing it.

    Raises:
        InputError: if an argument is out of range, or a folder cannot be used.
    """
    trained = training.load(run_dir)
    methods, ks, defects = check(trained.task, methods, ks, released_defects)
    explained = explaining.load(run_dir, trained)
    settings = {
        "explanations_fingerprint": explained.fingerprint,
        "methods": list(methods),
        "ks": list(ks),
        "nh_seed": nh_seed,
        "released_defects": list(defects),
        **({} if length is None else {"length": length}),
    }
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=reuse) as stage:
        if not stage.is_finished:
            counts = [explanation.num_supporting for explanation in explained.explanations]
            places = evaluated_predictions(counts, defects)
            if not places:
                raise InputError("released_defects leave no prediction to evaluate.")
            removals: list[Removal] = []
            for method in methods:
                for place, ranking in _rankings(method, trained, explained, places, nh_seed):
                    removals += make_removals(place, counts[place], {method: ranking}, ks)
            changes = retraining_changes(defects)
            retrained = trained.task.with_config(**changes) if changes else None
            _evaluate(stage, trained, explained, removals, jobs, retrained, length)
    return stage


def check(
    task: Task[Any], methods: Sequence[str], ks: Sequence[str], released_defects: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Checks `evaluate`'s arguments, before a model is trained.

    Args:
        task: the training to evaluate.
        methods, ks, released_defects: as for `evaluate`.

    Returns:
        The three, parsed: methods in capitals, in the order of the paper's tables.

    Raises:
        InputError: if one is out of range, or does not go with the training.
    """
    if not methods:
        raise InputError("want at least one method.")
    for method in methods:
        registry.check_task(registry.method_of(task.kind, method.lower()), task)
    names = dict.fromkeys(method.upper() for method in methods)
    ordered = [*(name for name in PAPERS_METHODS if name in names), *(n for n in names if n not in PAPERS_METHODS)]
    defects = parse_defects(released_defects)
    for name in retraining_changes(defects):
        if not hasattr(task.config, name):
            raise InputError(f"released_defects change the {name} of a training; one on {task.kind} has none.")
    return tuple(ordered), parse_ks(ks), defects


def _rankings(
    method: str, trained: Trained, explained: ExplainedRun, places: Sequence[int], nh_seed: int
) -> Iterator[tuple[int, Explanation[Any]]]:
    """A method's ranking of all examples that it considers, for some of the predictions."""
    name = method.lower()
    if name == explained.method:
        yield from ((place, explained.explanations[place]) for place in places)
        return
    explainer = registry.explainer(trained, name, **({"seed": nh_seed} if name == "nh" else {}))
    queries = explained.queries
    for part in in_parts(places, QUERIES_AT_ONCE):
        yield from zip(part, explainer.rank_many([queries[place] for place in part]), strict=True)


def _evaluate(
    stage: RunDir,
    trained: Trained,
    explained: ExplainedRun,
    removals: Sequence[Removal],
    jobs: int,
    retrained: Task[Any] | None,
    length: int | None,
) -> None:
    # As the table has its rows: method by method, size by size.
    methods, ks = stage.settings["methods"], stage.settings["ks"]
    in_table = sorted(removals, key=lambda removal: (methods.index(removal.method), ks.index(removal.k)))
    # Prediction by prediction, so that a part of the work is a smaller sample, not a part of the table.
    in_work = sorted(removals, key=lambda removal: (removal.prediction, methods.index(removal.method)))
    files.write_json(stage.path / "removals.json", [dataclasses.asdict(removal) for removal in in_table])
    fields = [field.name for field in dataclasses.fields(Outcome)]
    journal = Journal(stage.path / "retrainings.jsonl", fields)
    start = time.monotonic()
    done = len(journal.records)
    options: dict[str, Any] = {"retrained": retrained, "length": length}
    with progress("retraining", len(removals), done) as bar:
        for _ in remove_and_retrain(trained, explained.queries, in_work, journal, jobs, **options):
            bar.advance()
    seconds = time.monotonic() - start
    outcomes = {outcome.key: outcome for outcome in (Outcome(**record) for record in journal.records)}
    journal.close()
    ordered = [outcomes[removal.key] for removal in in_table]
    stage.finish(
        {
            "table": [dataclasses.asdict(score) for score in score_outcomes(ordered)],
            "retrainings": _named_rows(ordered, in_table, explained, trained.task),
            "num_queries": len({removal.prediction for removal in removals}),
            # Of this process only; an earlier one may have done a part.
            "timing": {"seconds": seconds, "retrainings": len(removals) - done, "jobs": jobs},
        }
    )


def _named_rows(
    outcomes: Sequence[Outcome], removals: Sequence[Removal], explained: ExplainedRun, task: Task[Any]
) -> list[dict[str, Any]]:
    """One row per retraining, by name; removals.json has the removed example ids."""
    rows = []
    for outcome, removal in zip(outcomes, removals, strict=True):
        tops = {"top1_before": outcome.top1_before, "top1_after": outcome.top1_after}
        rows.append(
            {
                **task.row_of(explained.predictions[outcome.prediction].query),
                **dataclasses.asdict(outcome),
                **{name: None if top is None else task.answer_key(top) for name, top in tops.items()},
                "p_predicted": _p_predicted(removal, explained.explanations[removal.prediction]),
                "pd": outcome.probability_drop,
                "tc": outcome.top1_change,
            }
        )
    return rows


def _p_predicted(removal: Removal, ranking: Explanation[Any]) -> float | None:
    """Where one example is removed: what is predicted without it by the method that explained, if it estimates that."""
    if len(removal.example_ids) != 1:
        return None
    predicted = ranking.without[ranking.example_ids == removal.example_ids[0]]
    return float(predicted[0]) if len(predicted) and np.isfinite(predicted[0]) else None
