"""CRIAGE: the effect of a removed triple on its tail's row, by one Newton step.

Pezeshkpour, Tian and Singh (2019), "Investigating Robustness and Interpretability of Link
Prediction via Adversarial Modifications", for models trained with the sigmoid loss. With z the
query vector of (head, relation) and phi = sigmoid(z . o), the Hessian block of tail o is
H_o = sum over training triples with tail o of phi (1 - phi) z z^T. Removing (s', r', o) moves o by
-(H_o - phi' (1 - phi') z' z'^T)^-1 (1 - phi') z', so that the query's score drops by

    z . (H_o - phi' (1 - phi') z' z'^T)^-1 (1 - phi') z'.

(The paper's program keeps the + sign of adding a triple; BUILD_NOTES.md, "CRIAGE".)
"""

import numpy as np

from gr_tf.attribution.base import Explainer
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.models.base import FactorModel
from gr_tf.models.prediction import tail_probability


class Criage(Explainer[Query, TripleExplanation]):
    """Ranks the training triples that have the query's tail; their influence is the estimated drop of its score."""

    def __init__(self, model: FactorModel, table: np.ndarray, triples: TripleSet) -> None:
        """
        Args:
            model: trained with the sigmoid loss.
            table: [num_rows, width], its parameters.
            triples: the dataset it was trained on.
        """
        self._model = model
        self._table = table
        self._triples = triples

    def rank(self, query: Query) -> TripleExplanation:
        """Every training triple with the query's tail.

        Raises:
            InputError: if the Hessian block of the tail, or what a removal leaves of it, is singular.
        """
        example_ids = np.flatnonzero(self._triples.train[:, 2] == query.tail)
        influences = self._score_drops(query, example_ids) if len(example_ids) else np.zeros(0)
        probability = tail_probability(self._model, self._table, query)
        return TripleExplanation.ranked(query, example_ids, influences, probability, self._triples)

    def query_of(self, example_id: int) -> Query:
        """See Explainer."""
        return self._triples.query_of(example_id)

    def _score_drops(self, query: Query, example_ids: np.ndarray) -> np.ndarray:
        """The estimated drops [n] of the query's score, each without one of the examples."""
        vectors = self._query_vectors(self._triples.train[example_ids])
        (asked,) = self._query_vectors(np.array([[query.head, query.relation, query.tail]]))
        probabilities = 1 / (1 + np.exp(-vectors @ self._table[query.tail].astype(np.float64)))
        curvatures = probabilities * (1 - probabilities)
        hessian = vectors.T @ (curvatures[:, None] * vectors)
        name = self._triples.entities.names[query.tail]
        if np.linalg.matrix_rank(hessian, hermitian=True) < len(hessian):
            raise InputError(
                f"CRIAGE cannot be computed for tail {name!r}: the Hessian of its {len(example_ids)} training triples "
                f"is singular (width {len(hessian)})."
            )
        solved = np.linalg.solve(hessian, vectors.T)
        # Sherman and Morrison: H - c z z^T is H with one rank changed.
        left = 1 - curvatures * np.einsum("nk,kn->n", vectors, solved)
        unsolved = example_ids[left <= np.finfo(np.float64).eps * len(hessian)]
        if len(unsolved):
            raise InputError(
                f"CRIAGE cannot be computed for tail {name!r}: without training triple {unsolved[0]} its Hessian is "
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
