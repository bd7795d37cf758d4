"""Whom to ask: a trained model of a graph or of ratings."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.asking.answer import Answer
from gr_tf.asking.check import Check
from gr_tf.asking.page import Drawing
from gr_tf.errors import InputError


class Asker(abc.ABC):
    """Answers questions to one trained model, and checks the answers by retraining.

    Attributes:
        methods: what can be asked for, and what it is; the first is the default.
        parts: of a question.
    """

    methods: Mapping[str, str]
    parts: tuple[str, ...]

    @abc.abstractmethod
    def answer(self, question: str, method: str | None = None, k: int = 10) -> Answer:
        """Predicts and explains.

        Args:
            question: its parts with commas between them.
            method: a key of `methods`; None: the first.
            k: how many examples to show on either side.

        Raises:
            InputError: if the question or method is not one for this model, or a name is unknown.
        """

    @abc.abstractmethod
    def check(self, answer: Answer, seeds: int = 1, jobs: int = 1) -> Sequence[Check]:
        """Really trains without the first supporting example, and without all k of them.

        Args:
            answer: of this asker.
            seeds: how many trainings with all examples and without some; the first is the explained one's.
            jobs: trainings at a time; they change no result.

        Raises:
            InputError: if no example supports the prediction, or seeds or jobs is below 1.
        """

    @property
    @abc.abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What the reader of the data passed over or found odd, a line each."""

    @abc.abstractmethod
    def drawing(self, answer: Answer) -> Drawing:
        """An answer of this asker as a graph."""

    @abc.abstractmethod
    def facts(self) -> dict[str, Any]:
        """Where the model comes from: data, checksums, settings, versions; by name, for people."""

    @classmethod
    def method_of(cls, name: str | None) -> str:
        """The method of a name; None: the first.

        Raises:
            InputError: if there is none of this name for this model.
        """
        if name is None:
            return next(iter(cls.methods))
        if name not in cls.methods:
            raise InputError(f"method must be one of {', '.join(cls.methods)} for this data; got {name!r}.")
        return name


def supporting_sets(answer: Answer) -> list[np.ndarray]:
    """What a check removes: the first supporting example, and all k of them if there are several.

    Raises:
        InputError: if there is none.
    """
    ids = answer.supporting_ids
    if not len(ids):
        raise InputError("no example supports the prediction: there is nothing to remove.")
    return [ids[:1]] if len(ids) == 1 else [ids[:1], ids]


def checked_trainings(seeds: int, jobs: int) -> None:
    """
    Raises:
        InputError: if seeds or jobs is below 1.
    """
    for name, value in (("seeds", seeds), ("jobs", jobs)):
        if value < 1:
            raise InputError(f"{name} must be at least 1; got {value}.")
