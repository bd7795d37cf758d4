"""CRIAGE: the effect of a removed triple on its tail's row, by one Newton step.

Pezeshkpour, Tian and Singh (2019), "Investigating Robustness and Interpretability of Link
Prediction via Adversarial Modifications", for models trained with the sigmoid loss. With z the
query vector of (head, relation) and phi = sigmoid(z . o), the Hessian block of tail o is
H_o = sum over training triples with tail o of phi (1 - phi) z z^T. Removing (s', r', o) moves o by
-(H_o - phi' (1 - phi') z' z'^T)^-1 (1 - phi') z', so that the query's score drops by

    z . (H_o - phi' (1 - phi') z' z'^T)^-1 (1 - phi') z'.

(The paper's program keeps the + sign of adding a triple; BUILD_NOTES, "CRIAGE".)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.methods import register
from gr_tf.data.triples import COLUMNS, TAIL, Query
from gr_tf.errors import InputError, argument
from gr_tf.models.factor_model import BilinearModel
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids


def _check(task: Task[Any], any_loss: bool = False) -> None:
    """
    Raises:
        InputError: if the loss is not the sigmoid's, or the model is no product of vectors.
    """
    if task.config.loss != "sigmoid" and not any_loss:
        raise InputError(
            f"criage explains models trained with {argument('loss', 'sigmoid')}; this one's loss is {task.config.loss}."
        )
    if not isinstance(task.model, BilinearModel):
        raise InputError(f"criage explains models that multiply vectors, such as distmult; not {task.config.model}.")


def _check_query(query: Query) -> None:
    """
    Raises:
        InputError: if something other than the tail is asked for.
    """
    if query.place != TAIL:
        raise InputError(
            f"criage explains tails only: its Newton step is of the tail's row. For a {COLUMNS[query.place]}, use "
            f"{argument('method', 'gr')}."
        )


@register(
    "criage",
    kinds=("triples",),
    needs="gradients",
    unit="score",
    title="CRIAGE: the fall of the score by a Newton step; for --loss=sigmoid, triples with the same tail only",
    check=_check,
    check_query=_check_query,
)
class Criage(Explainer[Query]):
    """Ranks the training triples that have the query's tail; their influence is the estimated drop of its score."""

    def __init__(self, trained: Trained, *, any_loss: bool = False) -> None:
        """
        Args:
            trained: the model.
            any_loss: take a model that was trained with another loss, too; what comes out only ranks.

        Raises:
            InputError: if the model was not trained with the sigmoid loss, or is no product of vectors.
        """
        self.task = trained.task
        _check(trained.task, any_loss)
        self._model, self._parameters, self._triples = trained.task.model, trained.parameters, trained.task.dataset
        self._table, self._words = trained.parameters.table, trained.task.words

    def influences(self, queries: Sequence[Query]) -> list[Influences]:
        """See Explainer.

        Raises:
            InputError: if the Hessian block of a tail, or what a removal leaves of it, is singular, or no tail is asked
                for.
        """
        found = []
        for query in queries:
            _check_query(query)
            example_ids = np.flatnonzero(self._triples.train[:, 2] == query.tail)
            drops = self._score_drops(query, example_ids) if len(example_ids) else np.zeros(0)
            found.append(Influences(example_ids, drops, float(self.task.value(self._parameters, [query])[0])))
        return found

    def _score_drops(self, query: Query, example_ids: Ids) -> np.ndarray:
        """The estimated drops [n] of the query's score, each without one of the examples."""
        vectors = self._query_vectors(self._triples.train[example_ids])
        (asked,) = self._query_vectors(np.array([[query.head, query.relation, query.tail]]))
        probabilities = 1 / (1 + np.exp(-vectors @ self._table[query.tail].astype(np.float64)))
        curvatures = probabilities * (1 - probabilities)
        hessian = vectors.T @ (curvatures[:, None] * vectors)
        where = f"{self._words.get('tail', 'tail')} {self.task.answer_key(query, query.tail)!r}"
        example, examples = (self._words.get(word, word) for word in ("triple", "triples"))
        if np.linalg.matrix_rank(hessian, hermitian=True) < len(hessian):
            raise InputError(
                f"CRIAGE cannot be computed for {where}: the Hessian of its {len(example_ids)} training {examples} "
                f"is singular (width {len(hessian)})."
            )
        solved = np.linalg.solve(hessian, vectors.T)
        # Sherman and Morrison: H - c z z^T is H with one rank changed.
        left = 1 - curvatures * np.einsum("nk,kn->n", vectors, solved)
        unsolved = example_ids[left <= np.finfo(np.float64).eps * len(hessian)]
        if len(unsolved):
            raise InputError(
                f"CRIAGE cannot be computed for {where}: without training {example} {unsolved[0]} its Hessian is "
                f"singular (so too for {len(unsolved) - 1} others)."
            )
        drops: np.ndarray = (1 - probabilities) * (asked @ solved) / left
        return drops

    def _query_vectors(self, triples: np.ndarray) -> np.ndarray:
        """z of triples [n, 3] -> [n, width], in float64."""
        rows = self._model.rows_of(triples)
        table = self._table.astype(np.float64)
        vectors: np.ndarray = self._model.query_vector(table[rows[:, 0]], table[rows[:, 1]])
        return np.asarray(vectors)
