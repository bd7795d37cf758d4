"""Others that are given the examples which explain an answer: do they get it, too?

Kelpie's sufficient explanations (Rossi et al. 2022): others of whom the model does not predict the answer are given the
examples that explain it, all in one training.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.errors import InputError
from gr_tf.evaluation.explained_facts import ExplainedFacts
from gr_tf.evaluation.paired import NOTHING, Pairs
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.subjects import Subjects
from gr_tf.tasks.task import Task
from gr_tf.types import Ids

# So many times as many others as are wanted are looked at; some have the answer already.
_LOOKED_AT = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Others:
    """Those to whom examples are given, in the place of the subjects of explained facts.

    Attributes:
        task: of the explained training.
        subjects: of each explained fact.
        ids: [n], the others.
        facts: [n], the explained fact that each is for, counted from 0.
    """

    task: Task[Any]
    subjects: Sequence[Subjects]
    ids: Sequence[int]
    facts: np.ndarray

    @property
    def queries(self) -> list[Any]:
        """The facts' queries, asked of the others."""
        return [self.subjects[fact].query_of(other) for fact, other in zip(self.facts, self.ids, strict=True)]

    def only(self, places: np.ndarray) -> "Others":
        """Some of them."""
        return dataclasses.replace(self, ids=[self.ids[place] for place in places], facts=self.facts[places])

    def given(self, named: Mapping[str, Sequence[Ids]]) -> tuple[Task[Any], dict[str, Ids]]:
        """Gives the others the examples that conditions name for each fact.

        Returns:
            The task with all these examples after its own, and which of them each condition gives.
        """
        places: dict[tuple[Any, ...], int] = {}
        by_condition = {}
        for name, ids in named.items():
            added = [
                example
                for fact, other in zip(self.facts, self.ids, strict=True)
                for example in self.subjects[fact].given_to(other, ids[fact])
            ]
            found = [places.setdefault(example, len(places)) for example in added]
            by_condition[name] = self.task.num_examples + np.unique(np.array(found, np.int64))
        return self.task.with_dataset(self.subjects[0].with_added(list(places))), by_condition


def others_of(task: Task[Any], found: ExplainedFacts, count: int, work: RunDir, jobs: int) -> Others:
    """Draws, for each explained fact, others that could have the answer, and to which the explained model denies it.

    Args:
        task: of the explained training.
        found: the facts.
        count: how many others of each; fewer if there are not so many.
        work: where finished trainings are kept.
        jobs: see Pairs.

    Raises:
        InputError: if there are no others of any fact.
    """
    generator = np.random.default_rng(task.config.seed)
    subjects = [task.subjects(query) for query in found.explained]
    drawn = [generator.permutation(one.others)[: _LOOKED_AT * count].tolist() for one in subjects]
    facts = np.repeat(np.arange(len(drawn)), list(map(len, drawn)))
    if not len(facts):
        raise InputError("nobody else could have the answers: there is nobody to give to.")
    everyone = Others(task, subjects, [other for of_fact in drawn for other in of_fact], facts)
    pairs = Pairs(task, everyone.queries, [task.config.seed], work, jobs)
    denied = pairs.measure({}, {}, reordered=False)[NOTHING].ranks[0] > 1
    kept = [np.flatnonzero(denied & (facts == fact))[:count] for fact in range(len(subjects))]
    if not sum(map(len, kept)):
        raise InputError("the model gives the answer to all others that could have it: there is nobody to give to.")
    return everyone.only(np.concatenate(kept))
