"""How good a model of a knowledge graph is at questions for one place of a triple, beside a trivial prediction."""

from typing import Any

import numpy as np

from gr_tf.data.known_tails import KnownTails, turned
from gr_tf.data.triples import RELATION, TripleSet
from gr_tf.models.factor_model import FactorModel
from gr_tf.models.places import score_answers
from gr_tf.models.ranking import Score, ranking_metrics, ranks_by
from gr_tf.types import Ids, Tensor


class PlaceQuality:
    """Filtered MRR and Hits@k of heads or relations."""

    def __init__(self, model: FactorModel, triples: TripleSet, known: KnownTails, place: int) -> None:
        """
        Args:
            model: the model.
            triples: the dataset.
            known: the filter of the place; see known_at.
            place: HEAD or RELATION.
        """
        self._model, self._triples, self._known, self._place = model, triples, known, place

    def of_model(self, table: Tensor, examples: np.ndarray) -> dict[str, float]:
        """Of triples [n, 3], by the model's scores."""

        def score(first: Ids, second: Ids) -> Tensor:
            # Turning twice is turning back.
            given = np.stack([first, second, np.zeros_like(first)], axis=1)
            return score_answers(self._model, table, turned(given, self._place), self._place)

        return self._metrics(score, examples)

    def of_baseline(self, examples: np.ndarray) -> dict[str, float]:
        """Of triples [n, 3], by how often an entity is the head of the relation in training, or a relation occurs."""
        train, num_relations = self._triples.train, len(self._triples.relations)
        if self._place == RELATION:
            counts = np.bincount(train[:, 1], minlength=num_relations)
            return self._metrics(lambda heads, tails: np.tile(counts, (len(heads), 1)), examples)
        counts = np.zeros((num_relations, len(self._triples.entities)), np.int32)
        np.add.at(counts, (train[:, 1], train[:, 0]), 1)
        return self._metrics(lambda tails, relations: counts[relations], examples)

    def _metrics(self, score: Score, examples: np.ndarray) -> dict[str, float]:
        return ranking_metrics(ranks_by(score, turned(examples, self._place), self._known))


def both_by_split(quality: PlaceQuality, table: Tensor, splits: dict[str, np.ndarray]) -> tuple[Any, Any]:
    """The metrics of the model and of the baseline by split; None of one that is empty."""
    model = {name: quality.of_model(table, part) if len(part) else None for name, part in splits.items()}
    return model, {name: quality.of_baseline(part) if len(part) else None for name, part in splits.items()}
