"""How well scores tell mistakes from the rest."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Detection:
    """Of one ranking of all training examples.

    Attributes:
        auroc: the chance that a mistake is ranked before another example (equals count half).
        recall: the share of all mistakes among the first `share` of the ranking.
        share: of the examples that are looked at.
    """

    auroc: float
    recall: float
    share: float

    @classmethod
    def of(cls, scores: np.ndarray, wrong: np.ndarray, share: float = 0.1) -> "Detection":
        """From suspicion.

        Args:
            scores: [n], high for what is suspected; of equals the first is ranked first.
            wrong: bool [n], the mistakes; some, not all.
            share: see Detection.
        """
        from scipy import stats  # here, because it is slow to import

        others = int((~wrong).sum())
        statistic = stats.mannwhitneyu(scores[wrong], scores[~wrong]).statistic
        first = np.argsort(-scores, kind="stable")[: max(1, round(share * len(scores)))]
        return cls(float(statistic) / (int(wrong.sum()) * others), float(wrong[first].sum() / wrong.sum()), share)
