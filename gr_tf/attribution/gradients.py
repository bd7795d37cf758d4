"""Explicit gradients of a small graph's model, and the explainers that compare them.

Similarity of gradients, by dot product (TracIn's at one checkpoint) or cosine (Hanawa et al. 2021), and influence
functions (Koh and Liang 2017): removing z moves the parameters by H^-1 grad loss(z) / n, so that p falls by

    grad (-log p) . H^-1 . grad loss(z) * p / n,   H = 1/n * sum over training of Hessian loss,

with all parameters, or with those of the query's three rows alone (as FIA does for ratings).
"""

import functools
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.hessian import check_damping, explicit_hessian, hessian_vector_product
from gr_tf.attribution.methods import Cost, register
from gr_tf.errors import InputError
from gr_tf.runs.engine import tf
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Tensor

SIMILARITIES = ("dot", "cosine")
BLOCKS = ("all", "query")


def _cost(task: Task[Any]) -> Cost:
    """All gradients in one matrix, and as large a one while it is made."""
    return Cost(16.0 * task.num_examples * task.model.num_rows * task.model.width)


def _hessian_cost(task: Task[Any]) -> Cost:
    """The gradients, the Hessian column by column, and its eigenvalues."""
    size = task.model.num_rows * task.model.width
    touched = task.num_examples * (task.config.num_negatives + 3) * task.model.width
    # Measured on two cores, sizes 400 to 2,100, to some 10%: 20 ns for each number that a product reads.
    return Cost(_cost(task).memory + 64.0 * size**2 + 32.0 * touched, 1 + size * touched * 2e-8 + 1e-9 * size**3)


class TripleGradients:
    """Gradients of training losses and of predictions with respect to the whole table, in float64.

    Attributes:
        task: whose.
        parameters: where.
        train: [num_examples, num_rows * width], of the training losses, among the candidates of training.
    """

    def __init__(self, trained: Trained) -> None:
        self.task, self.parameters = trained.task, trained.parameters.astype("float64")
        self.table = self.parameters.table
        self.losses = trained.task.losses("float64")
        self.train = self._gradients(self.losses.train, self.losses.losses)

    def of(self, queries: Sequence[Any]) -> np.ndarray:
        """[num_queries, num_rows * width], of -log p(tail | head, relation).

        Raises:
            InputError: if a tail cannot be predicted.
        """
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
        """[num_rows * width, num_rows * width], of the mean training loss."""
        losses, batch, shape = self.losses, self.losses.train, self.table.shape
        table, ids = tf.constant(self.table), losses.rows(batch)

        def mean_loss(block: Tensor) -> Tensor:
            return tf.reduce_mean(losses.losses(tf.gather(block[0], ids), (), batch))

        @tf.function
        def product(vector: Tensor) -> Tensor:
            (turned,) = hessian_vector_product(mean_loss, [table], [tf.reshape(vector, shape)])
            return tf.reshape(turned, [-1])

        return explicit_hessian(product, self.table.size)


_MADE: "weakref.WeakKeyDictionary[Trained, TripleGradients]" = weakref.WeakKeyDictionary()


def gradients_of(trained: Trained) -> TripleGradients:
    """The gradients of a trained model; several methods share them, and their Hessian, while the model is in use."""
    if trained not in _MADE:
        _MADE[trained] = TripleGradients(trained)
    return _MADE[trained]


class GradientSimilarity(Explainer[Any]):
    """By the similarity of an example's gradient to the query's: what a step on it does to the query's loss."""

    def __init__(self, trained: Trained, similarity: str = "cosine", gradients: TripleGradients | None = None) -> None:
        """
        Args:
            trained: the model.
            similarity: one of SIMILARITIES.
            gradients: of the model, if they are at hand.

        Raises:
            InputError: if the similarity is none.
        """
        if similarity not in SIMILARITIES:
            raise InputError(f"similarity must be one of {', '.join(SIMILARITIES)}; got {similarity!r}.")
        self.task, self._similarity = trained.task, similarity
        self.gradients = gradients or gradients_of(trained)

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        found = []
        for query in queries:
            (asked,) = self.gradients.of([query])
            values = self.gradients.train @ asked
            if self._similarity == "cosine":
                norms = np.linalg.norm(self.gradients.train, axis=1) * np.linalg.norm(asked)
                values = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
            prediction = float(self.task.value(self.gradients.parameters, [query])[0])
            found.append(Influences(np.arange(len(values)), values, prediction))
        return found


@register(
    "cosine",
    kinds=("triples",),
    needs="gradients",
    unit="none; it ranks",
    title="the cosine of the triple's gradient and the question's; for small graphs",
    cost=_cost,
    instead="--method=tracin",
)
def cosine(trained: Trained) -> GradientSimilarity:
    """Gradient similarity by the cosine."""
    return GradientSimilarity(trained, "cosine")


@register(
    "dot",
    kinds=("triples",),
    needs="gradients",
    unit="none; it ranks",
    title="the dot product of the triple's gradient and the question's; for small graphs",
    cost=_cost,
    instead="--method=tracin",
)
def dot(trained: Trained) -> GradientSimilarity:
    """Gradient similarity by the dot product."""
    return GradientSimilarity(trained, "dot")


@register(
    "influence",
    kinds=("triples",),
    needs="hessian",
    unit="probability",
    title="influence functions with all parameters; for small graphs",
    cost=_hessian_cost,
    instead="--method=gr",
)
class TripleInfluence(Explainer[Any]):
    """By influence functions.

    Attributes:
        negative_eigenvalues: share of the whole Hessian's that stay below 0 with the damping: no minimum is near,
            and influences may have the wrong sign.
    """

    def __init__(
        self,
        trained: Trained,
        *,
        block: str = "all",
        damping: float = 0.01,
        gradients: TripleGradients | None = None,
    ) -> None:
        """
        Args:
            trained: the model.
            block: one of BLOCKS: all parameters, or the rows of the query's head, relation and tail.
            damping: added to the Hessian's diagonal.
            gradients: of the model, if they are at hand.

        Raises:
            InputError: if a setting is out of range, or the damped Hessian is singular.
        """
        if block not in BLOCKS:
            raise InputError(f"block must be one of {', '.join(BLOCKS)}; got {block!r}.")
        check_damping(damping)
        self.task = trained.task
        self.gradients = gradients = gradients or gradients_of(trained)
        self._hessian = gradients.hessian + damping * np.eye(gradients.table.size)
        eigenvalues, vectors = np.linalg.eigh(self._hessian)
        self.negative_eigenvalues = float((eigenvalues < 0).mean())
        _refuse_singular(eigenvalues, "the damped Hessian")
        self._inverse = (vectors / eigenvalues) @ vectors.T if block == "all" else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of negative curvature."""
        if not self.negative_eigenvalues:
            return ()
        return ("negative curvature: influences may be wrong, even in sign",)

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        found = []
        for query in queries:
            prediction = float(self.task.value(self.gradients.parameters, [query])[0])
            values = self._fall_of_log(query) * prediction / self.task.num_examples
            found.append(Influences(np.arange(len(values)), values, prediction))
        return found

    def _fall_of_log(self, query: Any) -> np.ndarray:
        """num_examples times the fall [num_examples] of log p without each example."""
        (asked,), train = self.gradients.of([query]), self.gradients.train
        if self._inverse is not None:
            fall: np.ndarray = train @ (self._inverse @ asked)
            return fall
        model = self.task.model
        rows = model.rows_of(np.array([query.head, query.relation, query.tail]))
        places = (np.unique(rows)[:, None] * model.width + np.arange(model.width)).reshape(-1)
        own_block = self._hessian[np.ix_(places, places)]
        _refuse_singular(np.linalg.eigvalsh(own_block), f"the damped Hessian block of {query}")
        fall = train[:, places] @ np.linalg.solve(own_block, asked[places])
        return fall


def _refuse_singular(eigenvalues: np.ndarray, what: str) -> None:
    sizes = np.abs(eigenvalues)
    # As numpy.linalg.matrix_rank's.
    if sizes.min() <= len(sizes) * np.finfo(np.float64).eps * sizes.max():
        raise InputError(f"{what} is singular: more damping may help.")
