"""What a change of the training set does to predictions and ranks: means over seeds, with intervals over facts."""

import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gr_tf.evaluation.paired import NOTHING, OTHER_ORDER, Measured
from gr_tf.runs.engine import scipy

_RESAMPLES = 2_999
# The metrics in which a method is compared with controls.
_COMPARED = ("hits_at_1", "mrr", "value")
# From what was measured before and after to [trainings, num_queries] changes.
_CHANGES: Mapping[str, Callable[[Measured, Measured], np.ndarray]] = {
    "hits_at_1": lambda before, after: (after.ranks == 1) * 1.0 - (before.ranks == 1),
    "mrr": lambda before, after: 1 / after.ranks - 1 / before.ranks,
    "fell": lambda before, after: 100.0 * (after.values < before.values),
    "rose": lambda before, after: 100.0 * (after.values > before.values),
    "value": lambda before, after: after.values - before.values,
}


def mean_with_interval(values: np.ndarray) -> list[float]:
    """The mean of values [n] and its 95% interval, the bootstrap's by percentiles; of one value, the value alone."""
    if len(values) < 2:
        return [float(values.mean())] * 3
    found = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return [float(values.mean()), float(found.low), float(found.high)]


class Changes:
    """The changes of each fact in each condition, compared with trainings in which nothing was changed."""

    def __init__(self, measured: Mapping[str, Measured], facts: np.ndarray) -> None:
        """
        Args:
            measured: see Pairs.measure; of the queries that count.
            facts: [num_queries], the fact that each query belongs to, counted from 0; a fact's queries are averaged.
        """
        self._measured, self._facts = measured, facts
        self._before = measured[NOTHING]
        everything = np.arange(len(facts))
        self._explained = self._before.of([0], everything)

    def row(self, name: str, controls: Mapping[str, str] = types.MappingProxyType({})) -> dict[str, Any]:
        """A condition's changes.

        Args:
            name: of the condition.
            controls: by what they are called in the result, conditions to compare it with.

        Returns:
            own: in the explained seed; others: in those that check, each beside its own training with nothing changed;
            unpaired: in those that check, beside the explained training; by_seed: the mean of each metric by seed;
            beyond: the others' changes less those of each control. All by metric, as mean, low, high.
        """
        if name == OTHER_ORDER:
            return {"unpaired": self._told(self._explained, self._measured[name])}
        if name == NOTHING:
            return {"unpaired": self._told(self._explained, self._later(name))}
        own, others = self._own(name), self._paired(name)
        return {
            "own": self._told(self._explained, own),
            "others": self._told(self._later(NOTHING), self._later(name)),
            "unpaired": self._told(self._explained, self._later(name)),
            "by_seed": {
                metric: change(self._before, self._measured[name]).mean(axis=1).tolist()
                for metric, change in _CHANGES.items()
            },
            "beyond": {
                called: {metric: mean_with_interval(others[metric] - of[metric]) for metric in _COMPARED}
                for called, of in ((called, self._paired(control)) for called, control in controls.items())
            },
        }

    def before(self) -> dict[str, list[float]]:
        """Of each seed, Hits@1 and the mean reciprocal rank with nothing changed."""
        ranks = self._before.ranks
        return {"hits_at_1": (ranks == 1).mean(axis=1).tolist(), "mrr": (1 / ranks).mean(axis=1).tolist()}

    def _own(self, name: str) -> Measured:
        return self._measured[name].of([0], np.arange(len(self._facts)))

    def _later(self, name: str) -> Measured:
        return self._measured[name].of(slice(1, None), np.arange(len(self._facts)))

    def _paired(self, name: str) -> dict[str, np.ndarray]:
        """By metric, the change [facts] in the seeds that check."""
        return self._by_fact(self._later(NOTHING), self._later(name))

    def _told(self, before: Measured, after: Measured) -> dict[str, list[float]]:
        return {metric: mean_with_interval(of) for metric, of in self._by_fact(before, after).items()}

    def _by_fact(self, before: Measured, after: Measured) -> dict[str, np.ndarray]:
        counts = np.bincount(self._facts)
        return {
            metric: np.bincount(self._facts, change(before, after).mean(axis=0)) / counts
            for metric, change in _CHANGES.items()
        }
