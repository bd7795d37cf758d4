"""Influence functions of graphs of any size: Koh and Liang (2017) by conjugate gradients.

    influence of z = -grad p . (H + damping I)^-1 . grad loss(z) / n

(see triple_influence). H is never made. The system H x = grad p of each query is solved with products of H and vectors
over the mini-batches of the training (training.batch_curvature); one pass over the training then tells the derivatives
of all examples' losses along the solution.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.influence_settings import InfluenceSettings
from gr_tf.attribution.preconditioned_cg import preconditioned_cg
from gr_tf.errors import InputError, argument
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.steps import Curvature
from gr_tf.types import Ids

# Of the mean eigenvalue of the Gauss-Newton matrix (Grosse et al. 2023, "Studying Large Language Model Generalization
# with Influence Functions").
_RELATIVE_DAMPING = 0.1
# Vectors of the size of the table that a system has at a time, about.
VECTORS = 12


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
        """See Explainer; a query at a time, so that nothing depends on what else is asked."""
        return [self._of_query(query) for query in queries]

    def _of_query(self, query: Any) -> Influences:
        task, parameters, settings = self.task, self._parameters, self._settings
        ((gradient,),) = task.value_gradients(parameters, [query])
        # The system of the rows that count, and 0 elsewhere.
        counts = np.ones((len(parameters.table), 1))
        if settings.block == "query":
            counts[:] = 0
            counts[self._rows_of(query)] = 1
        solution, told = preconditioned_cg(
            lambda vector: (
                counts * self._curvature.product(parameters, vector, gauss_newton=settings.curvature != "hessian")
            ),
            -counts * np.asarray(gradient, np.float64),
            self.damping,
            self._diagonal,
            tolerance=settings.tolerance,
            max_iterations=settings.max_iterations,
        )
        values = self._curvature.derivatives(parameters, solution) / task.num_examples
        prediction = float(task.value(parameters, [query])[0])
        return Influences(np.arange(task.num_examples), values, prediction, systems=(told,))


def curvature_of(task: Task[Any]) -> Curvature:
    """The second derivatives of what a task's steps minimise.

    Raises:
        InputError: if nothing gives them.
    """
    found = task.steps.curvature()
    if found is None:
        raise InputError(
            f"influence functions by conjugate gradients need a training in batches ({argument('batch_size')} above 1, "
            f"or {argument('optimizer', 'adagrad')})."
        )
    return found
