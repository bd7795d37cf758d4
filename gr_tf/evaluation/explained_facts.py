"""The facts that a model ranks first, and the examples that each method names for them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.errors import InputError
from gr_tf.evaluation.kept_influences import Asked, KeptInfluences
from gr_tf.evaluation.paired import NOTHING, Pairs
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained, train_in_memory
from gr_tf.types import Ids

_INFLUENCES = "influences"


@dataclasses.dataclass(frozen=True, eq=False)
class ExplainedFacts:
    """Explanations of the facts that a model ranks first.

    Attributes:
        queries: all facts that were looked at.
        chosen: [n], the places of those that are explained.
        orders: by method, and by the explained fact: the ids of the examples that support it, the most important first.
        about: by method, "seconds" of an explanation without trainings, the number of "trainings", and how many facts
            it "refused" to explain.
    """

    queries: Sequence[Any]
    chosen: Ids
    orders: Mapping[str, Sequence[Ids]]
    about: Mapping[str, dict[str, Any]]

    @property
    def explained(self) -> list[Any]:
        """The explained facts."""
        return [self.queries[place] for place in self.chosen]

    def first(self, method: str, k: int) -> list[Ids]:
        """The first k examples, or as many as there are, of each explained fact."""
        return [order[:k] for order in self.orders[method]]


def explain_facts(
    task: Task[Any],
    queries: Sequence[Any],
    methods: Sequence[Asked],
    controls: Mapping[str, Callable[[Any], Ids]],
    *,
    limit: int,
    work: RunDir,
    jobs: int,
) -> ExplainedFacts:
    """Trains, chooses the facts whose answer the model ranks first, and explains them.

    Args:
        task: of the explained training; it has `ranks`.
        queries: the facts, in the order in which they are chosen.
        methods: whose examples of positive influence explain.
        controls: by name, what orders a query's examples without a model.
        limit: how many facts are explained at most.
        work: where finished trainings and influences are kept.
        jobs: trainings at a time; they change no result.

    Raises:
        InputError: if no fact is ranked first.
    """
    pairs = Pairs(task, queries, [task.config.seed], work, jobs)
    ranks = pairs.measure({}, {}, reordered=False)[NOTHING].ranks[0]
    chosen = np.flatnonzero(ranks == 1)[:limit]
    if not len(chosen):
        raise InputError(f"the model ranks none of the {len(queries)} facts first: there is nothing to explain.")
    explained = [queries[place] for place in chosen]

    def train(tracking: bool) -> Trained:
        return train_in_memory(task, tracking=tracking)

    kept = KeptInfluences(work.place(_INFLUENCES), task, explained).compute(methods, train)
    orders: dict[str, list[Ids]] = {name: [order(query) for query in explained] for name, order in controls.items()}
    about: dict[str, dict[str, Any]] = {}
    for asked in methods:
        rankings = kept.explainer(asked).rank_many(explained)
        orders[str(asked)] = [one.example_ids[one.influences > 0] for one in rankings]
        refused = kept.refused(asked)
        about[str(asked)] = {
            "seconds": kept.seconds(asked),
            "trainings": asked.trainings,
            "refused": len(refused),
            "why": next(iter(refused.values()), ""),
        }
    return ExplainedFacts(queries, chosen, orders, about)
