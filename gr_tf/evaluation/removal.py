"""The evaluating stage removes what explanations name and retrains: do the predictions rest on it?

Lawrence et al. (2021), step 3, "Identifying explanations" and "Evaluation metrics", after Hooker et al. (2019), "A
Benchmark for Interpretability Methods in Deep Neural Networks" (ROAR).
"""

import dataclasses
import itertools
import pathlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution import methods as registry
from gr_tf.attribution.base import Explanation, in_parts
from gr_tf.errors import InputError, argument, short
from gr_tf.evaluation import explained as explaining
from gr_tf.evaluation.explained import QUERIES_AT_ONCE, ExplainedRun
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.released import evaluated_predictions, parse_defects, retraining_changes
from gr_tf.evaluation.retraining import Retraining
from gr_tf.evaluation.statistics import proportion_interval
from gr_tf.runs import files
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

STAGE = "evaluate"
ALL = "ALL"
KS = ("1", "10", ALL)
# The registry's names in capitals, in the order of the paper's Tables 1 and 2; other methods come after these.
PAPERS_METHODS = ("NH", "CRIAGE", "GR-O", "GR")
# Predictions are rounded to this many decimals before they are compared.
_DECIMALS = 5


@dataclasses.dataclass(frozen=True)
class Removal:
    """The examples to train without, for one prediction and one row of the table.

    Attributes:
        prediction: place in the list of explained predictions.
        method: a name in capitals, such as "GR" or "NH" (random neighbours).
        k: "1", "10", ... or ALL.
        example_ids: sorted.
    """

    prediction: int
    method: str
    k: str
    example_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What retraining without a removal's examples did to its prediction; ids as in the dataset.

    Attributes:
        prediction, method, k: the removal's.
        num_removed: how many examples were removed.
        learning_rate: the rate of the retraining's first step.
        p_before, p_after: the prediction, in the task's unit.
        top1_before, top1_after: the best answer; None for kinds without alternatives.
    """

    prediction: int
    method: str
    k: str
    num_removed: int
    learning_rate: float
    p_before: float
    p_after: float
    top1_before: int | None
    top1_after: int | None

    @property
    def probability_drop(self) -> bool:
        """PD (probability drop): whether the prediction fell, both values rounded to 5 decimals."""
        return round(self.p_after, _DECIMALS) < round(self.p_before, _DECIMALS)

    @property
    def top1_change(self) -> bool | None:
        """TC (top-1 change): whether another answer is the best; None for kinds without alternatives."""
        return None if self.top1_before is None else self.top1_after != self.top1_before


def parse_ks(ks: Iterable[str]) -> tuple[str, ...]:
    """Checks the sizes of removals: whole numbers from 1, or ALL.

    Raises:
        InputError: if a size is neither.
    """
    parsed = []
    for k in ks:
        text = k.strip().upper()
        if text != ALL and not (text.isdecimal() and int(text) >= 1):
            raise InputError(f"each of {argument('ks')} must be a whole number from 1, or ALL; got {short(k)}.")
        parsed.append(text if text == ALL else str(int(text)))
    if len(set(parsed)) < len(parsed) or not parsed:
        raise InputError(f"want each of {argument('ks')} once; got {short(','.join(parsed))}.")
    return tuple(parsed)


def make_removals(
    prediction: int, method: str, ranking: Explanation[Any], ks: Sequence[str], num_supporting: int
) -> list[Removal]:
    """The removals of a method for one prediction.

    Args:
        prediction: the prediction's place.
        method: the method's name.
        ranking: all examples that the method considers.
        ks: sizes, from `parse_ks`.
        num_supporting: the size that ALL stands for, for every method: how many examples have influence >= 0 by the
            method that explained the prediction.
    """
    counts = {k: num_supporting if k == ALL else int(k) for k in ks}
    return [
        Removal(prediction, method, k, tuple(sorted(ranking.example_ids[:count].tolist())))
        for k, count in counts.items()
    ]


def remove_and_retrain(
    trained: Trained,
    queries: Sequence[Any],
    removals: Sequence[Removal],
    journal: pathlib.Path,
    jobs: int,
    *,
    retrained: Task[Any] | None = None,
    length: int | None = None,
) -> list[Outcome]:
    """Retrains without the examples of each removal.

    The initial values, the order and the negatives of the other steps stay the same. The best answers are still
    filtered by the answers that the full data have.

    Args:
        trained: the explained model.
        queries: the queries of the explained predictions.
        removals: what to train without.
        journal, jobs: see outcomes.outcomes_of.
        retrained: how to retrain; default: as the explained model was trained.
        length: the length of a retraining; default: the training's.
    """
    explained, task = trained.task, trained.task if retrained is None else retrained
    like = {"task": task.reference} if length is None else {"task": task.reference, "length": length}
    retrainings = [
        Retraining.of(trained, removal.example_ids, "answers", [queries[removal.prediction]], **like)
        for removal in removals
    ]
    if explained.continues:
        # Training on with all examples moves the predictions too.
        retrainings.append(Retraining.of(trained, (), "answers", queries, **like))
    measured = [outcome.measured for outcome in outcomes_of([trained, task], retrainings, journal, jobs)]
    if explained.continues:
        before = measured.pop()
    else:
        values = [float(explained.value(trained.parameters, [query])[0]) for query in queries]
        before = list(zip(values, map(explained.answer_of, queries), strict=True))
    return [
        Outcome(
            removal.prediction,
            removal.method,
            removal.k,
            num_removed=len(removal.example_ids),
            learning_rate=task.first_learning_rate(np.array(removal.example_ids, np.int64)),
            p_before=before[removal.prediction][0],
            p_after=p_after,
            top1_before=before[removal.prediction][1],
            top1_after=top1_after,
        )
        for removal, ((p_after, top1_after),) in zip(removals, measured, strict=True)
    ]


def score_outcomes(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The rows of the table, one for each method and size, from outcomes in the order of the table.

    Returns:
        For each "method" and "k": "n" predictions; "mean_removed" examples; "pd" and "tc" in percent, and their 95%
        intervals "pd_interval" and "tc_interval"; TC is None for kinds without alternatives.
    """
    rows = []
    for (method, k), group in itertools.groupby(outcomes, key=lambda outcome: (outcome.method, outcome.k)):
        of_group = list(group)
        mean_removed = float(np.mean([outcome.num_removed for outcome in of_group]))
        row: dict[str, Any] = {"method": method, "k": k, "n": len(of_group), "mean_removed": mean_removed}
        changes = [outcome.top1_change for outcome in of_group if outcome.top1_change is not None]
        for name, hits in (("pd", [outcome.probability_drop for outcome in of_group]), ("tc", changes)):
            bounds = proportion_interval(sum(hits), len(hits)) if hits else None
            row[name] = 100 * sum(hits) / len(hits) if hits else None
            row[f"{name}_interval"] = bounds and [100 * bound for bound in bounds]
        rows.append(row)
    return rows


def evaluate(
    run_dir: pathlib.Path,
    *,
    methods: Sequence[str],
    ks: Sequence[str] = KS,
    nh_seed: int = 0,
    nh_rule: str = "seeded",
    released_defects: Sequence[str] = (),
    length: int | None = None,
    jobs: int,
    overwrite: bool = False,
    reuse: bool = False,
) -> RunDir:
    """Retrains without what each method names, or continues where this was killed.

    Args:
        run_dir: the run's folder; reads "train" and "explain", writes "evaluate".
        methods: names in the registry, in small letters or capitals.
        ks: how many examples to remove: whole numbers, or ALL.
        nh_seed: seed of the random neighbours.
        nh_rule: how they are drawn, one of attribution.neighborhood.NH_RULES.
        released_defects: some of released.DEFECTS.
        length: the length of a retraining, in the unit of the configuration; default: the training's.
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
        # Earlier evaluations have no such setting.
        **({} if nh_rule == "seeded" else {"nh_rule": nh_rule}),
    }
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=reuse) as stage:
        if not stage.is_finished:
            _evaluate(stage, trained, explained, jobs)
    return stage


def check(
    task: Task[Any], methods: Sequence[str], ks: Sequence[str], released_defects: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Checks `evaluate`'s arguments, before a model is trained.

    Args:
        task: the training to evaluate.
        methods, ks, released_defects: as for `evaluate`.

    Returns:
        The three, parsed; methods are in capitals, in the order of the paper's tables.

    Raises:
        InputError: if one is out of range, or does not fit the training.
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
            raise InputError(
                f"{argument('released_defects')} change the {name} of a training; one on {task.kind} has none."
            )
    return tuple(ordered), parse_ks(ks), defects


def _rankings(
    method: str, trained: Trained, explained: ExplainedRun, places: Sequence[int], of_nh: Mapping[str, Any]
) -> Iterator[tuple[int, Explanation[Any]]]:
    """A method's ranking of all examples that it considers, for some of the predictions."""
    name = method.lower()
    if name == explained.method:
        yield from ((place, explained.explanations[place]) for place in places)
        return
    explainer = registry.explainer(trained, name, **(of_nh if name == "nh" else {}))
    for part in in_parts(places, QUERIES_AT_ONCE):
        queries = [explained.explanations[place].query for place in part]
        yield from zip(part, explainer.rank_many(queries), strict=True)


def _evaluate(stage: RunDir, trained: Trained, explained: ExplainedRun, jobs: int) -> None:
    methods, ks, defects = (stage.settings[name] for name in ("methods", "ks", "released_defects"))
    queries = [explanation.query for explanation in explained.explanations]
    counts = [explanation.num_supporting for explanation in explained.explanations]
    places = evaluated_predictions(counts, defects)
    if not places:
        raise InputError(f"{argument('released_defects')} leave no prediction to evaluate.")
    of_nh = {"seed": stage.settings["nh_seed"], "rule": stage.settings.get("nh_rule", "seeded")}
    removals: list[Removal] = []
    for method in methods:
        for place, ranking in _rankings(method, trained, explained, places, of_nh):
            removals += make_removals(place, method, ranking, ks, counts[place])
    # In the order of the table's rows: method by method, size by size.
    in_table = sorted(removals, key=lambda removal: (methods.index(removal.method), ks.index(removal.k)))
    # They are done prediction by prediction: unfinished work is then a smaller sample, not a part of the table.
    in_work = sorted(removals, key=lambda removal: removal.prediction)
    told = {"removals": [dataclasses.asdict(removal) for removal in in_table]}
    files.write_json(stage.place("removals.json"), told)
    changes, length = retraining_changes(defects), stage.settings.get("length")
    task = trained.task.with_config(**changes) if changes else trained.task
    journal, start = stage.place("retrainings.jsonl"), time.monotonic()
    done = _num_lines(journal)
    found = remove_and_retrain(trained, queries, in_work, journal, jobs, retrained=task, length=length)
    # The seconds are this process's only; an earlier one may have done a part.
    timing = {"seconds": time.monotonic() - start, "retrainings": _num_lines(journal) - done, "jobs": jobs}
    outcomes = dict(zip(in_work, found, strict=True))
    stage.finish(
        {
            "table": score_outcomes([outcomes[one] for one in in_table]),
            "retrainings": [_named_row(outcomes[one], one, explained, trained.task) for one in in_table],
            "num_queries": len(places),
            "timing": timing,
        }
    )


def _num_lines(path: pathlib.Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _named_row(outcome: Outcome, removal: Removal, explained: ExplainedRun, task: Task[Any]) -> dict[str, Any]:
    """The row of a retraining, with names; removals.json has the removed example ids."""
    tops = {"top1_before": outcome.top1_before, "top1_after": outcome.top1_after}
    ranking = explained.explanations[removal.prediction]
    # If one example is removed: what the explaining method predicts without it, if it makes such an estimate.
    predicted = ranking.without[np.isin(ranking.example_ids, removal.example_ids)]
    estimates = len(removal.example_ids) == len(predicted) == 1 and np.isfinite(predicted[0])
    return {
        **task.row_of(ranking.query),
        **dataclasses.asdict(outcome),
        **{name: None if top is None else task.answer_key(ranking.query, top) for name, top in tops.items()},
        "p_predicted": float(predicted[0]) if estimates else None,
        "pd": outcome.probability_drop,
        "tc": outcome.top1_change,
    }
