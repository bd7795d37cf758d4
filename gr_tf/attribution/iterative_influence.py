"""Influence functions of graphs of any size: Koh and Liang (2017) by conjugate gradients.

    influence of z = -grad p . (H + damping I)^-1 . grad loss(z) / n

(see triple_influence). H is never made. The system H x = grad p of each query is solved with products of H and vectors
over the mini-batches of the training (training.batch_curvature); one pass over the training then tells the derivatives
of all examples' losses along the solutions of all queries.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences, in_parts
from gr_tf.attribution.influence_settings import InfluenceSettings
from gr_tf.attribution.many_systems import solve_together
from gr_tf.errors import InputError, argument
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.steps import Curvature
from gr_tf.types import Ids

# Of the mean eigenvalue of the Gauss-Newton matrix (Grosse et al. 2023, "Studying Large Language Model Generalization
# with Influence Functions").
_RELATIVE_DAMPING = 0.1
# Bytes of the vectors of the queries that are solved together; of each query there are so many.
_VECTOR_BYTES, VECTORS = 1 << 30, 8


class IterativeInfluence(Explainer[Any]):
    """Ranks all training examples of a model that was trained in batches.

    Attributes:
        damping: what is added to the diagonal.
    """

    def __init__(self, trained: Trained, settings: InfluenceSettings, rows_of: Callable[[Any], Ids]) -> None:
        """
        Args:
            trained: the model.
            settings: how.
            rows_of: the table rows of a query, for the block "query".

        Raises:
            InputError: if nothing gives second derivatives of what the training minimised.
        """
        self.task, self._parameters, self._settings, self._rows_of = trained.task, trained.parameters, settings, rows_of
        self._curvature = curvature_of(trained.task)
        self._diagonal = self._curvature.row_curvatures(trained.parameters)[:, None]
        given = settings.damping
        self.damping = _RELATIVE_DAMPING * float(self._diagonal.mean()) if given is None else given
        if not (self._diagonal + self.damping > 0).all():
            raise InputError("a row of the table has no curvature, and there is no damping: use some damping.")

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        together = max(1, _VECTOR_BYTES // (8 * VECTORS * self._parameters.table.size))
        return [found for part in in_parts(queries, together) for found in self._of_part(part)]

    def _of_part(self, queries: Sequence[Any]) -> list[Influences]:
        task, settings = self.task, self._settings
        (gradients,) = task.value_gradients(self._parameters, queries)
        right_sides = -np.asarray(gradients, np.float64)
        if settings.block == "all":
            solutions, diagnostics = self._solve(right_sides, np.ones(right_sides.shape[1:2], bool))
        else:
            solved = [
                self._solve(one[None], self._is_own(query)) for one, query in zip(right_sides, queries, strict=True)
            ]
            solutions, diagnostics = np.concatenate([x for x, _ in solved]), [told for _, (told,) in solved]
        values = self._curvature.derivatives(self._parameters, solutions) / task.num_examples
        everyone = np.arange(task.num_examples)
        return [
            Influences(everyone, row, float(task.value(self._parameters, [query])[0]), systems=(told,))
            for query, row, told in zip(queries, values, diagnostics, strict=True)
        ]

    def _is_own(self, query: Any) -> np.ndarray:
        """[num_rows], which rows are the query's."""
        is_own = np.zeros(len(self._parameters.table), bool)
        is_own[self._rows_of(query)] = True
        return is_own

    def _solve(self, right_sides: np.ndarray, counts: np.ndarray) -> Any:
        """See solve_together; the system of the rows [num_rows] that count, and 0 elsewhere."""
        mask = counts[:, None].astype(np.float64)
        gauss_newton = self._settings.curvature != "hessian"

        def product(vectors: np.ndarray) -> np.ndarray:
            return mask * self._curvature.product(self._parameters, vectors, gauss_newton=gauss_newton)

        return solve_together(
            product,
            mask * right_sides,
            self.damping,
            self._diagonal,
            tolerance=self._settings.tolerance,
            max_iterations=self._settings.max_iterations,
        )


def curvature_of(task: Task[Any]) -> Curvature:
    """The second derivatives of what a task's steps minimise.

    Raises:
        InputError: if nothing gives second derivatives of what a task's steps minimise.
    """
    found = task.steps.curvature()
    if found is None:
        raise InputError(
            f"influence functions of a graph of this size ({task.num_examples:,} triples, {task.model.num_rows:,} rows "
            f"of {task.model.width}) need a training in batches ({argument('batch_size')} above 1, or "
            f"{argument('optimizer', 'adagrad')}): use {argument('method', 'gr')}."
        )
    return found
