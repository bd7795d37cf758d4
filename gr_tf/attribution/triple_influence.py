"""Influence functions of triples, with all parameters or with those of the query's rows.

Koh and Liang (2017), "Understanding Black-box Predictions via Influence Functions": removing z moves the parameters by
H^-1 grad loss(z) / n, so that p falls by

    grad (-log p) . H^-1 . grad loss(z) * p / n,   H = 1/n * sum over training of Hessian loss,

with respect to all parameters, or to those of the query's three rows alone (as FIA does for ratings).
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.gradients import gradients_cost, gradients_of
from gr_tf.attribution.hessian import check_damping
from gr_tf.attribution.influence_settings import BLOCKS, InfluenceSettings
from gr_tf.attribution.iterative_influence import VECTORS, IterativeInfluence
from gr_tf.attribution.methods import MOST_SECONDS, Cost, register
from gr_tf.data.triples import Query
from gr_tf.errors import InputError, argument
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.places import scored_as
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

# The explicit Hessian's damping if none is named.
_DAMPING = 0.01
# Bytes that the explicit Hessian may take.
_MOST_BYTES = 1 << 32
# How many products with H the first answer takes, with the preconditioner: measured on WN18RR.
_PRODUCTS = 20
# Settings that only conjugate gradients have.
_OF_ITERATIONS = ("tolerance", "max_iterations")
# A product's time of one core: for a score, each number of a row, and each that the score needs of its own. Measured on
# FB15k-237 with DistMult, ComplEx, and TransE and 100 to 2,000 candidates, to a factor of 1.5.
_SCORE_NANOSECONDS, _ROW_NANOSECONDS, _OWN_NANOSECONDS = 20.0, 0.1, 7.0


def _explicit_cost(task: Task[Any]) -> Cost:
    """The gradients, the Hessian column by column, and its eigenvalues."""
    size = task.model.num_rows * task.model.width
    touched = task.num_examples * (task.config.num_negatives + 3) * task.model.width
    # Measured on two cores, sizes 400 to 2,100, to some 10%: 20 ns for each number that a product reads.
    return Cost(
        gradients_cost(task).memory + 64.0 * size**2 + 32.0 * touched, 1 + size * touched * 2e-8 + 1e-9 * size**3
    )


class TripleInfluence(Explainer[Query]):
    """Ranks all training triples by influence functions.

    Attributes:
        negative_eigenvalues: share of the whole Hessian's that stay below 0 with the damping: no minimum is near,
            and influences may have the wrong sign.
    """

    def __init__(self, trained: Trained, *, block: str = "all", damping: float = 0.01) -> None:
        """
        Args:
            trained: the model.
            block: one of BLOCKS: all parameters, or the rows of the query's head, relation and tail.
            damping: added to the Hessian's diagonal.

        Raises:
            InputError: if a setting is out of range, or the damped Hessian is singular.
        """
        if block not in BLOCKS:
            raise InputError(f"block must be one of {', '.join(BLOCKS)}; got {block!r}.")
        check_damping(damping)
        self.task = trained.task
        self._gradients = gradients_of(trained)
        self._hessian = self._gradients.hessian + damping * np.eye(len(self._gradients.hessian))
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

    def influences(self, queries: Sequence[Query]) -> list[Influences]:
        """See Explainer."""
        found = []
        for query in queries:
            prediction = float(self.task.value(self._gradients.parameters, [query])[0])
            values = self._fall_of_log(query) * prediction / self.task.num_examples
            found.append(Influences(np.arange(len(values)), values, prediction))
        return found

    def _fall_of_log(self, query: Query) -> np.ndarray:
        """num_examples times the fall [num_examples] of log p without each example."""
        asked, train = self._gradients.of(query), self._gradients.train
        if self._inverse is not None:
            fall: np.ndarray = train @ (self._inverse @ asked)
            return fall
        model = self.task.model
        places = (rows_of(model, query)[:, None] * model.width + np.arange(model.width)).reshape(-1)
        own_block = self._hessian[np.ix_(places, places)]
        _refuse_singular(np.linalg.eigvalsh(own_block), f"the damped Hessian block of {query}")
        fall = train[:, places] @ np.linalg.solve(own_block, asked[places])
        return fall


def rows_of(model: FactorModel, query: Query) -> Ids:
    """The table rows that a query's own triple is scored with, ascending, each once."""
    rows: Ids = np.unique(scored_as(model, np.array(query.triple), query.place)[0])
    return rows


def _refuse_singular(eigenvalues: np.ndarray, what: str) -> None:
    sizes = np.abs(eigenvalues)
    # As numpy.linalg.matrix_rank's.
    if sizes.min() <= len(sizes) * np.finfo(np.float64).eps * sizes.max():
        raise InputError(f"{what} is singular: more damping may help.")


def _is_small(task: Task[Any]) -> bool:
    """Whether the Hessian is made; it depends on the task alone, so that results do not depend on the machine."""
    cost = _explicit_cost(task)
    return cost.memory <= _MOST_BYTES and (cost.seconds or 0) <= MOST_SECONDS


def _makes_hessian(task: Task[Any], settings: InfluenceSettings) -> bool:
    return _is_small(task) and settings.curvature != "gauss_newton"


def _check(task: Task[Any]) -> None:
    """
    Raises:
        InputError: if the Hessian is too large to be made, and the steps give no products with it.
    """
    if not _is_small(task) and task.steps.curvature() is None:
        raise InputError(
            f"influence functions of a graph of this size ({task.num_examples:,} triples, {task.model.num_rows:,} rows "
            f"of {task.model.width}) need a training in batches ({argument('batch_size')} above 1, or "
            f"{argument('optimizer', 'adagrad')}): use {argument('method', 'gr')}."
        )


def _check_settings(task: Task[Any], settings: InfluenceSettings) -> None:
    """Refuses settings of conjugate gradients where there are none.

    Raises:
        InputError: naming the setting.
    """
    if not _makes_hessian(task, settings):
        if task.steps.curvature() is None:
            raise InputError(
                f"{argument('curvature', 'gauss_newton')} needs a training in batches ({argument('batch_size')} above "
                f"1, or {argument('optimizer', 'adagrad')}): use {argument('curvature', 'hessian')}."
            )
        return
    for name in _OF_ITERATIONS:
        if getattr(settings, name) != getattr(InfluenceSettings, name):
            raise InputError(
                f"{argument(name, flag=settings.flag_of(name))} is of conjugate gradients, and the Hessian of this "
                f"graph is small enough to be made: leave it out, or use {argument('curvature', 'gauss_newton')}."
            )


def _cost(task: Task[Any]) -> Cost:
    """Of the explicit Hessian, or of conjugate gradients for one query."""
    if _is_small(task):
        return _explicit_cost(task)
    config, model = task.config, task.model
    candidates = config.num_negatives if config.candidates == "drawn" else model.num_entities
    size, scores = model.num_rows * model.width, (2.0 if config.reciprocal else 1.0) * candidates
    at_once = 64.0 * config.batch_size * scores * (1 + model.numbers_per_score)
    of_score = _SCORE_NANOSECONDS + _ROW_NANOSECONDS * model.width + _OWN_NANOSECONDS * model.numbers_per_score
    return Cost(2**28 + 8.0 * VECTORS * size + at_once, _PRODUCTS * 1e-9 * task.num_examples * scores * of_score)


@register(
    "influence",
    kinds=("triples",),
    needs="hessian",
    unit="probability",
    title="influence functions with all parameters; of large graphs trained in batches by conjugate gradients",
    cost=_cost,
    check=_check,
    instead="gr",
    settings=InfluenceSettings(),
    check_settings=_check_settings,
)
def influence(trained: Trained, settings: InfluenceSettings | None = None, **others: Any) -> Explainer[Query]:
    """TripleInfluence where the Hessian is small enough and nothing else is asked, else IterativeInfluence.

    Args:
        trained: the model.
        settings: how.
        others: instead of the settings of these names.

    Raises:
        InputError: see both; also if a setting is not for what is used.
    """
    settings = dataclasses.replace(settings or InfluenceSettings(), **others)
    _check(trained.task)
    _check_settings(trained.task, settings)
    if _makes_hessian(trained.task, settings):
        damping = _DAMPING if settings.damping is None else settings.damping
        return TripleInfluence(trained, block=settings.block, damping=damping)
    return IterativeInfluence(trained, settings, functools.partial(rows_of, trained.task.model))
