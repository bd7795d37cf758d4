"""Checks explanations: trains again without examples, and compares the predictions."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gr_tf.asking.check import EXPLAINED, NOTHING, RANDOM, Check
from gr_tf.asking.looks import OTHER, Look, explained_answer, look_at, look_of, measure_of, num_fallen
from gr_tf.attribution.combined import Combination, all_numbers_of, queries_of, related_to
from gr_tf.errors import InputError, argument, whole_number
from gr_tf.evaluation.kept_retrainings import KeptRetrainings
from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Outcome, Retraining
from gr_tf.runs.progress import Progress, progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

_NOTHING = np.zeros(0, np.int64)


class Claim(NamedTuple):
    """That some examples support a prediction: what a check is of.

    Attributes:
        query: the explained one, or a combination of several.
        ids: the examples that support the prediction, the first first; at least one.
        predicted: the method's estimate of the change without some examples.
        trainings: over how many trainings the explanation is a mean.
    """

    query: Any
    ids: Ids
    predicted: Callable[[Ids], float | None]
    trainings: int = 1

    @property
    def removals(self) -> list[Ids]:
        """What is left out: the first example, and all of them."""
        return [self.ids[:1], self.ids] if len(self.ids) > 1 else [self.ids]


class _Wanted(NamedTuple):
    """The looks that one query needs.

    Attributes:
        query: at which the trained models are asked.
        removals: by removal, then by seed: the removed examples.
        trainings: over how many trainings the explanation is a mean.
    """

    query: Any
    removals: Sequence[Sequence[Ids]]
    trainings: int = 1


class Checker:
    """Trains a model again without examples, from several seeds; a model's run keeps what that gave.

    Attributes:
        trained: the explained model.
        task: what was trained.
    """

    def __init__(self, trained: Trained, length: int | None = None) -> None:
        """
        Args:
            trained: the explained model.
            length: how long a check trains that goes on from the trained model; None: the kind's length.

        Raises:
            InputError: if the length is below 1, or the checks of this model do not use a length.
        """
        self.trained, self.task = trained, trained.task
        if length is not None:
            refuse_own_length(trained.goes_on)
            whole_number("retraining_length", length, flag="retraining_steps")
        own_length = trained.length if trained.given else self.task.check_length(trained.epoch)
        self._length = length or own_length
        self._kept = None if trained.path is None else KeptRetrainings(trained.path.parent)

    def check(self, claims: Sequence[Claim], *, seeds: int, jobs: int, controls: bool) -> list[list[Check]]:
        """Trains again without the first of each claim's examples, and without all of them; see Asker.check.

        What several claims need, such as the trainings with all examples, is trained once.

        Args:
            claims: what is checked.
            seeds, jobs, controls: see Asker.check.

        Returns:
            The checks of each claim, then their controls.
        """
        wanted = [_Wanted(one.query, self._removals(one, seeds, controls), one.trainings) for one in claims]
        looks = self._looks(wanted, jobs)
        return [
            self._checks(claim, asked.removals, seen, seeds, controls)
            for claim, asked, seen in zip(claims, wanted, looks, strict=True)
        ]

    def _removals(self, claim: Claim, seeds: int, controls: bool) -> list[list[Ids]]:
        """By removal, then by seed: nothing, what is explained, and random related examples."""
        related = related_to(self.task, claim.query) if controls else _NOTHING
        drawn = [
            [random_ids(related, len(removed), place, claim.query) for place in range(seeds)]
            for removed in claim.removals
            if len(related) >= len(removed)
        ]
        return [
            [_NOTHING] * (max(seeds, 2) if controls else seeds),
            *([removed] * seeds for removed in claim.removals),
            *drawn,
        ]

    def _checks(
        self, claim: Claim, asked: Sequence[Sequence[Ids]], looks: Sequence[Sequence[Look]], seeds: int, controls: bool
    ) -> list[Check]:
        """The checks of a claim from what was seen after its removals."""
        query, whole = claim.query, looks[0]
        # If the explained answer is not the best one, a change of the best answer says nothing.
        explained = explained_answer(self.task, query)
        compares = explained is not None and whole[0].best == explained
        checks = []
        for number, (removed, without) in enumerate(zip(asked[1:], looks[1:], strict=True)):
            is_control = number >= len(claim.removals)
            estimate = None if is_control else claim.predicted(removed[0])
            checks.append(
                _check(
                    query, removed[0], estimate, whole[:seeds], without, compares, RANDOM if is_control else EXPLAINED
                )
            )
        if controls:
            others = [*whole[1:], whole[0]][:seeds]
            checks.append(_check(query, _NOTHING, None, whole[:seeds], others, compares, NOTHING))
        return checks

    @property
    def how(self) -> str:
        """How this measures, for people."""
        if not self.trained.goes_on:
            return "Trained again without them"
        told = f"The model was trained on for {self._length:,} steps, with all examples and without these"
        if self.trained.given:
            steps = sum(block.count for block in self.task.steps.blocks(self._length))
            return f"Went on from the given model for {steps:,} steps, with all examples and without these"
        if any(block.ends is not None for block in self.task.steps.blocks(self._length)):
            return told
        return f"{told} (less than an epoch: some examples are in no batch)"

    def look(self, query: Any) -> Look:
        """The prediction of the explained model."""
        return look_at(self.task, self.trained.parameters, query)

    def _looks(self, wanted: Sequence[_Wanted], jobs: int) -> list[list[list[Look]]]:
        """For each query, by removal, then by seed, the predictions without some examples.

        A training that several queries look at is done once.
        """
        found: dict[tuple[int, int, int], Look] = {}
        shared: dict[str, _Shared] = {}
        trainings: dict[tuple[int, int], tuple[Task[Any], dict[str, Any]]] = {}
        for number, one in enumerate(wanted):
            measure, queries = measure_of(one.query)
            for row, by_seed in enumerate(one.removals):
                for place, removed in enumerate(by_seed):
                    # A task is made once, because it is compiled.
                    which = (place, one.trainings)
                    trainings[which] = trainings.get(which) or self._training(*which)
                    task, other = trainings[which]
                    if task is self.task and not self.trained.goes_on and not len(removed):
                        found[number, row, place] = self.look(one.query)  # The explained model is trained already.
                        continue
                    asked = Retraining.of(self.trained, removed, measure, queries, **other)
                    same = dataclasses.replace(asked, queries=()) if measure == "answers" else asked
                    shared.setdefault(same.key, _Shared(same, [])).add((number, row, place), one.query)
        lists = list(shared.values())
        asked_of_all = [one.retraining for one in lists]
        total = sum(len(self.task.steps.blocks(one.length)) for one in asked_of_all)
        known: list[Task[Any] | Trained] = [self.trained, *(task for task, _ in trainings.values())]
        with progress("retrainings", total) as bar:
            told = {"on_found": bar.pass_over, "on_block": bar.advance}
            for at, outcome in self.retrain(asked_of_all, jobs, known=known, **told):
                found |= lists[at].looks(outcome.measured)
        return [
            [[found[number, row, place] for place in range(len(by_seed))] for row, by_seed in enumerate(one.removals)]
            for number, one in enumerate(wanted)
        ]

    def _training(self, place: int, trainings: int) -> tuple[Task[Any], dict[str, Any]]:
        """The task of a check's training, and its differences from the explained training; see `check`."""
        task, seed = self.task, self.task.config.seed
        if self.trained.given:
            # Every seed of the training that goes on, such as that of the negatives.
            task = task.with_config(**{name: getattr(task.config, name) + place for name in task.seeds})
            return task, {"task": task.reference, "length": self._length, "seed": task.config.seed}
        if task.continues:
            # This is another seed than that of the training's own batches.
            return task, {"length": self._length, "seed": seed + 1 + place}
        task = task.member(trainings + place) if trainings > 1 else task.member(place, ["seed"])
        return task, {"task": task.reference, "seed": task.config.seed}

    def tops(self, query: Any, removals: Sequence[Ids], seeds: int, jobs: int = 1) -> list[list[int | None]]:
        """The best answers to a query, by seed: with all examples, then without each of some sets.

        The first seed is the explained model's.
        """
        return self.tops_by_seed(query, [[removed] * seeds for removed in (_NOTHING, *removals)], jobs)

    def tops_by_seed(self, query: Any, removals: Sequence[Sequence[Ids]], jobs: int = 1) -> list[list[int | None]]:
        """The same, without sets that differ by seed: by removal, then by seed."""
        (looks,) = self._looks([_Wanted(query, removals)], jobs)
        return [[look.best for look in by_seed] for by_seed in looks]

    def tops_without(
        self, query: Any, removals: Sequence[Ids], jobs: int = 1, bar: Progress | None = None
    ) -> list[int | None]:
        """`Look.best` of a query after trainings like the explained one, each without one of some sets.

        Args:
            query, removals, jobs: see tops.
            bar: where these trainings are counted, each as one.
        """
        measure, queries = measure_of(query)
        asked = [Retraining.of(self.trained, removed, measure, queries, length=self._length) for removed in removals]
        kept = {} if self._kept is None else self._kept.found(asked)
        if bar is not None:
            bar.pass_over(len(kept))
        found = {}
        for place, outcome in self.retrain(asked, jobs, known=[self.trained]):
            found[place] = outcome
            if bar is not None and place not in kept:
                bar.advance()
        return [look_of(query, found[place].measured).best for place in range(len(removals))]

    def retrain(self, retrainings: Sequence[Retraining], jobs: int, **other: Any) -> Iterator[tuple[int, Outcome]]:
        """See many_retrainings.retrain; what the model's run has already is found, and what is done now is kept there.

        Raises:
            InputError, TrainingError: see KeptRetrainings.retrain.
        """
        if self._kept is None:
            return retrain(retrainings, jobs, **other)
        return self._kept.retrain(retrainings, jobs, **other)

    def facts(self) -> dict[str, str]:
        """What made those retrainings that were found, by name, for people; empty if it is what there is now."""
        others = () if self._kept is None else self._kept.others
        return {"retrainings were made with": "; ".join(others)} if others else {}


def refuse_own_length(goes_on: bool) -> None:
    """Refuses a length of retrainings that do not go on from a trained model.

    Raises:
        InputError: if they do not.
    """
    if not goes_on:
        told = argument("retraining_length", flag="retraining_steps")
        raise InputError(f"a check of this model trains anew, as long as the model was trained; it takes no {told}.")


class _Shared(NamedTuple):
    """A training, and who looks at it.

    Attributes:
        base: the retraining; without its queries, if any number of queries may look at it.
        lookers: where each look belongs, and its query.
    """

    base: Retraining
    lookers: list[tuple[tuple[int, int, int], Any]]

    def add(self, where: tuple[int, int, int], query: Any) -> None:
        """Another look."""
        self.lookers.append((where, query))

    @property
    def retraining(self) -> Retraining:
        """What is trained and measured for all of them."""
        if self.base.queries:
            return self.base
        return dataclasses.replace(self.base, queries=tuple(query for _, query in self.lookers))

    def looks(self, measured: Any) -> dict[tuple[int, int, int], Look]:
        """What each sees: of answers one value for each look, else the same values."""
        return {
            where: look_of(query, measured if self.base.queries else [measured[place]])
            for place, (where, query) in enumerate(self.lookers)
        }


def random_ids(ids: Ids, count: int, place: int, query: Any) -> Ids:
    """Some of the examples at random, ascending: others for each place of a seed, and for each query."""
    generator = np.random.default_rng([place, *map(abs, all_numbers_of(query))])
    return np.sort(generator.choice(ids, count, replace=False))


def _has_lost(query: Any, then: Look, now: Look) -> bool:
    """Whether the best answer is lost; of a difference, whether the other answer is ahead now."""
    if isinstance(query, Combination):
        return now.best == OTHER
    return now.best != then.best


def _check(
    query: Any,
    removed: Ids,
    predicted: float | None,
    whole: Sequence[Look],
    without: Sequence[Look],
    compares: bool,
    what: str,
) -> Check:
    pairs = list(zip(whole, without, strict=True))
    fallen = [num_fallen(query, then, now) for then, now in pairs]
    return Check(
        example_ids=tuple(removed.tolist()),
        predicted=predicted,
        before=tuple(then.value for then, _ in pairs),
        after=tuple(now.value for _, now in pairs),
        top_changed=tuple(_has_lost(query, then, now) for then, now in pairs) if compares else None,
        what=what,
        fallen=tuple(count for count in fallen if count is not None) or None,
        questions=len(queries_of(query)) if None not in fallen else 1,
    )
