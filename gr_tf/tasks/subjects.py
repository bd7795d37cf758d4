"""Who a question is about, and what it would be to give examples of theirs to somebody else."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.data.dataset import Dataset
from gr_tf.data.ratings import RatingQuery, Ratings, RatingSet
from gr_tf.data.triples import HEAD, TAIL, Query, TripleSet
from gr_tf.types import Ids


class Subjects(abc.ABC):
    """The subject of a query, such as its head or user, and the others that could be in its place.

    Attributes:
        what: a subject is called, for people: "head".
        own: [n] the training examples of the subject that do not answer the query themselves, ascending.
        others: [n] ids of those who occur in the subject's place, and of whom no split knows the query's answer.
    """

    what: str
    own: Ids
    others: Ids

    @abc.abstractmethod
    def query_of(self, other: int) -> Any:
        """The query with another subject, and the same answer."""

    @abc.abstractmethod
    def name_of(self, other: int) -> str:
        """What people call another."""

    @abc.abstractmethod
    def given_to(self, other: int, example_ids: Ids) -> list[tuple[Any, ...]]:
        """Examples of the subject's as another's, without those that another has already."""

    @abc.abstractmethod
    def with_added(self, examples: Sequence[tuple[Any, ...]]) -> Dataset:
        """The dataset with more training examples, after those that are there."""


class TripleSubjects(Subjects):
    """Of triples: the head; if the head is asked for, the tail."""

    def __init__(self, triples: TripleSet, query: Query) -> None:
        self._triples, self._query = triples, query
        self._place = TAIL if query.place == HEAD else HEAD
        self._field = self.what = "tail" if self._place == TAIL else "head"
        self._subject = query.triple[self._place]
        train = triples.train
        features = (train[:, [HEAD, TAIL]] == self._subject).any(axis=1)
        self.own = np.flatnonzero(features & (train != query.triple).any(axis=1))
        self._known = {tuple(triple) for part in (train, triples.valid, triples.test) for triple in part.tolist()}
        of_relation = train[train[:, 1] == query.relation]
        possible = np.unique(of_relation[:, self._place]).tolist()
        self.others = np.array(
            [one for one in possible if self._may_be(one)],
            np.int64,
        )

    def _may_be(self, other: int) -> bool:
        return other not in (self._subject, self._query.answer) and self.query_of(other).triple not in self._known

    def query_of(self, other: int) -> Query:
        """See Subjects."""
        return dataclasses.replace(self._query, **{self._field: other})

    def name_of(self, other: int) -> str:
        """See Subjects."""
        return self._triples.label(self._triples.entities.names[other])

    def given_to(self, other: int, example_ids: Ids) -> list[tuple[Any, ...]]:
        """See Subjects; triples."""
        given = self._triples.train[example_ids].copy()
        entities = given[:, [HEAD, TAIL]]
        given[:, [HEAD, TAIL]] = np.where(entities == self._subject, other, entities)
        found = dict.fromkeys(tuple(triple) for triple in given.tolist())
        return [triple for triple in found if triple not in self._known and triple != self.query_of(other).triple]

    def with_added(self, examples: Sequence[tuple[Any, ...]]) -> TripleSet:
        """See Subjects."""
        train = np.concatenate([self._triples.train, np.array(examples, np.int32).reshape(-1, 3)])
        return dataclasses.replace(self._triples, train=train)


class ChoiceSubjects(TripleSubjects):
    """Of choices: the user, who is the head."""

    def __init__(self, choices: TripleSet, query: Query) -> None:
        super().__init__(choices, query)
        self.what = "user"


class RatingSubjects(Subjects):
    """Of ratings: the user."""

    what = "user"

    def __init__(self, ratings: RatingSet, query: RatingQuery) -> None:
        self._ratings, self._query = ratings, query
        own = ratings.of_user(query.user)
        self.own = own[ratings.train.pairs[own, 1] != query.item]
        parts = (ratings.train, ratings.valid, ratings.test)
        self._known = {tuple(pair) for part in parts for pair in part.pairs.tolist()}
        users = range(len(ratings.users))
        self.others = np.array(
            [one for one in users if one != query.user and (one, query.item) not in self._known], np.int64
        )

    def query_of(self, other: int) -> RatingQuery:
        """See Subjects."""
        return dataclasses.replace(self._query, user=other)

    def name_of(self, other: int) -> str:
        """See Subjects."""
        return self._ratings.users.names[other]

    def given_to(self, other: int, example_ids: Ids) -> list[tuple[Any, ...]]:
        """See Subjects; (user, item, value)."""
        train = self._ratings.train
        rated = zip(train.pairs[example_ids, 1].tolist(), train.values[example_ids].tolist(), strict=True)
        return [(other, item, value) for item, value in rated if (other, item) not in self._known]

    def with_added(self, examples: Sequence[tuple[Any, ...]]) -> RatingSet:
        """See Subjects."""
        train = self._ratings.train
        pairs = np.array([(user, item) for user, item, _ in examples], np.int32).reshape(-1, 2)
        values = np.array([value for *_, value in examples], np.float64)
        added = Ratings(np.concatenate([train.pairs, pairs]), np.concatenate([train.values, values]))
        return dataclasses.replace(self._ratings, train=added)
