"""Models of a knowledge graph: the score of a triple from three rows of one table."""

import abc
import dataclasses
from collections.abc import Sequence

import numpy as np

from gr_tf.models.parameters import Parameters
from gr_tf.runs.engine import tf
from gr_tf.types import Ids, Rows, Tensor

# How many numbers a model that is not bilinear holds in memory at a time while it scores.
_NUMBERS_AT_ONCE = 1 << 24
# The place of the tail in a triple.
_TAIL = 2


@dataclasses.dataclass(frozen=True)
class FactorModel(abc.ABC):
    """What a model computes; its parameters are kept apart.

    A new model is a subclass with its `score`. Ranking, training, and every method that needs gradients or changes
    of rows are derived from it. (A model whose score is a product with the tail's row is a BilinearModel.)

    The table holds the entity rows first, then the relation rows, so that one gather reads and one scatter writes
    everything that a training step touches.

    Attributes:
        num_entities, num_relations: the sizes of the vocabularies.
        dim: h, the number of factors.
        candidates: the entities that may be predicted, ids; None: all.
        reciprocal: whether every relation has a second row, of its inverse, that predicts heads: (head, relation, tail)
            is (tail, inverse relation, head) too. The inverse rows follow the relation rows.
    """

    num_entities: int
    num_relations: int
    dim: int
    candidates: tuple[int, ...] | None = None
    reciprocal: bool = False

    @property
    def num_rows(self) -> int:
        """The number of rows of the table."""
        return self.num_entities + self.num_relations * (2 if self.reciprocal else 1)

    @property
    def width(self) -> int:
        """The length of a row."""
        return self.dim

    @property
    def columns(self) -> Ids:
        """The entities that may be predicted, ids."""
        return np.arange(self.num_entities) if self.candidates is None else np.array(self.candidates)

    @property
    def numbers_per_score(self) -> int:
        """How many numbers `scores` holds in memory for each score."""
        return self.width

    def inverse(self, triples: np.ndarray) -> np.ndarray:
        """(tail, inverse relation, head) of triples [n, 3]: ids as `score_all_tails` and `rows_of` take them."""
        heads, relations, tails = triples.T
        return np.stack([tails, relations + np.array(self.num_relations, triples.dtype), heads], axis=1)

    def rows_of(self, triples: np.ndarray) -> np.ndarray:
        """Table rows [..., 3] (head, relation, tail) of triples [..., 3]."""
        return triples + np.array([0, self.num_entities, 0], triples.dtype)

    def initial_parameters(self, seed: int, dtype: str) -> Parameters:
        """Initial values, uniform(-0.05, 0.05).

        Drawn in float64 whatever `dtype`, so that both precisions start from one draw.
        """
        drawn = np.random.default_rng(seed).uniform(-0.05, 0.05, (self.num_rows, self.width))
        return Parameters(drawn.astype(dtype))

    def penalty(self, rows: Rows, power: int) -> Tensor:
        """The sum of |x|^power over the numbers x of rows [..., width] -> [...]; power is 2 or 3."""
        squares = tf.square(rows)
        return tf.reduce_sum(squares if power == 2 else squares * tf.abs(rows), axis=-1)

    @abc.abstractmethod
    def score(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """Scores of triples given by their rows [..., width], which may be broadcast against each other -> [...]."""

    def scores(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """Scores of every tail for every head and relation.

        Args:
            heads, relations: [..., n, width].
            tails: [..., m, width].

        Returns:
            [..., n, m].
        """
        return self.score(heads[..., :, None, :], relations[..., :, None, :], tails[..., None, :, :])

    def scores_of_one(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """Scores of every tail for one head and relation each.

        Args:
            heads, relations: [..., width].
            tails: [..., m, width].

        Returns:
            [..., m].
        """
        return self.score(heads[..., None, :], relations[..., None, :], tails)

    def numbers_at(self, place: int) -> int:
        """How many numbers `scores_at` holds in memory for each score."""
        return self.width

    def scores_at(self, place: int, rows: Sequence[Rows], answers: Rows) -> Tensor:
        """Scores of triples with every answer in one of their places.

        Args:
            place: 0 for heads, 1 for relations, 2 for tails.
            rows: of the heads, relations, and tails, [..., n, width] each; those at `place` count for nothing.
            answers: [..., m, width].

        Returns:
            [..., n, m].
        """
        parts = [part[..., :, None, :] for part in rows]
        parts[place] = answers[..., None, :, :]
        return self.score(*parts)

    def lost_score(self, heads: Rows, relations: Rows, tails: Rows, deltas: Rows) -> Tensor:
        """How much the scores of triples fall when deltas [n, width] are subtracted from their tails' rows -> [n]."""
        return self.score(heads, relations, tails) - self.score(heads, relations, tails - deltas)

    def candidate_gradients(
        self, head: Rows, relation: Rows, candidates: Rows, errors: Tensor
    ) -> tuple[Rows, Rows, Rows]:
        """Differentiates the scores of one step.

        Args:
            head, relation: [width].
            candidates: [c, width].
            errors: [c], the derivatives of the loss by the scores.

        Returns:
            The loss's gradients of head and relation, [width] each; and the derivatives of each score by its
            candidate's row, [c, width] or [width] where they are all the same.
        """
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([head, relation, candidates])
            scores = self.score(head, relation, candidates)
        of_head, of_relation = tape.gradient(scores, [head, relation], errors)
        return of_head, of_relation, tape.gradient(scores, candidates)

    def score_gradient_norms(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """Norms of the score's derivatives with respect to the three rows.

        Their maximum over training is the empirical Lipschitz constant (Lawrence et al. 2021, Figure 2).

        Args:
            heads, relations, tails: [..., width].

        Returns:
            [..., 3], in some order.
        """
        rows = [heads, relations, tails]
        with tf.GradientTape() as tape:
            tape.watch(rows)
            scores = self.score(*rows)
        return tf.stack([tf.norm(part, axis=-1) for part in tape.gradient(scores, rows)], axis=-1)

    def score_all_tails(self, table: Tensor, heads: Ids, relations: Ids) -> Tensor:
        """Scores of every entity as tail; minus infinity for those that may not be predicted.

        Args:
            table: [num_rows, width].
            heads, relations: [n] entity and relation ids.

        Returns:
            [n, num_entities].
        """
        table = tf.convert_to_tensor(table)  # Each operation would copy an array.
        head_rows, relation_rows = tf.gather(table, heads), tf.gather(table, relations + self.num_entities)
        scores = self.scores_in_parts(head_rows, relation_rows, table[: self.num_entities])
        if self.candidates is None:
            return scores
        possible = np.isin(np.arange(self.num_entities), self.candidates)
        return tf.where(possible, scores, tf.constant(-np.inf, scores.dtype))

    def scores_in_parts(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """`scores` of heads and relations [n, width] in parts that fit into memory; not within a graph."""
        together = max(1, _NUMBERS_AT_ONCE // (tails.shape[0] * self.numbers_per_score))
        parts = [
            self.scores(heads[first : first + together], relations[first : first + together], tails)
            for first in range(0, max(1, heads.shape[0]), together)
        ]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=0)


class BilinearModel(FactorModel):
    """A model whose score is linear in the tail's row: <query vector, tail>."""

    @property
    def numbers_per_score(self) -> int:
        """See FactorModel."""
        return 1

    @abc.abstractmethod
    def query_vector(self, heads: Rows, relations: Rows) -> Rows:
        """The vector q with score = <q, tail row>, [..., width], of rows [..., width]."""

    def score(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """See FactorModel."""
        return tf.reduce_sum(self.query_vector(heads, relations) * tails, axis=-1)

    def scores(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """See FactorModel."""
        return tf.matmul(self.query_vector(heads, relations), tails, transpose_b=True)

    def scores_of_one(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """See FactorModel."""
        return tf.linalg.matvec(tails, self.query_vector(heads, relations))

    def scores_in_parts(self, heads: Rows, relations: Rows, tails: Rows) -> Tensor:
        """See FactorModel; a product of matrices needs no parts."""
        return self.scores(heads, relations, tails)

    def numbers_at(self, place: int) -> int:
        """See FactorModel."""
        return 1 if place == _TAIL else super().numbers_at(place)

    def scores_at(self, place: int, rows: Sequence[Rows], answers: Rows) -> Tensor:
        """See FactorModel."""
        return self.scores(rows[0], rows[1], answers) if place == _TAIL else super().scores_at(place, rows, answers)

    def lost_score(self, heads: Rows, relations: Rows, tails: Rows, deltas: Rows) -> Tensor:
        """See FactorModel."""
        return tf.reduce_sum(self.query_vector(heads, relations) * deltas, axis=-1)

    def candidate_gradients(
        self, head: Rows, relation: Rows, candidates: Rows, errors: Tensor
    ) -> tuple[Rows, Rows, Rows]:
        """See FactorModel; the derivative by a candidate's row is the query vector."""
        with tf.GradientTape() as tape:
            tape.watch([head, relation])
            query = self.query_vector(head, relation)
        of_query = tf.reduce_sum(errors[:, None] * candidates, axis=0)
        of_head, of_relation = tape.gradient(query, [head, relation], of_query)
        return of_head, of_relation, query


class TrilinearModel(BilinearModel):
    """A model whose score is linear in each of the three rows."""

    def vector_at(self, place: int, rows: Sequence[Rows]) -> Rows:
        """The vector v with score = <v, row at `place`>, [..., width]: the derivative of the score by that row.

        Args:
            place: 0 for the head, 1 for the relation, 2 for the tail.
            rows: of the three, [..., width] each; the one at `place` counts for nothing.
        """
        parts = list(rows)
        parts[place] = tf.zeros_like(parts[place - 1])
        with tf.GradientTape() as tape:
            tape.watch(parts[place])
            score = self.score(*parts)
        return tape.gradient(score, parts[place])

    def numbers_at(self, place: int) -> int:
        """See FactorModel."""
        return 1

    def scores_at(self, place: int, rows: Sequence[Rows], answers: Rows) -> Tensor:
        """See FactorModel."""
        if place == _TAIL:
            return super().scores_at(place, rows, answers)
        return tf.matmul(self.vector_at(place, rows), answers, transpose_b=True)


def root(squares: Tensor) -> Tensor:
    """Square roots, elementwise; their derivative at 0 is 0, not infinite."""
    positive = squares > 0
    return tf.where(positive, tf.sqrt(tf.where(positive, squares, tf.ones_like(squares))), tf.zeros_like(squares))
