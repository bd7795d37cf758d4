"""Answers questions about a trained model of any kind of data."""

import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gr_tf.asking.about import About, RatherThan, Several
from gr_tf.asking.answer import Answer, shown
from gr_tf.asking.checker import Checker, Claim
from gr_tf.asking.checks import Checks
from gr_tf.asking.groups import group_of
from gr_tf.asking.looks import value_at
from gr_tf.asking.many_answers import answers_to
from gr_tf.asking.members import other_members
from gr_tf.asking.quality import Quality
from gr_tf.asking.question import Question, parts_of
from gr_tf.asking.rather_than import other_query, refuse_same
from gr_tf.asking.temporary_run import TemporaryRun
from gr_tf.asking.told import doubts, examples_frame
from gr_tf.attribution import methods as registry
from gr_tf.attribution.base import Explainer, checked_k
from gr_tf.attribution.combined import Combination, combining, queries_of
from gr_tf.attribution.ensemble import Ensemble
from gr_tf.attribution.methods import Method
from gr_tf.errors import InputError, whole_number
from gr_tf.evaluation.retraining import check_jobs
from gr_tf.runs.made_with import made_with
from gr_tf.tasks.task import OPEN
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

if TYPE_CHECKING:
    import pandas as pd

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
        asked = "" if query is None else self.task.unusual(query := queries_of(query)[0])
        if asked not in self._qualities:
            self._qualities[asked] = Quality.of(self.trained, query)
        return self._qualities[asked]

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods that explain this model; the first is the default."""
        return registry.methods_of(self.task.kind)

    def answer(
        self,
        question: Question,
        method: str | None = None,
        k: int = 10,
        trainings: int = 1,
        *,
        rather_than: str | int | None = None,
    ) -> Answer:
        """Predicts and explains.

        Args:
            question: its parts, separated by commas, or as a tuple or list, where nothing needs quotes; see Task.parts,
                and name_in for what is called ?.
            method: a key of `methods`; None: the first.
            k: how many examples to show for the prediction, and how many against it.
            trainings: over how many trainings, of different seeds, influences are averaged; the first is the explained
                model. An influence on whose sign they disagree is marked as not certain.
            rather_than: another answer to the question, as it would stand in the question: why not this one? What is
                explained is the prediction less that of the other answer.

        Raises:
            InputError: if the question or method does not fit this model, a name is unknown, or k or trainings is
                below 1.
        """
        task, chosen = self.task, self._checked(method, k, trainings)
        parts = parts_of(question)
        chosen.check_query(task.read_question(parts)[0])
        if rather_than is not None:
            chosen.check_query(other_query(task, parts, rather_than))
        query, alternatives = task.ask(self.trained.parameters, parts)
        names = task.names_of(query)
        about, explained = About(names[task.answer_place(query)], task.unit), query
        if rather_than is not None:
            about, explained = self._rather_than(query, parts, rather_than)
        told = list(task.notes_on(parts))
        if alternatives and task.answer_may_be_open(query):
            told.append(f"{OPEN} asks which; what is itself called {OPEN} is asked about as \\{OPEN}")
        answer = self._answer(
            explained, task.asked(query) if alternatives else names, about, chosen, k, trainings, told
        )
        chances = tuple(dataclasses.replace(one, value=shown(one.value)) for one in alternatives)
        return dataclasses.replace(answer, alternatives=chances)

    def answers(
        self, questions: Iterable[Question], method: str | None = None, k: int = 10, trainings: int = 1
    ) -> list[Answer]:
        """Answers many questions, each to the bit as `answer` does alone, which see; looks for mistakes in all first.

        Raises:
            InputError: see answer; the message begins with the question's number.
        """
        chosen = self._checked(method, k, trainings)
        return answers_to(
            questions,
            lambda question: chosen.check_query(self.task.read_question(parts_of(question))[0]),
            lambda question: self.answer(question, method, k, trainings),
        )

    def group_answer(
        self,
        group: "str | Sequence[Question] | pd.DataFrame",
        method: str | None = None,
        k: int = 10,
        trainings: int = 1,
    ) -> Answer:
        """Explains the mean prediction of a group of questions: which training examples help them, or hurt them?

        Args:
            group: "test" or "valid", such as "relation:exports3" or "user:alice", "best:alice,?", or the file of a
                table of questions, see groups.help_of; or questions, in a list or a DataFrame.
            method, k, trainings: see answer.

        Raises:
            InputError: see answer; also if the group is empty.
        """
        task, chosen = self.task, self._checked(method, k, trainings)
        found = group_of(task, group, self.trained.parameters)
        for query in found.queries:
            chosen.check_query(query)
        told = [f"repeated questions, which count once: {found.repeated:,}"] if found.repeated else []
        about = Several(found.name, task.unit, len(found.queries))
        return self._answer(Combination.mean(found.queries), (found.name,), about, chosen, k, trainings, told)

    def _checked(self, method: str | None, k: int, trainings: int) -> Method:
        chosen = registry.method_for(self.task.kind, method, given=bool(self.trained.given))
        checked_k(k)
        whole_number("trainings", trainings)
        registry.refuse_averaging(chosen, trainings)
        return chosen

    def _rather_than(self, query: Any, parts: Sequence[str], answer: str | int) -> tuple[RatherThan, Combination]:
        """What one answer rather than another is called, and the difference of their predictions.

        Raises:
            InputError: if they are the same.
        """
        task = self.task
        other = task.same_question(query, other_query(task, parts, answer))
        refuse_same(task, query, other, answer)
        mine, others = (task.names_of(one)[task.answer_place(one)] for one in (query, other))
        explained = Combination.difference(query, other)
        return RatherThan(mine, task.unit, others, self.checker.look(explained).pair), explained

    def _answer(
        self,
        query: Any,
        asked: tuple[str, ...],
        about: About,
        method: Method,
        k: int,
        trainings: int,
        told: Sequence[str],
    ) -> Answer:
        """The answer that explains a query, or a combination of several."""
        explainer = self._explainer_of(query, method.name, trainings)
        explanation = explainer.rank_lazily(query, k)
        quality = filter(None, [self.quality_at(query).warning])
        return Answer(
            asked=asked,
            predicted=about.predicted,
            value=value_at(self.task, self.trained.parameters, query),
            unit=about.unit,
            method=method.name,
            k=k,
            estimates=method.estimates,
            explanation=explanation,
            frame=examples_frame(self.task, explanation, k),
            warnings=(*quality, *told, *explainer.warnings, *doubts(explanation)),
            trainings=trainings,
            about=about,
            asker=self,
        )

    def _explainer_of(self, query: Any, method: str, trainings: int) -> Explainer[Any]:
        explainer = self.explainer(method, trainings)
        return combining(explainer) if isinstance(query, Combination) else explainer

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
            cost = entry.cost_again(self.trained) or (entry.cost and entry.cost(self.task))
            if cost is not None and (cost.seconds or 0) > _SHORT_SECONDS:
                each = f" for each of {missing} trainings" if missing > 1 else ""
                print(f"Method {entry.name} will take {cost.time} of one core{each}.", file=sys.stderr)
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
        (checks,) = self.check_all([answer], seeds, jobs, controls=controls)
        if not checks:
            raise InputError("no example supports the prediction: there is nothing to remove.")
        return checks

    def check_all(
        self, answers: Sequence[Answer], seeds: int = 1, jobs: int = 1, *, controls: bool = True
    ) -> list[Checks]:
        """Checks several answers, and trains once what several need, such as the trainings with all examples.

        Args:
            answers: of this asker.
            seeds, jobs, controls: see check.

        Returns:
            For each answer what check gives, to the bit; nothing for one that no example supports.

        Raises:
            InputError: if seeds or jobs is below 1.
        """
        whole_number("seeds", seeds, flag="verify_seeds")
        check_jobs(jobs)
        claims = [self._claim(answer) for answer in answers if len(answer.supporting_ids)]
        found = iter(self.checker.check(claims, seeds=seeds, jobs=jobs, controls=controls) if claims else ())
        every = []
        for answer in answers:
            own, about = next(found) if len(answer.supporting_ids) else [], answer.about
            told = [dataclasses.replace(check, explained=about.explained, column=about.column) for check in own]
            every.append(Checks(told, self.checker.how, about.quantity))
        return every

    def _claim(self, answer: Answer) -> Claim:
        """What a check of an answer is of."""
        query = answer.explanation.query

        def predicted(removed: Ids) -> float | None:
            if not answer.estimates:
                return None
            return self._explainer_of(query, answer.method, answer.trainings).change_without(
                answer.explanation, removed
            )

        return Claim(query, answer.supporting_ids, predicted, answer.trainings)

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
            **self.checker.facts(),
        }
