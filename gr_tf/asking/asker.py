"""Answers questions about a trained model of any kind of data."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gr_tf.asking.answer import Answer, shown
from gr_tf.asking.checker import Checker
from gr_tf.asking.checks import Checks
from gr_tf.asking.members import other_members
from gr_tf.asking.quality import Quality
from gr_tf.asking.question import Question, parts_of
from gr_tf.asking.temporary_run import TemporaryRun
from gr_tf.asking.told import doubts, examples_frame
from gr_tf.attribution import methods as registry
from gr_tf.attribution.base import Explainer, checked_k
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.methods import Method
from gr_tf.errors import InputError
from gr_tf.evaluation.retraining import check_jobs
from gr_tf.runs.made_with import made_with
from gr_tf.tasks.task import OPEN
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

if TYPE_CHECKING:
    from gr_tf.asking.minimal import MinimalSets

# If a method takes longer than this, it says so before it starts.
_SHORT_SECONDS = 10


class Asker:
    """Answers questions to one trained model, and checks the answers by retraining.

    Attributes:
        trained: the model.
        task: what was trained.
        checker: it trains the model again without examples.
        temporary: the run's folder, if nobody named one; it is deleted with the asker.
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
        self.checker = Checker(trained, retraining_length)
        self._settings = settings or {}
        self.temporary: TemporaryRun | None = None
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

    def answer(self, question: Question, method: str | None = None, k: int = 10, trainings: int = 1) -> Answer:
        """Predicts and explains.

        Args:
            question: its parts, separated by commas, or as a tuple or list, where nothing needs quotes; see Task.parts,
                and name_in for what is called ?.
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
        parts = parts_of(question)
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
            value=self.checker.look(query)[0],
            unit=task.unit,
            method=chosen.name,
            k=k,
            estimates=chosen.estimates,
            explanation=explanation,
            frame=examples_frame(task, explanation, k),
            alternatives=tuple(dataclasses.replace(one, probability=shown(one.probability)) for one in alternatives),
            warnings=(*told, *explainer.warnings, *doubts(explanation)),
            trainings=trainings,
            asker=self,
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

    def check(self, answer: Answer, seeds: int = 1, jobs: int = 1, *, controls: bool = True) -> Checks:
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
        if not len(answer.supporting_ids):
            raise InputError("no example supports the prediction: there is nothing to remove.")

        def predicted(removed: Ids) -> float | None:
            if not answer.estimates:
                return None
            return self.explainer(answer.method, answer.trainings).change_without(answer.explanation, removed)

        checks = self.checker.check(
            answer.explanation.query,
            answer.supporting_ids,
            predicted,
            seeds=seeds,
            jobs=jobs,
            trainings=answer.trainings,
            controls=controls,
        )
        return Checks(checks, self.checker.how, self.task.unit)

    def minimal(self, answer: Answer, *, most: int = 100, jobs: int = 1, seeds: int = 3) -> "MinimalSets":
        """The fewest examples without which something else is predicted, and the fewest that alone suffice.

        See asking.minimal.minimal_sets.
        """
        from gr_tf.asking.minimal import minimal_sets  # It asks an asker.

        return minimal_sets(self, answer, most=most, jobs=jobs, seeds=seeds)

    def __repr__(self) -> str:
        where = f"; {self.temporary}" if self.temporary else f"; {self.trained.path}" if self.trained.path else ""
        return f"Asker({self.trained!r}{where})"

    def facts(self) -> dict[str, Any]:
        """Facts for people about where the model comes from: data, checksums, settings, what made it."""
        return {
            **self.task.facts(),
            **(self.trained.given.to_dict() if self.trained.given else {"epoch": self.trained.epoch}),
            "SHA-256 of the training": self.trained.fingerprint,
            "made with": made_with(),
        }
