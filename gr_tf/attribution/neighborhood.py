"""NH (neighborhood), the paper's baseline: random training examples that share something with the query."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.base import Explainer, Influences
from gr_tf.attribution.methods import register
from gr_tf.data.dataset import numbers_of
from gr_tf.errors import InputError, argument
from gr_tf.tasks.trained import Trained

# How the order is drawn.
NH_RULES = {
    "seeded": "for each question anew, from the seed and the question",
    "released": "as in the authors' released evaluation, which sets NumPy's seed to 42 before each question's draw",
}
_RELEASED_SEED = 42


@register(
    "nh",
    kinds=("triples", "ratings", "sequences"),
    needs="nothing",
    unit="none; it is random",
    title="NH (neighborhood), no explanation but the baseline: random examples that share something with the question",
)
class Neighborhood(Explainer[Any]):
    """Ranks the related training examples at random (Lawrence et al. 2021, NH-k).

    The influences are random numbers in [0, 1), drawn anew for each query from the seed and
    the query, so that the order of asking does not matter. By the released rule the first k are
    numpy.random.choice(related, k, replace=False) after numpy.random.seed(42), for every k.
    """

    def __init__(self, trained: Trained, seed: int | None = None, rule: str = "seeded") -> None:
        """
        Args:
            trained: the model.
            seed: of the order by the rule "seeded"; default: the training's.
            rule: one of NH_RULES.

        Raises:
            InputError: if there is no such rule.
        """
        if rule not in NH_RULES:
            raise InputError(f"{argument('nh_rule')} must be one of {', '.join(NH_RULES)}; got {rule!r}.")
        self.task, self._parameters, self._rule = trained.task, trained.parameters, rule
        self._seed = trained.task.config.seed if seed is None else seed

    def influences(self, queries: Sequence[Any]) -> list[Influences]:
        """See Explainer."""
        found = []
        for query in queries:
            example_ids = self.task.related(query)
            count = len(example_ids)
            drawn = _released(count) if self._rule == "released" else random_influences(self._seed, query, count)
            found.append(Influences(example_ids, drawn, float(self.task.value(self._parameters, [query])[0])))
        return found


def random_influences(seed: int, query: Any, count: int) -> np.ndarray:
    """The numbers in [0, 1) of a query's related examples, by the rule "seeded"."""
    return np.random.default_rng([seed, *numbers_of(query)]).random(count)


def _released(count: int) -> np.ndarray:
    """Numbers in (0, 1] that fall in the order of the authors' draw: a choice of k is the first k of a permutation."""
    values = np.empty(count)
    values[np.random.RandomState(_RELEASED_SEED).permutation(count)] = np.arange(count, 0, -1) / max(count, 1)
    return values
