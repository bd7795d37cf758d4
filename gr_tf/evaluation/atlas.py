"""The atlas: what every training example really does to every query's prediction, on average over seeds."""

import dataclasses
import pathlib
import zipfile
from collections.abc import Sequence

import numpy as np

from gr_tf import files
from gr_tf.data.adjacency import shared_elements
from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.base import FactorModel
from gr_tf.models.prediction import mean_probabilities


@dataclasses.dataclass(frozen=True, eq=False)
class Atlas:
    """The expected effects of leaving one example out, and how certain they are.

    Positive: with the example the prediction is more probable.

    Attributes:
        queries: [num_queries, 3] ids of head, relation and tail.
        halves: [2, num_queries, num_examples], means of the effects over every other seed: the first, third,
            ... and the second, fourth, ...
        standard_errors: [num_queries, num_examples], of the mean over all seeds.
        seeds: of the trainings.
    """

    queries: np.ndarray
    halves: np.ndarray
    standard_errors: np.ndarray
    seeds: np.ndarray

    @classmethod
    def of(cls, queries: Sequence[Query], effects: np.ndarray, seeds: Sequence[int]) -> "Atlas":
        """From the effects [num_seeds, num_queries, num_examples] of each seed's leave-one-out.

        Raises:
            InputError: with fewer than two seeds.
        """
        if len(effects) < 2:
            raise InputError(f"an atlas needs at least two seeds; got {len(effects)}.")
        halves = np.stack([effects[0::2].mean(axis=0), effects[1::2].mean(axis=0)])
        errors = effects.std(axis=0, ddof=1) / np.sqrt(len(effects))
        ids = np.array([[query.head, query.relation, query.tail] for query in queries], np.int32)
        return cls(ids, halves.astype(np.float32), errors.astype(np.float32), np.array(seeds, np.int64))

    @property
    def expected(self) -> np.ndarray:
        """[num_queries, num_examples]: the mean effect over all seeds."""
        first = (len(self.seeds) + 1) // 2
        weights = [first, len(self.seeds) - first]
        return np.average(self.halves.astype(np.float64), axis=0, weights=weights)

    def asked(self) -> list[Query]:
        """The queries."""
        return [Query(*map(int, row)) for row in self.queries]

    def shared(self, triples: TripleSet) -> np.ndarray:
        """[num_queries, num_examples]: see data.adjacency.shared_elements."""
        return np.stack([shared_elements(query, triples) for query in self.asked()])

    def save(self, path: pathlib.Path) -> None:
        """Writes one .npz file."""
        with files.new_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **dataclasses.asdict(self))

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "Atlas":
        """Reads what `save` wrote.

        Raises:
            InputError: if the file is absent or no atlas.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})
        except FileNotFoundError:
            raise InputError(f"{path}: no such file.") from None
        except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: not an atlas: {error}.") from None


def consensus_queries(model: FactorModel, tables: Sequence[np.ndarray], triples: TripleSet) -> list[Query]:
    """Each distinct (head, relation, ?) of the test triples, with the tail that several trainings predict together.

    Args:
        model: what was trained.
        tables: [num_rows, width] each; their probabilities are averaged. Tails known from train and valid are out.
        triples: the dataset.
    """
    asked = np.unique(triples.test[:, :2], axis=0)
    heads, relations = asked.T
    probabilities = mean_probabilities(model, tables, heads, relations)
    probabilities[known_from_train_and_valid(triples).mask(heads, relations)] = -1
    tails = probabilities.argmax(axis=1)
    possible = probabilities.max(axis=1) >= 0
    return [Query(int(h), int(r), int(t)) for (h, r), t, ok in zip(asked, tails, possible, strict=True) if ok]
