"""Rows of methods beside the truth of data at real size."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution import best, methods
from gr_tf.errors import InputError
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas_scores import FittedOnOthers
from gr_tf.evaluation.compared import Scores
from gr_tf.evaluation.fidelity import linear_datamodeling_score
from gr_tf.evaluation.prices import SHAPE_ROWS
from gr_tf.tasks.task import Task
from gr_tf.types import Ids

# Which of a query's examples are compared, and the other truth.
ALL, NAMED, DRAWN, HALVES = "all left out", "named ones", "random ones", "halves (LDS)"
BEST = "best, of these trainings"
# By truth, the correlations [num_queries] of a method's scores, or why there are none.
_Correlations = dict[str, np.ndarray | str]


@dataclasses.dataclass(frozen=True, eq=False)
class LargeTruth:
    """What was measured.

    Attributes:
        task, queries: what was asked.
        examples: [num_queries, n], left out one after the other; from place `first` on random ones.
        effects: [num_seeds, num_queries, n].
        subsets: bool [num_subsets, num_examples].
        outputs: [num_seeds, num_subsets, num_queries].
    """

    task: Task[Any]
    queries: Sequence[Any]
    examples: Ids
    effects: np.ndarray
    first: int
    subsets: np.ndarray
    outputs: np.ndarray

    def ceilings(self) -> dict[str, dict[str, Any]]:
        """How certain each truth is; see agreement.reliability."""
        found = {
            name: agreement.reliability(self.effects, mask, agreement.spearman_rows)
            for name, mask in self._masks().items()
        }
        everything = np.ones(self.outputs.shape[1:][::-1], bool)
        return found | {
            HALVES: agreement.reliability(self.outputs.transpose(0, 2, 1), everything, agreement.spearman_rows)
        }

    def rows(
        self, scored: Scores, names: Sequence[str], seeds: Sequence[int]
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """A row for each method, one training and all of them: correlations, and how much they exceed the default's.

        Returns:
            The rows, and why there is none of the data's shape, or of what is blended with it.
        """
        default = methods.method_of(self.task.kind, None).name
        ordered = [default, *(name for name in names if name != default)] if default in names else list(names)
        rows: list[dict[str, Any]] = []
        refused: dict[str, str] = {}
        for name in ordered:
            each = np.stack([scored(name, seed) for seed in seeds])
            parts = {1: each, len(seeds): each.mean(axis=0, keepdims=True)}
            for count, scores in parts.items():
                rows.append({"method": name, "trainings": count, "found": self._correlations(scores)})
            if name == "replay":
                self._add(rows, refused, BEST, len(seeds), functools.partial(self._blended, each))
        self._add(rows, refused, SHAPE_ROWS[0], 0, self._by_shape)
        first = {row["trainings"]: row["found"] for row in rows if row["method"] == default}
        told = [
            {
                "method": row["method"],
                "trainings": row["trainings"],
                **self._told(row["found"], first.get(row["trainings"], {})),
            }
            for row in rows
        ]
        return told, refused

    def _add(
        self, rows: list[dict[str, Any]], refused: dict[str, str], name: str, count: int, score: Callable[[], Any]
    ) -> None:
        """Adds the row of scores [num_queries, num_examples], or why there are none."""
        try:
            rows.append({"method": name, "trainings": count, "found": self._correlations(score()[None])})
        except InputError as error:
            refused[name] = error.on_command_line

    def _told(self, found: _Correlations, reference: _Correlations) -> dict[str, Any]:
        """Means and intervals, None with the reason under "why"; and of the differences from another reference."""
        told: dict[str, Any] = {
            name: None if isinstance(values, str) else agreement.mean_over_queries(values)
            for name, values in found.items()
        }
        told["why"] = {name: values for name, values in found.items() if isinstance(values, str)}
        if reference and reference is not found:
            told["beyond"] = {
                name: agreement.mean_over_queries(values - other)
                for name, values in found.items()
                if not isinstance(values, str) and not isinstance(other := reference[name], str)
            }
        return told

    def _masks(self) -> dict[str, np.ndarray]:
        """Which of the left out examples are compared."""
        everything = np.ones(self.examples.shape, bool)
        drawn = everything.copy()
        drawn[:, : self.first] = False
        return {ALL: everything, NAMED: ~drawn, DRAWN: drawn}

    def _correlations(self, scores: np.ndarray) -> _Correlations:
        """Spearman's correlations of scores [m, num_queries, num_examples], meaned over m."""
        chosen = np.take_along_axis(scores, self.examples[None], axis=2)
        expected, outputs = self.effects.mean(axis=0), self.outputs.mean(axis=0)
        found = {
            name: _or_why(functools.partial(agreement.per_query, chosen, expected, mask, agreement.spearman_rows))
            for name, mask in self._masks().items()
        }
        lds = functools.partial(linear_datamodeling_score, subsets=self.subsets, outputs=outputs)
        return found | {HALVES: _or_why(lambda: np.stack(list(map(lds, scores))))}

    def _blended(self, replayed: np.ndarray) -> np.ndarray:
        """What `best` makes of whole trainings: replay blended with the data's likeness, learnt without any truth."""
        learnt = best.learn(self.task, self.queries, replayed)
        return np.stack(
            [best.expected(self.task, query, replayed[:, place], learnt)[0] for place, query in enumerate(self.queries)]
        )

    def _by_shape(self) -> np.ndarray:
        """What the data alone say, with weights of other queries' examples."""
        features = [best.centred_likeness(self.task, query) for query in self.queries]
        of_examples = np.stack([of[ids] for of, ids in zip(features, self.examples, strict=True)])
        fitted = FittedOnOthers.of(of_examples, self.effects.mean(axis=0))
        return np.stack([fitted.score(place, of) for place, of in enumerate(features)])


def _or_why(correlate: Callable[[], np.ndarray]) -> np.ndarray | str:
    """The mean [num_queries] of correlations [m, num_queries], or why there is none, such as scores that are all 0."""
    try:
        found: np.ndarray = correlate().mean(axis=0)
    except InputError as error:
        return error.on_command_line
    return found
