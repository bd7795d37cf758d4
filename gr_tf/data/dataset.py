"""What every kind of training data has in common."""

import abc
import dataclasses
import functools
import hashlib
import itertools
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd

from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError, short
from gr_tf.types import Ids

D = TypeVar("D", bound="Dataset")


class Dataset(abc.ABC):
    """The examples of one dataset; a training example's place is its example_id.

    Attributes:
        query_class: what is asked about examples of this kind: a frozen dataclass of ids.
        name: what to call the dataset in tables.
        train: the training examples, a row each.
        source: the folder or file it was read from; None if it ships with the package or was downloaded; IN_MEMORY (see
            data.frames) if it was made from DataFrames that are in no file.
        split: what was held out, and how; None if the dataset came split.
        notes: what the reader passed over or found odd, a line each.
    """

    query_class: ClassVar[type]
    name: str
    train: Any
    source: str | None
    split: Any
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        sizes = ((part, getattr(self, part, None)) for part in ("train", "valid", "test"))
        told = ", ".join(f"{len(examples):,} {part}" for part, examples in sizes if examples is not None)
        return f"{type(self).__name__}({short(self.name)}: {told})"

    @property
    def num_examples(self) -> int:
        """Number of training examples."""
        return len(self.train)

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of all names and examples."""
        first, second, parts = self._contents()
        digest = hashlib.sha256("\n".join((*first.names, "", *second.names)).encode())
        for part in parts:
            digest.update(part)
        return digest.hexdigest()

    @abc.abstractmethod
    def _contents(self) -> tuple[Vocabulary, Vocabulary, Iterable[bytes]]:
        """Both vocabularies, and the examples of every split as bytes."""

    @property
    @abc.abstractmethod
    def train_frame(self) -> pd.DataFrame:
        """The training examples by name; the index is the example_id."""

    def names_frame(self) -> pd.DataFrame:
        """All names: what each names, name, label (the name if it has none), and how many training examples have it.

        Raises:
            InputError: if the kind of data has no names.
        """
        raise InputError(f"{self.name}: data of this kind have no names.")

    @abc.abstractmethod
    def query_of(self, example_id: int) -> Any:
        """The query that a training example answers."""

    @abc.abstractmethod
    def related(self, query: Any) -> Ids:
        """The training examples that share something with a query, ascending."""

    def shared_elements(self, query: Any) -> np.ndarray:
        """How much every training example [num_examples] has in common with a query; 0 for those not related."""
        shared = np.zeros(self.num_examples, int)
        shared[self.related(query)] = 1
        return shared

    def likeness(self, query: Any) -> np.ndarray:
        """Float32 [num_examples, n]: features of each training example and a query by the data alone.

        Raises:
            InputError: if none are known of this kind of data.
        """
        raise InputError(f"{self.name}: nothing is known of how alike examples of this kind are.")

    def with_wrong(self: D, example_ids: Ids, generator: np.random.Generator) -> D:
        """The same with other, random answers of some training examples, which make them wrong.

        Raises:
            InputError: if there is no other answer, or the kind of data knows no mistakes.
        """
        raise InputError(f"{self.name}: mistakes cannot be made on purpose in data of this kind.")

    def shuffled(self: D, seed: int) -> D:
        """The same with all training examples' answers in random order: what was to be learnt is gone, ids stay.

        Raises:
            InputError: if the kind of data has no answers to shuffle.
        """
        raise InputError(f"{self.name}: data of this kind have no answers to shuffle.")

    def kept(self, removed: Ids) -> np.ndarray:
        """Bool [num_examples], False for some example ids.

        Raises:
            InputError: if an example id is out of range.
        """
        removed = np.asarray(removed, np.int64)
        outside = removed[(removed < 0) | (removed >= self.num_examples)]
        if len(outside):
            raise InputError(f"example ids are 0 to {self.num_examples - 1}; got {outside[0]}.")
        return ~np.isin(np.arange(self.num_examples), removed)


def names_frame(names: Vocabulary, labels: Mapping[str, str], ids: np.ndarray) -> pd.DataFrame:
    """A part of Dataset.names_frame.

    Args:
        names: of one kind.
        labels: by name.
        ids: those that training examples have, as often as they have them.
    """
    return pd.DataFrame(
        {
            "what": names.kind,
            "name": names.names,
            "label": [labels.get(name, name) for name in names.names],
            "training examples": np.bincount(ids, minlength=len(names)),
        }
    )


def fields_of(query: Any) -> dict[str, Any]:
    """The fields of a query by name, as JSON has them; without a field that has its default value."""
    told = dataclasses.asdict(query)
    for field in dataclasses.fields(query):
        if field.default is not dataclasses.MISSING and told[field.name] == field.default:
            del told[field.name]
    return told


def numbers_of(query: Any) -> list[int]:
    """The ids of a query in the order of its fields, such as a seed is made of; see `fields_of`."""
    values = fields_of(query).values()
    return [number for value in values for number in (value if isinstance(value, tuple) else (value,))]


def query_of_numbers(query_class: type, numbers: Sequence[int]) -> Any:
    """A query from its ids, see `numbers_of`; a field of several ids takes what the others leave."""
    fields = typing.get_type_hints(query_class)
    if not any(typing.get_origin(hint) is tuple for hint in fields.values()):
        return query_class(*map(int, numbers))
    several = len(numbers) - len(fields) + 1
    left = iter(map(int, numbers))
    is_several = (typing.get_origin(hint) is tuple for hint in fields.values())
    return query_class(*(tuple(itertools.islice(left, several)) if yes else next(left) for yes in is_several))


def grouped(keys: np.ndarray, count: int) -> list[np.ndarray]:
    """The places of each key 0 to count - 1, ascending."""
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.cumsum(np.bincount(keys, minlength=count))[:-1])
