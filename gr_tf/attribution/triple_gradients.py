"""Explicit gradients of a small graph's model, and the explainers that compare them.

Similarity of gradients, by dot product (TracIn's at one checkpoint) or cosine (Hanawa et al. 2021), and influence
functions (Koh and Liang 2017): removing z moves the parameters by H^-1 grad loss(z) / n, so that p falls by

    grad (-log p) . H^-1 . grad loss(z) * p / n,   H = 1/n * sum over training of Hessian loss,

with all parameters, or with those of the query's three rows alone (as FIA does for ratings).
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.example_losses import TripleLosses
from gr_tf.attribution.hessian import check_damping, explicit_hessian, hessian_vector_product
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.base import FactorModel
from gr_tf.models.prediction import tail_probability
from gr_tf.training.config import TrainConfig

SIMILARITIES = ("dot", "cosine")
BLOCKS = ("all", "query")
# More numbers than this are not kept in one matrix.
_MOST_NUMBERS = 1 << 27


class TripleGradients:
    """Gradients of training losses and of predictions with respect to the whole table, in float64.

    Attributes:
        train: [num_examples, num_rows * width], of the training losses, among the candidates of training.

    Raises:
        InputError: if the graph is too large for that.
    """

    def __init__(self, model: FactorModel, table: np.ndarray, triples: TripleSet, config: TrainConfig) -> None:
        self.model, self.triples = model, triples
        size = triples.num_examples * model.num_rows * model.width
        if size > _MOST_NUMBERS:
            raise InputError(
                f"explicit gradients are for small graphs: {size:,} numbers are too many; use TripleTracIn."
            )
        self.table = table.astype(np.float64)
        self.losses = TripleLosses(model, triples, config, "float64")
        self.train = self._gradients(self.losses.train, self.losses.losses)

    def of(self, queries: Sequence[Query]) -> np.ndarray:
        """[num_queries, num_rows * width], of -log p(tail | head, relation).

        Raises:
            InputError: if a tail cannot be predicted.
        """
        self.triples.check_predictable([query.tail for query in queries])
        parts = zip(*map(self.losses.query, queries), strict=True)
        return self._gradients(tuple(np.concatenate(arrays) for arrays in parts), self.losses.query_losses)

    def _gradients(self, batch: tuple[np.ndarray, ...], losses: Any) -> np.ndarray:
        ids = np.asarray(self.losses.rows(batch))
        rows = tf.constant(self.table[ids])
        with tf.GradientTape() as tape:
            tape.watch(rows)
            total = tf.reduce_sum(losses(rows, (), batch))
        gradients = np.zeros((len(ids), *self.table.shape))
        np.add.at(gradients, (np.arange(len(ids))[:, None], ids), tape.gradient(total, rows).numpy())
        return gradients.reshape(len(ids), -1)

    @functools.cached_property
    def hessian(self) -> np.ndarray:
        """[num_rows * width, num_rows * width], of the mean training loss.

        Raises:
            InputError: if it is too large.
        """
        if self.table.size**2 > _MOST_NUMBERS:
            raise InputError(f"the Hessian of {self.table.size:,} parameters is too large to be kept in one matrix.")
        losses, batch, shape = self.losses, self.losses.train, self.table.shape
        table, ids = tf.constant(self.table), losses.rows(batch)

        def mean_loss(block: Any) -> Any:
            return tf.reduce_mean(losses.losses(tf.gather(block[0], ids), (), batch))

        @tf.function
        def product(vector: Any) -> Any:
            (turned,) = hessian_vector_product(mean_loss, [table], [tf.reshape(vector, shape)])
            return tf.reshape(turned, [-1])

        return explicit_hessian(product, self.table.size)


class _GradientExplainer(Explainer[Query, TripleExplanation]):
    """Ranks all training triples by something of their gradients."""

    def __init__(self, gradients: TripleGradients) -> None:
        self.gradients = gradients

    def query_of(self, example_id: int) -> Query:
        """See Explainer."""
        return self.gradients.triples.query_of(example_id)

    def _explanation(self, query: Query, influences: np.ndarray) -> TripleExplanation:
        own = self.gradients
        probability = tail_probability(own.model, own.table, query)
        return TripleExplanation.ranked(query, np.arange(len(influences)), influences, probability, own.triples)


class GradientSimilarity(_GradientExplainer):
    """By the similarity of an example's gradient to the query's: what a step on it does to the query's loss."""

    def __init__(self, gradients: TripleGradients, similarity: str = "dot") -> None:
        """
        Args:
            gradients: of the model.
            similarity: one of SIMILARITIES.

        Raises:
            InputError: if it is none.
        """
        super().__init__(gradients)
        if similarity not in SIMILARITIES:
            raise InputError(f"similarity must be one of {', '.join(SIMILARITIES)}; got {similarity!r}.")
        self._similarity = similarity

    def rank(self, query: Query) -> TripleExplanation:
        """Every training triple."""
        (asked,) = self.gradients.of([query])
        influences = self.gradients.train @ asked
        if self._similarity == "cosine":
            norms = np.linalg.norm(self.gradients.train, axis=1) * np.linalg.norm(asked)
            influences = np.divide(influences, norms, out=np.zeros_like(influences), where=norms > 0)
        return self._explanation(query, influences)


class TripleInfluence(_GradientExplainer):
    """By influence functions.

    Attributes:
        negative_eigenvalues: share of the whole Hessian's that stay below 0 with the damping: no minimum is near,
            and influences may have the wrong sign.
    """

    def __init__(self, gradients: TripleGradients, *, block: str = "all", damping: float = 0.01) -> None:
        """
        Args:
            gradients: of the model.
            block: one of BLOCKS: all parameters, or the rows of the query's head, relation and tail.
            damping: added to the Hessian's diagonal.

        Raises:
            InputError: if a setting is out of range, or the damped Hessian is too large or singular.
        """
        super().__init__(gradients)
        if block not in BLOCKS:
            raise InputError(f"block must be one of {', '.join(BLOCKS)}; got {block!r}.")
        check_damping(damping)
        self._block = block
        self._hessian = gradients.hessian + damping * np.eye(gradients.table.size)
        eigenvalues, vectors = np.linalg.eigh(self._hessian)
        self.negative_eigenvalues = float((eigenvalues < 0).mean())
        _refuse_singular(eigenvalues, "the damped Hessian")
        self._inverse = (vectors / eigenvalues) @ vectors.T if block == "all" else None

    def rank(self, query: Query) -> TripleExplanation:
        """Every training triple."""
        own = self.gradients
        (asked,), train = own.of([query]), own.train
        if self._inverse is None:
            rows = own.model.rows_of(np.array([query.head, query.relation, query.tail]))
            places = (np.unique(rows)[:, None] * own.model.width + np.arange(own.model.width)).reshape(-1)
            own_block = self._hessian[np.ix_(places, places)]
            _refuse_singular(np.linalg.eigvalsh(own_block), f"the damped Hessian block of {query}")
            influences = train[:, places] @ np.linalg.solve(own_block, asked[places])
        else:
            influences = train @ (self._inverse @ asked)
        probability = tail_probability(own.model, own.table, query)
        return self._explanation(query, influences * probability / len(train))


def _refuse_singular(eigenvalues: np.ndarray, what: str) -> None:
    sizes = np.abs(eigenvalues)
    # As numpy.linalg.matrix_rank's.
    if sizes.min() <= len(sizes) * np.finfo(np.float64).eps * sizes.max():
        raise InputError(f"{what} is singular: more damping may help.")
