"""The truth on data that are too large for an atlas: some examples of some predictions, left out for many at once.

A training without a few of many thousand examples costs as much as one without a single one, and chance moves every
prediction as much. So one training leaves out an example of *each* query. Which examples go together is drawn anew for
each seed: what the example of one query does to another query is then noise that the seeds average out. (On average
over the draws it moves all examples of a query alike, which no ranking sees.) An example that is left out for several
queries counts for each.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.errors import InputError, argument
from gr_tf.evaluation.leave_one_out import Seeded, values_by_seed
from gr_tf.runs import shards
from gr_tf.tasks.task import Task
from gr_tf.types import Ids


def chosen_queries(task: Task[Any], candidates: Sequence[Any], count: int, least_related: int, seed: int) -> list[Any]:
    """Some random queries that have enough related examples.

    Args:
        task: of the data.
        candidates: what is drawn from.
        count: how many are drawn.
        least_related: how many related examples each has at least.
        seed: of the draw.

    Raises:
        InputError: if there are too few.
    """
    found: list[Any] = []
    for place in np.random.default_rng(seed).permutation(len(candidates)):
        if len(found) == count:
            break
        if len(task.related(candidates[place])) >= least_related:
            found.append(candidates[place])
    if len(found) < count:
        raise InputError(
            f"{argument('queries')} must be at most {len(found)}: so many of the {len(candidates)} predictions have "
            f"{least_related} related examples; got {count}."
        )
    return found


def chosen_examples(
    task: Task[Any], queries: Sequence[Any], influences: Mapping[str, np.ndarray], *, first: int, drawn: int, seed: int
) -> Ids:
    """The examples of each query that are left out: those that methods rank first, then random related ones.

    Args:
        task: of the data.
        queries: with at least first + drawn related examples each.
        influences: by method, [num_queries, num_examples]; the methods name a related example each in turn.
        first, drawn: how many the methods name together, and how many are random.
        seed: of the draw.

    Returns:
        [num_queries, first + drawn], the examples that the methods name first.
    """
    generator, found = np.random.default_rng(seed), []
    for place, query in enumerate(queries):
        related = task.related(query)
        orders = [related[np.argsort(-of[place, related], kind="stable")] for of in influences.values()]
        # Together, the methods name so many distinct examples among the first of each.
        in_turn = np.stack([order[: first + 1] for order in orders], axis=1).ravel() if orders else related[:0]
        named = np.array(list(dict.fromkeys(in_turn.tolist()))[:first], np.int64)
        others = np.setdiff1d(related, named)
        random = generator.choice(others, first + drawn - len(named), replace=False)
        found.append(np.concatenate([named, np.sort(random)]))
    return np.stack(found)


def partners(examples: Ids, seed: int) -> np.ndarray:
    """The places [num_queries, n] of each query's examples [num_queries, n] in a seed's order.

    Those of one column are left out together.
    """
    return np.random.default_rng((1, seed)).permuted(np.tile(np.arange(examples.shape[1]), (len(examples), 1)), axis=1)


def effects_together(
    folder: pathlib.Path, seeded: Seeded, seeds: Sequence[int], queries: Sequence[Any], examples: Ids, jobs: int
) -> np.ndarray:
    """The effects [num_seeds, num_queries, n] of each query's examples [num_queries, n], less about their mean.

    An example may be left out for several queries. Its effect is how much lower a prediction is in the trainings
    without it than in the others of the seed; see `partners`.

    Args:
        folder, seeded, seeds: see leave_one_out.values_by_seed.
        queries, examples: what is measured, and without what.
        jobs: trainings at a time; they change no result.

    Raises:
        InputError: if an example would be left out of all trainings of a seed.
    """
    plans = {}
    for seed in seeds:
        removals = [np.unique(column) for column in np.take_along_axis(examples, partners(examples, seed), axis=1).T]
        gone = np.stack([np.isin(examples, removed) for removed in removals], axis=1)
        if gone.all(axis=1).any():
            raise InputError(
                f"with seed {seed} an example would be left out of all trainings: want fewer {argument('queries')}, or "
                f"more examples ({argument('first')}, {argument('drawn')})."
            )
        plans[seed] = removals, gone
    found, parts = [], shards.Parts()
    for seed, (removals, gone) in plans.items():
        with parts:
            (arrays,) = values_by_seed(
                folder,
                seeded,
                [seed],
                queries,
                [np.zeros(0, np.int64), *removals],
                jobs,
                lambda values: {"whole": values[:, 0], "without": values[:, 1:]},
            )
            found.append(mean_falls(gone, arrays["whole"][:, None] - arrays["without"]))
    parts.stop()
    return np.stack(found)


def mean_falls(gone: np.ndarray, falls: np.ndarray) -> np.ndarray:
    """How much more a value falls [num_queries, n] without an example than with it, on average over trainings.

    Args:
        gone: bool [num_queries, num_trainings, n], which of a query's examples each training lacks.
        falls: [num_queries, num_trainings], how much lower the query's value is.
    """
    counts, total = gone.sum(axis=1), falls.sum(axis=1, keepdims=True)
    without = np.einsum("qtn,qt->qn", gone.astype(np.float64), falls)
    found: np.ndarray = without / counts - (total - without) / (gone.shape[1] - counts)
    return found
