"""Explicit gradients of all examples' losses, and the explainers that compare them.

The similarity of an example's gradient to the query's, by the dot product (TracIn's at one checkpoint) or the cosine
(Hanawa et al. 2021, "Evaluation of Similarity-based Explanations").
"""

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.example_gradients import batch_parts, example_gradients
from gr_tf.attribution.hessian import explicit_hessian, hessian_vector_product
from gr_tf.attribution.methods import Cost, register
from gr_tf.errors import InputError
from gr_tf.runs.engine import tf
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Tensor

SIMILARITIES = ("dot", "cosine")
# Examples whose gradients are computed together.
_CHUNK = 64
# From the parameters and a batch to the gradients that example_gradients gives.
Compute: TypeAlias = Callable[[Sequence[Tensor], Sequence[Tensor]], list[Tensor]]


def gradients_cost(task: Task[Any]) -> Cost:
    """All gradients in one matrix, and as large a one while it is made."""
    losses, arrays = task.losses(), task.initial_parameters.arrays
    sizes = [array.size for layer, array in zip(losses.layers, arrays, strict=True) if layer in losses.trained_layers]
    return Cost(16.0 * task.num_examples * sum(sizes))


class Gradients:
    """Gradients of training losses and of predictions with respect to all parameters that training moves.

    A gradient is a flat vector: the table, row by row, then each shared array. All is in float64; of a Keras model, in
    the model's own precision.

    Attributes:
        task: whose.
        losses: of the task's examples.
        parameters: where.
        train: [num_examples, size], of the training losses; of triples, among the candidates of the training.
    """

    def __init__(self, trained: Trained) -> None:
        self.task, self.losses = trained.task, trained.task.losses("float64")
        self.parameters = trained.parameters.astype(self.losses.dtype)
        self._arrays = [tf.constant(array) for array in self.parameters.arrays]
        self._is_trained = [layer in self.losses.trained_layers for layer in self.losses.layers]
        self._of_losses, self._of_query_losses = (
            functools.partial(example_gradients, self.losses, function)
            for function in (self.losses.losses, self.losses.query_losses)
        )
        if self.parameters.shared:
            # Outside a graph, vectorized_map traces its function at each call.
            self._of_losses, self._of_query_losses = map(tf.function, (self._of_losses, self._of_query_losses))
        self.train = self._gradients(self.losses.train, self._of_losses)

    @functools.cached_property
    def norms(self) -> np.ndarray:
        """[num_examples], the lengths of `train`."""
        norms: np.ndarray = np.linalg.norm(self.train, axis=1)
        return norms

    def of(self, query: Any) -> np.ndarray:
        """[size], of what the query's proponents lower (see ExampleLosses.query_losses).

        Raises:
            InputError: if what is asked cannot be predicted.
        """
        # A mean, because a query of a Keras model may be several examples.
        gradient: np.ndarray = self._gradients(self.losses.query(query), self._of_query_losses).mean(axis=0)
        return gradient

    @functools.cached_property
    def hessian(self) -> np.ndarray:
        """[size, size], of the mean training loss, of a model whose parameters are all in its table."""
        losses, batch, (table,) = self.losses, self.losses.train, self._arrays
        ids = losses.rows(batch)

        def mean_loss(block: Sequence[Tensor]) -> Tensor:
            return tf.reduce_mean(losses.losses(tf.gather(block[0], ids), (), batch))

        @tf.function
        def product(vector: Tensor) -> Tensor:
            (turned,) = hessian_vector_product(mean_loss, [table], [tf.reshape(vector, table.shape)])
            return tf.reshape(turned, [-1])

        return explicit_hessian(product, self.parameters.table.size)

    def _gradients(self, batch: Sequence[np.ndarray], compute: Compute) -> np.ndarray:
        """[n, size], of n examples."""
        count = len(batch[0])
        parts = [self._flat(part, compute) for part in batch_parts(batch, _CHUNK)]
        return np.concatenate(parts)[:count]

    def _flat(self, batch: Sequence[Tensor], compute: Compute) -> np.ndarray:
        of_rows, *of_shared = compute(self._arrays, batch)
        count, flat = len(of_rows), []
        if self._is_trained[0]:
            of_table = np.zeros((count, *self._arrays[0].shape))
            # An example may look up a row several times.
            np.add.at(of_table, (np.arange(count)[:, None], np.asarray(self.losses.rows(batch))), of_rows.numpy())
            flat.append(of_table)
        flat += [np.asarray(of_one) for of_one, counts in zip(of_shared, self._is_trained[1:], strict=True) if counts]
        return np.concatenate([part.reshape(count, -1) for part in flat], axis=1).astype(np.float64)


_MADE: "weakref.WeakKeyDictionary[Trained, Gradients]" = weakref.WeakKeyDictionary()


def gradients_of(trained: Trained) -> Gradients:
    """The gradients of a trained model; several methods share them, and their Hessian, while the model is in use."""
    if trained not in _MADE:
        _MADE[trained] = Gradients(trained)
    return _MADE[trained]


class GradientSimilarity(Explainer[Any]):
    """Ranks all training examples by the similarity of their gradient to the query's.

    A step on an example lowers what the query's proponents lower if the two gradients point the same way.
    """

    def __init__(self, trained: Trained, similarity: str = "cosine") -> None:
        """
        Args:
            trained: the model.
            similarity: one of SIMILARITIES.

        Raises:
            InputError: if there is no such similarity.
        """
        if similarity not in SIMILARITIES:
            raise InputError(f"similarity must be one of {', '.join(SIMILARITIES)}; got {similarity!r}.")
        self.task, self._similarity = trained.task, similarity
        self._gradients = gradients_of(trained)

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        gradients, found = self._gradients, []
        for query in queries:
            asked = gradients.of(query)
            values = gradients.train @ asked
            if self._similarity == "cosine":
                norms = gradients.norms * np.linalg.norm(asked)
                values = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
            prediction = float(self.task.exact_value(gradients.parameters, [query])[0])
            found.append(Influences(np.arange(len(values)), values, prediction))
        return found


for _name, _what in {"cosine": "cosine", "dot": "dot product"}.items():
    register(
        _name,
        kinds=("triples", "ratings", "sequences", "keras"),
        needs="gradients",
        unit="none; it ranks",
        title=f"the {_what} of the example's gradient and the question's; for small data",
        cost=gradients_cost,
        instead="tracin",
    )(functools.partial(GradientSimilarity, similarity=_name))
