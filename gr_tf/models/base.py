"""Factor models: the score of a triple from three rows of one table."""

import abc
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class FactorModel(abc.ABC):
    """What a model computes; its parameters are a table [num_rows, width] kept apart.

    The table holds the entity rows first, then the relation rows, so that one gather reads
    and one scatter writes everything a training step touches.

    Attributes:
        num_entities, num_relations: the sizes of the vocabularies.
        dim: h, the number of factors.
        candidates: the entities that may be predicted, ids; None: all.
    """

    num_entities: int
    num_relations: int
    dim: int
    candidates: tuple[int, ...] | None = None

    @property
    def num_rows(self) -> int:
        """Rows of the table."""
        return self.num_entities + self.num_relations

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.dim

    @property
    def columns(self) -> np.ndarray:
        """The entities that may be predicted, ids."""
        return np.arange(self.num_entities) if self.candidates is None else np.array(self.candidates)

    def rows_of(self, triples: np.ndarray) -> np.ndarray:
        """Table rows [..., 3] (head, relation, tail) of triples [..., 3]."""
        return triples + np.array([0, self.num_entities, 0], triples.dtype)

    def initial_table(self, seed: int, dtype: str) -> np.ndarray:
        """Initial values, uniform(-0.05, 0.05), [num_rows, width].

        Drawn in float64 whatever `dtype`, so that both precisions start from one draw.
        """
        return np.random.default_rng(seed).uniform(-0.05, 0.05, (self.num_rows, self.width)).astype(dtype)

    @abc.abstractmethod
    def query_vector(self, heads: Any, relations: Any) -> Any:
        """The vector q with score = <q, tail row>.

        Args:
            heads, relations: rows [..., width], tensors.

        Returns:
            [..., width].
        """

    @abc.abstractmethod
    def score_gradient_norms(self, heads: Any, relations: Any, tails: Any) -> Any:
        """Norms of the score's derivatives with respect to the three rows.

        Their maximum over training is the empirical Lipschitz constant (Lawrence et al.
        2021, Figure 2).

        Args:
            heads, relations, tails: rows [..., width], tensors.

        Returns:
            [..., 3], for tail, head and relation.
        """

    def score(self, heads: Any, relations: Any, tails: Any) -> Any:
        """Scores of triples given by their rows [..., width] -> [...]."""
        return tf.reduce_sum(self.query_vector(heads, relations) * tails, axis=-1)

    def score_all_tails(self, table: Any, heads: Any, relations: Any) -> Any:
        """Scores of every entity as tail; minus infinity for those that may not be predicted.

        Args:
            table: [num_rows, width].
            heads, relations: [n] entity and relation ids.

        Returns:
            [n, num_entities].
        """
        query = self.query_vector(tf.gather(table, heads), tf.gather(table, relations + self.num_entities))
        scores = tf.matmul(query, table[: self.num_entities], transpose_b=True)
        if self.candidates is None:
            return scores
        possible = np.zeros(self.num_entities, bool)
        possible[list(self.candidates)] = True
        return tf.where(possible, scores, tf.constant(-np.inf, scores.dtype))
