"""Answers questions about a trained model of any kind of data."""

import collections
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.asking.answer import Answer, parse_question, shown
from gr_tf.asking.check import EXPLAINED, NOTHING, RANDOM, Check
from gr_tf.asking.members import other_members
from gr_tf.asking.quality import Quality
from gr_tf.attribution import methods as registry
from gr_tf.attribution.base import Explainer, Explanation, checked_k
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.methods import Method
from gr_tf.data.dataset import numbers_of
from gr_tf.errors import InputError
from gr_tf.evaluation.retraining import MEASURES, Retraining, check_jobs, retrain
from gr_tf.runs.made_with import made_with
from gr_tf.runs.progress import progress
from gr_tf.tasks.task import OPEN, Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

# A query's value in a trained model, and the best answer (see the measure "answers").
Look = tuple[float, int | None]
_MEASURE = "answers"
_NOTHING = np.zeros(0, np.int64)
# A sign that all trainings agree on is seldom certain among hundreds if there are fewer.
_FEW_TRAININGS = 10
# If a method takes longer than this, it says so before it starts.
_SHORT_SECONDS = 10


class Asker:
    """Answers questions to one trained model, and checks the answers by retraining.

    Attributes:
        trained: the model.
        task: what was trained.
    """

    def __init__(
        self,
        trained: Trained,
        *,
        retraining_length: int | None = None,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """
        Args:
            trained: the model.
            retraining_length: how long a check trains that goes on from the trained model; None: the kind's length.
            settings: arguments for methods, by the method's name, such as {"fia": {"settings": FiaSettings()}}.

        Raises:
            InputError: if a length is below 1, or the checks of this model do not use a length.
        """
        self.trained, self.task = trained, trained.task
        if retraining_length is not None and not trained.goes_on:
            raise InputError("a check of this model trains anew, as long as the model was trained; it takes no length.")
        if retraining_length is not None and retraining_length < 1:
            raise InputError(f"the length of a retraining must be at least 1; got {retraining_length}.")
        own_length = trained.length if trained.given else self.task.check_length(trained.epoch)
        self._length = retraining_length or own_length
        self._settings = settings or {}
        self._members = [trained]
        self._qualities: dict[str, Quality] = {}
        # The explainers of the method that was used last, one for each training.
        self._method, self._explainers = "", list[Explainer[Any]]()

    @property
    def quality(self) -> Quality:
        """How good the model is, beside its baseline, at what is usually asked."""
        return self.quality_at(None)

    def quality_at(self, query: Any) -> Quality:
        """The same of questions such as a query; None: of what is usually asked."""
        asked = "" if query is None else self.task.unusual(query)
        if asked not in self._qualities:
            self._qualities[asked] = Quality.of(self.trained, query)
        return self._qualities[asked]

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods that explain this model; the first is the default."""
        return registry.methods_of(self.task.kind)

    def answer(self, question: str, method: str | None = None, k: int = 10, trainings: int = 1) -> Answer:
        """Predicts and explains.

        Args:
            question: its parts, separated by commas; see Task.parts, and name_in for what is called ?.
            method: a key of `methods`; None: the first.
            k: how many examples to show for the prediction, and how many against it.
            trainings: over how many trainings, of different seeds, influences are averaged; the first is the explained
                model. An influence on whose sign they disagree is marked as not certain.

        Raises:
            InputError: if the question or method does not fit this model, a name is unknown, or k or trainings is
                below 1.
        """
        task, chosen = self.task, registry.method_for(self.task.kind, method, given=bool(self.trained.given))
        checked_k(k)
        if trainings < 1:
            raise InputError(f"trainings must be at least 1; got {trainings}.")
        parts = parse_question(question)
        chosen.check_query(task.read_question(parts)[0])
        query, alternatives = task.ask(self.trained.parameters, parts)
        explainer = self.explainer(chosen.name, trainings)
        explanation = explainer.rank(query)
        names = task.names_of(query)
        told = list(filter(None, [self.quality_at(query).warning]))
        if alternatives and task.answer_may_be_open(query):
            told.append(f"{OPEN} asks which; what is itself called {OPEN} is asked about as \\{OPEN}")
        return Answer(
            asked=task.asked(query) if alternatives else names,
            predicted=names[task.answer_place(query)],
            value=self._look(query)[0],
            unit=task.unit,
            method=chosen.name,
            k=k,
            estimates=chosen.estimates,
            explanation=explanation,
            frame=_frame(task, explanation, k),
            alternatives=tuple(dataclasses.replace(one, probability=shown(one.probability)) for one in alternatives),
            warnings=(*told, *explainer.warnings, *_warnings(explanation)),
            trainings=trainings,
        )

    def explainer(self, method: str, trainings: int = 1) -> Explainer[Any]:
        """The explainer of a method, or of its mean over several trainings.

        Raises:
            InputError: if the model was not trained for the method, or is too large for it.
        """
        if method != self._method:
            self._method, self._explainers = method, []
        found, settings = self._explainers, self._settings.get(method, {})
        if (missing := trainings - len(found)) > 0:
            entry = registry.method_of(self.task.kind, method)
            registry.check_task(entry, self.task)
            seconds = 0 if entry.cost is None else entry.cost(self.task).seconds or 0
            if seconds > _SHORT_SECONDS:
                each = f" for each of {missing} trainings" if missing > 1 else ""
                print(f"Method {entry.name} will take about {seconds:.0f} s of one core{each}.", file=sys.stderr)
        if not found:
            # A method that cannot be used is refused before other models are trained.
            found.append(registry.explainer(self.trained, method, **settings))
        for member in self.members(trainings)[len(found) :]:
            found.append(registry.explainer(member, method, **settings))
        return Ensemble(found[:trainings]) if trainings > 1 else found[0]

    def members(self, trainings: int) -> list[Trained]:
        """The explained model, and others trained like it; see asking.members."""
        if (known := len(self._members)) < trainings:
            self._members += other_members(self.trained, known, trainings)
        return self._members[:trainings]

    def check(self, answer: Answer, seeds: int = 1, jobs: int = 1, *, controls: bool = True) -> list[Check]:
        """Trains again without the first supporting example, and without all k of them.

        Controls: without as many random related examples, which are drawn anew for each seed; and with all examples
        and the next seed instead.

        Trainings from scratch differ by the seed of the initial values; the first has the explained model's seed. If
        the answer is a mean over several trainings, none of them is used, and all seeds are new. If a check goes on
        from the trained model, all trainings do so, also those with all examples, and they differ by their batches.

        Args:
            answer: an answer of this asker.
            seeds: how many trainings are done with all examples, and how many without some.
            jobs: trainings at a time; they change no result.
            controls: whether to do the controls, which take as many trainings again.

        Returns:
            The checks; then the controls.

        Raises:
            InputError: if no example supports the prediction, or seeds or jobs is below 1.
        """
        if seeds < 1:
            raise InputError(f"seeds must be at least 1; got {seeds}.")
        check_jobs(jobs)
        query, ids = answer.explanation.query, answer.supporting_ids
        if not len(ids):
            raise InputError("no example supports the prediction: there is nothing to remove.")
        removals = [ids[:1], ids] if len(ids) > 1 else [ids]
        related = self.task.related(query) if controls else _NOTHING
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
        looks = self._looks(query, asked, answer.trainings, jobs)
        whole = looks[0]
        # If the explained answer is not the best one, a change of the best answer says nothing.
        compares = self.task.has_alternatives and whole[0][1] == self.task.answer_of(query)
        checks = []
        for number, (removed, without) in enumerate(zip(asked[1:], looks[1:], strict=True)):
            is_control, predicted = number >= len(removals), None
            if answer.estimates and not is_control:
                explainer = self.explainer(answer.method, answer.trainings)
                predicted = explainer.change_without(answer.explanation, removed[0])
            checks.append(
                _check(removed[0], predicted, whole[:seeds], without, compares, RANDOM if is_control else EXPLAINED)
            )
        if controls:
            others = [*whole[1:], whole[0]][:seeds]
            checks.append(_check(_NOTHING, None, whole[:seeds], others, compares, NOTHING))
        return checks

    @property
    def how_checked(self) -> str:
        """How `check` measures, for people."""
        if not self.trained.goes_on:
            return "Trained again without them"
        told = f"The model was trained on for {self._length:,} steps, with all examples and without these"
        if self.trained.given:
            steps = sum(block.count for block in self.task.steps.blocks(self._length))
            return f"Went on from the given model for {steps:,} steps, with all examples and without these"
        if any(block.ends is not None for block in self.task.steps.blocks(self._length)):
            return told
        return f"{told} (less than an epoch: some examples are in no batch)"

    def _looks(self, query: Any, removals: Sequence[Sequence[Ids]], trainings: int, jobs: int) -> list[list[Look]]:
        """By removal, then by seed, the predictions without some examples: those of the removal and the seed."""
        found: dict[tuple[int, int], Look] = {}
        asked: dict[tuple[int, int], Retraining] = {}
        known: list[Task[Any] | Trained] = [self.trained]
        for place in range(max(map(len, removals))):
            task, other = self._training(place, trainings)
            known.append(task)
            for number, by_seed in enumerate(removals):
                if place >= len(by_seed):
                    continue
                removed = by_seed[place]
                if task is self.task and not self.trained.goes_on and not len(removed):
                    found[number, place] = self._look(query)  # The explained model is trained already.
                else:
                    asked[number, place] = Retraining.of(self.trained, removed, _MEASURE, [query], **other)
        keys = list(asked)
        total = sum(len(self.task.steps.blocks(one.length)) for one in asked.values())
        with progress("retrainings", total) as bar:
            outcomes = retrain(list(asked.values()), jobs, known=known, on_found=bar.pass_over, on_block=bar.advance)
            for at, outcome in outcomes:
                found[keys[at]] = _look_of(outcome.measured)
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

    def tops_without(self, query: Any, removals: Sequence[Ids], jobs: int = 1) -> list[int | None]:
        """The best answers to a query after trainings like the explained one, each without one of some sets."""
        asked = [Retraining.of(self.trained, removed, _MEASURE, [query], length=self._length) for removed in removals]
        found = dict(retrain(asked, jobs, known=[self.trained]))
        return [_look_of(found[place].measured)[1] for place in range(len(removals))]

    def _look(self, query: Any) -> Look:
        return _look_of(MEASURES[_MEASURE](self.task, self.trained.parameters, [query]))

    def facts(self) -> dict[str, Any]:
        """Facts for people about where the model comes from: data, checksums, settings, what made it."""
        return {
            **self.task.facts(),
            **(self.trained.given.to_dict() if self.trained.given else {"epoch": self.trained.epoch}),
            "SHA-256 of the training": self.trained.fingerprint,
            "made with": made_with(),
        }


def _random_ids(related: Ids, count: int, place: int, query: Any) -> Ids:
    """Some related examples at random, ascending: others for each place of a seed."""
    generator = np.random.default_rng([place, *map(abs, numbers_of(query))])
    return np.sort(generator.choice(related, count, replace=False))


def _check(
    removed: Ids, predicted: float | None, whole: Sequence[Look], without: Sequence[Look], compares: bool, what: str
) -> Check:
    before, after = (tuple(value for value, _ in part) for part in (whole, without))
    changed = tuple(now[1] != then[1] for then, now in zip(whole, without, strict=True))
    return Check(tuple(removed.tolist()), predicted, before, after, changed if compares else None, what)


def _frame(task: Task[Any], explanation: Explanation[Any], k: int) -> pd.DataFrame:
    """See Answer.frame."""
    influences = explanation.influences
    places = np.append(np.flatnonzero(influences > 0)[:k], np.flatnonzero(influences < 0)[::-1][:k])
    chosen = explanation.only(places)
    frame = task.examples(chosen.example_ids, explanation.query)
    frame.insert(0, "influence", chosen.influences)
    certain = explanation.sign_is_certain
    if certain is not None:
        frame.insert(1, "standard error", chosen.standard_errors)
        frame.insert(2, "sign", np.where(certain[places], "certain", "not certain"))
    if chosen.agreeing is not None:
        frame.insert(3, "same sign in", [f"{count} of {chosen.num_trainings}" for count in chosen.agreeing])
    return frame.assign(example_id=chosen.example_ids)


def _warnings(explanation: Explanation[Any]) -> Iterator[str]:
    """Yields each reason to doubt the influences once."""
    count = len(explanation.systems)
    told = collections.Counter(warning for system in explanation.systems for warning in system.warnings)
    yield from (f"{warning} ({of} of {count} systems)" if count > 1 else warning for warning, of in told.items())
    certain = explanation.sign_is_certain
    if certain is not None and explanation.num_supporting and not certain[0]:
        yield _doubt(explanation)


def _doubt(explanation: Explanation[Any]) -> str:
    """That not even the first sign is certain, and what would make it so."""
    trainings, tested = explanation.num_trainings, f"among {len(explanation.influences):,} tested"
    agree = 0 if explanation.agreeing is None else int(explanation.agreeing[0])
    told = f"{agree} of {trainings} trainings agree that the first example supports it"
    more = "; so few trainings can hardly make a sign certain: try 20" if trainings < _FEW_TRAININGS else ""
    return f"{told}, but not even its sign is certain {tested} (false discovery rate 5%){more}"


def _look_of(measured: Any) -> Look:
    """Reads what was measured on one query."""
    ((value, top),) = measured
    return value, top
