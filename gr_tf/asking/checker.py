"""Checks explanations: trains again without examples, and compares the predictions."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.asking.check import EXPLAINED, NOTHING, RANDOM, Check
from gr_tf.asking.looks import Look, explained_answer, look_at, look_of, measure_of, num_fallen
from gr_tf.attribution.combined import all_numbers_of, queries_of, related_to
from gr_tf.errors import InputError, argument
from gr_tf.evaluation.retraining import Retraining, retrain
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

_NOTHING = np.zeros(0, np.int64)


class Checker:
    """Trains a model again without examples, from several seeds.

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
        if length is not None and length < 1:
            raise InputError(
                f"{argument('retraining_length', flag='retraining_steps')} must be at least 1; got {length}."
            )
        own_length = trained.length if trained.given else self.task.check_length(trained.epoch)
        self._length = length or own_length

    def check(
        self,
        query: Any,
        ids: Ids,
        predicted: Callable[[Ids], float | None],
        *,
        seeds: int,
        jobs: int,
        trainings: int,
        controls: bool,
    ) -> list[Check]:
        """Trains again without the first of some examples, and without all of them; see Asker.check.

        Args:
            query: the explained one, or a combination of several.
            ids: the examples that support the prediction, the first first; at least one.
            predicted: the method's estimate of the change without some examples.
            seeds, jobs, controls: see Asker.check.
            trainings: over how many trainings the explanation is a mean.
        """
        removals = [ids[:1], ids] if len(ids) > 1 else [ids]
        related = related_to(self.task, query) if controls else _NOTHING
        drawn = [
            [_random_ids(related, len(removed), place, query) for place in range(seeds)]
            for removed in removals
            if len(related) >= len(removed)
        ]
        asked = [
            [_NOTHING] * (max(seeds, 2) if controls else seeds),
            *([removed] * seeds for removed in removals),
            *drawn,
        ]
        looks = self._looks(query, asked, trainings, jobs)
        whole = looks[0]
        # If the explained answer is not the best one, a change of the best answer says nothing.
        explained = explained_answer(self.task, query)
        compares = explained is not None and whole[0].best == explained
        checks = []
        for number, (removed, without) in enumerate(zip(asked[1:], looks[1:], strict=True)):
            is_control = number >= len(removals)
            estimate = None if is_control else predicted(removed[0])
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

    def _looks(self, query: Any, removals: Sequence[Sequence[Ids]], trainings: int, jobs: int) -> list[list[Look]]:
        """By removal, then by seed, the predictions without some examples: those of the removal and the seed."""
        found: dict[tuple[int, int], Look] = {}
        asked: dict[tuple[int, int], Retraining] = {}
        known: list[Task[Any] | Trained] = [self.trained]
        measure, queries = measure_of(query)
        for place in range(max(map(len, removals))):
            task, other = self._training(place, trainings)
            known.append(task)
            for number, by_seed in enumerate(removals):
                if place >= len(by_seed):
                    continue
                removed = by_seed[place]
                if task is self.task and not self.trained.goes_on and not len(removed):
                    found[number, place] = self.look(query)  # The explained model is trained already.
                else:
                    asked[number, place] = Retraining.of(self.trained, removed, measure, queries, **other)
        keys = list(asked)
        total = sum(len(self.task.steps.blocks(one.length)) for one in asked.values())
        with progress("retrainings", total) as bar:
            outcomes = retrain(list(asked.values()), jobs, known=known, on_found=bar.pass_over, on_block=bar.advance)
            for at, outcome in outcomes:
                found[keys[at]] = look_of(query, outcome.measured)
        return [[found[number, place] for place in range(len(by_seed))] for number, by_seed in enumerate(removals)]

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
        asked = [[removed] * seeds for removed in (_NOTHING, *removals)]
        return [[look.best for look in by_seed] for by_seed in self._looks(query, asked, 1, jobs)]

    def tops_without(self, query: Any, removals: Sequence[Ids], jobs: int = 1) -> list[int | None]:
        """`Look.best` of a query after trainings like the explained one, each without one of some sets."""
        measure, queries = measure_of(query)
        asked = [Retraining.of(self.trained, removed, measure, queries, length=self._length) for removed in removals]
        found = dict(retrain(asked, jobs, known=[self.trained]))
        return [look_of(query, found[place].measured).best for place in range(len(removals))]


def refuse_own_length(goes_on: bool) -> None:
    """Refuses a length of retrainings that do not go on from a trained model.

    Raises:
        InputError: if they do not.
    """
    if not goes_on:
        told = argument("retraining_length", flag="retraining_steps")
        raise InputError(f"a check of this model trains anew, as long as the model was trained; it takes no {told}.")


def _random_ids(related: Ids, count: int, place: int, query: Any) -> Ids:
    """Some related examples at random, ascending: others for each place of a seed."""
    generator = np.random.default_rng([place, *map(abs, all_numbers_of(query))])
    return np.sort(generator.choice(related, count, replace=False))


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
        top_changed=tuple(now.best != then.best for then, now in pairs) if compares else None,
        what=what,
        fallen=tuple(count for count in fallen if count is not None) or None,
        questions=len(queries_of(query)) if None not in fallen else 1,
    )
