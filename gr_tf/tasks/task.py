"""A task: one kind of data, and a model of it, in all that differs between kinds."""

import abc
import dataclasses
import functools
import re
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import pandas as pd

from gr_tf.errors import InputError, short
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.alternative import Alternative
from gr_tf.tasks.drawing import Drawing
from gr_tf.tasks.example_losses import ExampleLosses
from gr_tf.tasks.reference import TaskReference
from gr_tf.tasks.rolled_back import RolledBack
from gr_tf.tasks.subjects import Subjects
from gr_tf.tasks.test_predictions import ExplainedPrediction
from gr_tf.tasks.trainable import Trainable
from gr_tf.types import Ids, Tensor

Q = TypeVar("Q")
# In a question: the part that the model is to answer.
OPEN = "?"
# A part of this form is a name: \? is what is called ?, and \\? is what is called \?.
_ESCAPED = re.compile(r"\\+" + re.escape(OPEN))
_NUM_ALTERNATIVES = 5
# Metrics of which less is better.
ERRORS = ("rmse", "mae", "cross_entropy", "loss")


def name_in(part: str) -> str:
    """The name that a part of a question means, if it is not OPEN."""
    return part[1:] if _ESCAPED.fullmatch(part) else part


class Task(Trainable, Generic[Q]):
    """A dataset with a model: how it is trained, asked, valued and explained.

    The only place that knows the kind of data. Everything above takes any task. For where its data come from and how
    it is trained see Trainable.

    Attributes:
        unit: of a prediction's value.
        parts: of a question, for people.
        has_alternatives: whether a question may leave its answer open, and a removal change the best answer; see
            `leaves_open` too.
        open_title: what `ask` tells of an open question, for people.
        has_subjects: whether examples are somebody's own, see `subjects`.
        answer_field: of a query: its answer, where there are alternatives and it is always the same field.
        exact_dtype: the precision that small influences are computed in; None: the training's.
        query_class: of what is asked.
        columns: of a table of questions; a question about a held-out example has these parts, see `asked_by`.
        measured: the splits that `quality` is of.
        deciding: the metric that tells a good model from its baseline.
        baseline_name: what `baseline` predicts, for people; empty: there is no baseline.
        served_as: the kind whose methods serve this one; empty: its own.
        words: what people call here what they call otherwise in data of the kind `served_as`.
        unmet: what methods may need of a training, and none of this kind gives; see attribution.methods.Method.
        only_if_named: whether data are never taken for this kind unless the user names it.
    """

    unit: ClassVar[str]
    parts: ClassVar[tuple[str, ...]]
    has_alternatives: ClassVar[bool] = False
    open_title: ClassVar[str] = "the most probable that are not known already, of all candidates, known ones included"
    has_subjects: ClassVar[bool] = False
    answer_field: ClassVar[str]
    query_class: ClassVar[type]
    columns: ClassVar[tuple[str, ...]] = ()
    exact_dtype: ClassVar[str | None] = None
    measured: ClassVar[tuple[str, ...]] = ("valid", "test")
    deciding: ClassVar[str] = "mrr"
    baseline_name: str = ""
    served_as: ClassVar[str] = ""
    words: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    unmet: ClassVar[tuple[str, ...]] = ()
    only_if_named: ClassVar[bool] = False

    @functools.cached_property
    def reference(self) -> TaskReference:
        """What the task can be made from again."""
        initial = "" if self.initial is None else self.initial.checksum
        data = self.dataset
        return TaskReference(self.kind, self.config, data.name, data.source, data.split, data.checksum, initial)

    # How good it is.

    def quality(self, parameters: Parameters) -> dict[str, Any]:
        """Metrics by split; None of one that is empty."""
        parts = ((name, getattr(self.dataset, name)) for name in self.measured)
        return {name: self.accuracy(parameters, part) if len(part) else None for name, part in parts}

    def baselines(self) -> dict[str, Any]:
        """The metrics of a trivial prediction beside `quality`, by split; None of one that is empty."""
        parts = ((name, getattr(self.dataset, name)) for name in self.measured if self.baseline_name)
        return {name: self.baseline(part) if len(part) else None for name, part in parts}

    def baseline(self, examples: Any) -> dict[str, float]:
        """The metrics, on at least one example, of a prediction that needs no model; see `baseline_name`."""
        raise NotImplementedError

    def unusual(self, query: Q) -> str:
        """What a query asks for, in the plural, if `quality` is not of such questions; else empty."""
        return ""

    def unusual_quality(self, parameters: Parameters, query: Q) -> tuple[dict[str, Any], dict[str, Any], str]:
        """`quality`, `baselines` and `baseline_name` of questions such as a query that is unusual."""
        raise NotImplementedError

    # What it predicts.

    @abc.abstractmethod
    def value(self, parameters: Parameters, queries: Sequence[Q]) -> np.ndarray:
        """The predictions [n] that are explained, in `unit`; the higher, the surer of the query's answer."""

    def value_gradients(self, parameters: Parameters, queries: Sequence[Q]) -> list[Tensor]:
        """The derivatives of the values of n queries by each array of the parameters, [n, *shape] each."""
        raise NotImplementedError

    def exact_value(self, parameters: Parameters, queries: Sequence[Q]) -> np.ndarray:
        """The same in the precision of small influences."""
        task = self if self.exact_dtype is None else self.with_config(dtype=self.exact_dtype)
        return task.value(parameters, queries)

    def large_change(self, predictions: np.ndarray) -> np.ndarray:
        """How far each of some predictions can move, roughly: a probability, as far as it is large."""
        return predictions

    def best(self, parameters: Parameters, query: Q, count: int) -> list[tuple[int, float]]:
        """The best answers to the query with its answer left open: ids with their values, the best first.

        They are `count`, or as many as there are; the smaller id is first of equals. Answers that are known already
        are out. Kinds without alternatives have none.
        """
        return []

    def top(self, parameters: Parameters, query: Q) -> int | None:
        """The best answer to the query with its answer left open, an id; None: there is none."""
        return next((answer for answer, _ in self.best(parameters, query, 1)), None)

    @property
    def how_trained(self) -> str:
        """What people should know of the training before they read its result; empty: nothing."""
        return ""

    def with_answer(self, query: Any, answer: int) -> Q:
        """The same question with another answer."""
        return dataclasses.replace(query, **{self.answer_field: answer})

    def ranks(self, parameters: Parameters, queries: Sequence[Q]) -> np.ndarray:
        """The ranks [n] of the queries' answers among those that are not known; 1 is the best."""
        raise NotImplementedError

    @abc.abstractmethod
    def test_predictions(self, parameters: Parameters) -> list[ExplainedPrediction]:
        """The distinct predictions of the test examples."""

    def consensus(self, parameters: Sequence[Parameters]) -> list[Q]:
        """The distinct questions of the test examples, with the answers that several trainings give together."""
        return list(dict.fromkeys(told.query for told in self.test_predictions(parameters[0])))

    def answer_of(self, query: Q) -> int | None:
        """The query's answer, an id as of `top`; None if it has no alternatives."""
        return getattr(query, self.answer_field) if self.has_alternatives else None

    def have_answer(self, query: Q, example_ids: Ids) -> np.ndarray:
        """Whether each of some training examples [n] has the query's answer."""
        answers = [self.answer_of(self.query_of(int(example_id))) for example_id in example_ids]
        return np.array(answers) == self.answer_of(query)

    def answer_place(self, query: Q) -> int:
        """Which of `names_of` is the answer; default: the last."""
        return len(self.names_of(query)) - 1

    def asked(self, query: Q) -> tuple[str, ...]:
        """What people call the parts of a query, with OPEN in the answer's place."""
        names, place = self.names_of(query), self.answer_place(query)
        return *names[:place], OPEN, *names[place + 1 :]

    def answer_name(self, query: Q, answer: int) -> str:
        """What people call an answer to a query."""
        return str(answer)

    def answer_key(self, query: Q, answer: int) -> str:
        """What the data's files call an answer to a query; unique."""
        return str(answer)

    def all_known(self, query: Q) -> str:
        """Why nothing may be left to answer, for people."""
        return "every answer is known"

    def ask(self, parameters: Parameters, parts: Sequence[str]) -> tuple[Q, tuple[Alternative, ...]]:
        """The query of a question's parts.

        If a part is OPEN, that of the best answer, and the best few answers.

        Raises:
            InputError: if a part is unknown, or nothing is left to answer.
        """
        query, is_open = self.read_question(parts)
        if not is_open:
            return query, ()
        best = self.best(parameters, query, _NUM_ALTERNATIVES)
        if not best:
            raise InputError(f"({', '.join(parts)}) has nothing left to answer: {self.all_known(query)}.")
        return self.with_answer(query, best[0][0]), self.alternatives(query, best)

    def alternatives(self, query: Q, best: Sequence[tuple[int, float]]) -> tuple[Alternative, ...]:
        """Some of the `best` answers to a query, for people."""
        return tuple(Alternative(self.answer_name(query, answer), value, self.unit) for answer, value in best)

    @abc.abstractmethod
    def read_question(self, parts: Sequence[str]) -> tuple[Q, bool]:
        """The query of a question's parts, see `name_in`, and whether its answer is open, so that the query has any.

        Raises:
            InputError: if a part is unknown.
        """

    def same_question(self, query: Q, other: Q) -> Q:
        """Another query as one that asks for what a query asks for, if the two differ in nothing but the answer."""
        return other

    def asked_by(self, split: str) -> Iterator[tuple[Q, tuple[Collection[str], ...]]]:
        """Yields the query of each example of a split, and for each of `columns` what its part may be called."""
        raise InputError(f"the {split} examples of {self.kind} are not asked about.")

    def answer_may_be_open(self, query: Q) -> bool:
        """Whether one of the possible answers is itself called OPEN."""
        return False

    def notes_on(self, parts: Sequence[str]) -> list[str]:
        """How a question's parts were understood where they have several meanings, for people."""
        return []

    @classmethod
    def leaves_open(cls, parts: Sequence[str]) -> bool:
        """Whether what a question's parts ask for has alternatives: a removal of examples may change the best answer.

        Default: every question of a kind that has any.
        """
        return cls.has_alternatives

    @classmethod
    def check_parts(cls, parts: Sequence[str]) -> None:
        """Refuses what cannot be a question, before any data are read.

        Raises:
            InputError: naming what a question is made of.
        """
        if len(parts) != len(cls.parts) or not all(parts):
            told = ",".join(cls.parts)
            got = ",".join(parts)
            raise InputError(f"a question is {told}, with quotes around a part that has a comma; got {short(got)}.")

    # What it is explained by.

    def related(self, query: Q) -> Ids:
        """The training examples that share something with a query, ascending."""
        return self.dataset.related(query)

    def subjects(self, query: Q) -> Subjects:
        """Who a query is about, and who else could be."""
        raise NotImplementedError

    def own_examples(self, query: Q) -> Ids | None:
        """The training examples of the user who asks, ascending; None of kinds whose queries have no user."""
        return None

    def query_of(self, example_id: int) -> Q:
        """The query that a training example answers."""
        return self.dataset.query_of(example_id)

    @abc.abstractmethod
    def losses(self, dtype: str | None = None) -> ExampleLosses:
        """The losses of the examples as functions of the parameters, in the configuration's or another precision."""

    def own_losses(self, values: np.ndarray) -> np.ndarray:
        """The losses [num_examples] of the training examples, from the values of the predictions that they answer."""
        return -np.log(values)

    def rolled_back(self, parameters: Parameters, deltas: np.ndarray) -> RolledBack:
        """What is predicted without what examples did.

        Args:
            parameters: the trained ones.
            deltas: [num_examples, rows, width], of a RollbackStore that saw the same training.

        Raises:
            InputError: if the deltas are of another shape, or the steps of the kind tell no changes.
        """
        raise InputError(f"Gradient Rollback needs trainings that tell what each example changed; not of {self.kind}.")

    def check_deltas(self, parameters: Parameters, deltas: np.ndarray) -> None:
        """
        Raises:
            InputError: if a table or a rollback store is of another shape than the task's.
        """
        width = self.model.width
        for what, array, shape in (
            ("table", parameters.table, (self.model.num_rows, width)),
            ("rollback store", deltas, (self.num_examples, self.steps.rows_per_example, width)),
        ):
            if array.shape != shape:
                raise InputError(f"the {what} must have shape {shape} for this dataset; got {array.shape}.")

    # How people see it.

    @abc.abstractmethod
    def names_of(self, query: Q) -> tuple[str, ...]:
        """What people call the parts of a query, in the order of a question; see `answer_place`."""

    @abc.abstractmethod
    def row_of(self, query: Q) -> dict[str, str]:
        """The parts of a query as the data's files call them, by the name of the part."""

    @abc.abstractmethod
    def examples(self, example_ids: Ids, query: Q) -> pd.DataFrame:
        """Training examples for people: what each is, and its connection with the query."""

    def timeline(self, query: Q, example_ids: Ids) -> Sequence[tuple[str, int]]:
        """What came before the answer, the oldest first: what people call it, and how many of the examples share it."""
        return ()

    @abc.abstractmethod
    def drawing(self, query: Q, value: float, example_ids: Ids, influences: np.ndarray) -> Drawing:
        """A query and examples as a graph."""

    def vocabularies(self) -> dict[str, str]:
        """The names of the table's rows by kind of row, a name a line, to be written beside the parameters."""
        return {}

    def embeddings(self, parameters: Parameters) -> Mapping[str, tuple[np.ndarray, Sequence[str], Sequence[str]]]:
        """The table by kinds of rows: vectors [n, width], names, and what people call them."""
        raise InputError(f"a model of {self.kind} has no embeddings to export.")
