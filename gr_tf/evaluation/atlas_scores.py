"""Scores anybody's influences by an atlas: how much of what can be known of the expected effects is in them."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from gr_tf.data.dataset import Dataset
from gr_tf.errors import InputError, short
from gr_tf.evaluation import agreement, fidelity
from gr_tf.evaluation.atlas import Atlas
from gr_tf.runs import files

# Strata of agreement.strata that methods are told apart by.
STRATA = ("shared >= 2", "adjacent")
# The atlas's own result, beside its file or in its run's folder.
_RESULT = "result.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Scoring:
    """An atlas, and the correlations with it that an exact method would have.

    Attributes:
        atlas: the truth.
        masks: bool [num_queries, num_examples], by stratum.
        ceilings: by stratum, of Spearman's correlation; see agreement.reliability.
        settings: what the atlas was made with.
    """

    atlas: Atlas
    masks: Mapping[str, np.ndarray]
    ceilings: Mapping[str, float]
    settings: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | pathlib.Path, dataset: Dataset) -> "Scoring":
        """Reads an atlas's .npz file, and its .json file beside it, or its result.json.

        Raises:
            InputError: if one of them is absent or damaged, or the atlas is of another dataset.
        """
        path = pathlib.Path(path)
        atlas = Atlas.load(path)
        beside = path.with_suffix(".json")
        beside = beside if beside.exists() else path.with_name(_RESULT)
        told = files.read_json(beside, checked=False)
        if not told.keys() >= {"settings", "rows"}:
            raise InputError(f"{beside}: is not the result of an atlas.")
        settings = told["settings"]
        if settings.get("checksum") != dataset.checksum:
            whose = f"{dataset.name}: its data, {short(settings.get('dataset'))}, have other examples or names"
            raise InputError(f"{path}: is an atlas of another dataset than {whose}.")
        masks = agreement.strata(atlas.shared(dataset))
        ceilings = {row["stratum"]: row["spearman"]["ceiling"] for row in told["rows"]}
        known = [stratum for stratum in STRATA if stratum in masks and ceilings.get(stratum)]
        if not known:
            raise InputError(f"{path}: its effects are chance: no seeds agree, and nothing can be scored by them.")
        return cls(atlas, {name: masks[name] for name in known}, {name: ceilings[name] for name in known}, settings)

    def score(self, influences: np.ndarray) -> dict[str, list[float]]:
        """The corrected mean Spearman's correlation over queries, and its 95% interval, by stratum.

        Args:
            influences: [num_queries, num_examples], or of several trainings or groups of them, [n, ...]; their
                correlations are averaged.

        Raises:
            InputError: if the shape is another, or influences are not finite, or those of a query all the same.
        """
        self._check(influences)
        return {
            stratum: [
                value / self.ceilings[stratum]
                for value in agreement.mean_correlation(influences, self.atlas.expected, mask)
            ]
            for stratum, mask in self.masks.items()
        }

    def captured(self, influences: np.ndarray) -> dict[int, float] | None:
        """The effect of the first 1 and 10 adjacent examples, as a share of what the best have; by their number.

        See fidelity.captured_effect: the best are those that half of the atlas's seeds finds, so that influences may
        find better ones and exceed 1. None if no examples are known to raise the predictions.

        Args:
            influences: see score; what several capture is averaged.

        Raises:
            InputError: see score.
        """
        self._check(influences)
        masks = self.masks.get("adjacent")
        halves = list(self.atlas.halves)
        if masks is None or any(fidelity.best_k_effects(halves, masks, k).sum() <= 0 for k in fidelity.TOP):
            return None
        several = influences.reshape(-1, *influences.shape[-2:])
        return {k: float(np.mean([self._captured_by(one, masks, k) for one in several])) for k in fidelity.TOP}

    def _captured_by(self, influences: np.ndarray, masks: np.ndarray, k: int) -> float:
        return fidelity.captured_effect(influences, self.atlas.expected, list(self.atlas.halves), masks, k)

    def beyond(self, influences: np.ndarray, others: np.ndarray) -> dict[str, list[float]]:
        """How much nearer to the truth influences come than others: the difference of `score`, paired by query.

        Args:
            influences, others: [num_queries, num_examples] each.

        Returns:
            The mean difference over queries and its 95% interval, by stratum.

        Raises:
            InputError: see score.
        """
        for one in (influences, others):
            self._check(one)
        found = {}
        for stratum, mask in self.masks.items():
            both = agreement.per_query(
                np.stack([influences, others]), self.atlas.expected, mask, agreement.spearman_rows
            )
            found[stratum] = list(agreement.mean_over_queries((both[0] - both[1]) / self.ceilings[stratum]))
        return found

    def _check(self, influences: np.ndarray) -> None:
        shape = self.atlas.standard_errors.shape
        if influences.shape[-2:] != shape:
            raise InputError(
                f"want influences of shape {list(shape)}, queries and examples; got {list(influences.shape)}."
            )

    def fitted_on_others(self, features: np.ndarray, folds: int = 5) -> np.ndarray:
        """What features say whose weights were fitted on other queries' effects: [num_queries, num_examples].

        A ridge regression; a query's effects are divided by their standard deviation. This is what the data's shape
        alone says, and what a method has to exceed.

        Args:
            features: [num_queries, num_examples, n].
            folds: parts of the queries, of which each is predicted by the others.
        """
        fitted = FittedOnOthers.of(features, self.atlas.expected, folds)
        found = np.zeros_like(self.atlas.expected)
        scaled = (features - features.mean(axis=1, keepdims=True)) / fitted.scale
        for number, weights in enumerate(fitted.weights):
            found[fitted.fold == number] = scaled[fitted.fold == number] @ weights
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class FittedOnOthers:
    """Weights of features for each part of the queries, by a ridge regression on the effects of the other parts.

    Attributes:
        scale: [n], by which features are divided.
        fold: [num_queries], the part that each query is in.
        weights: [folds, n].
    """

    scale: np.ndarray
    fold: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, effects: np.ndarray, folds: int = 5) -> "FittedOnOthers":
        """From features [num_queries, num_examples, n] and effects [num_queries, num_examples].

        Both are centred for each query, and its effects divided by their standard deviation.
        """
        effects = effects - effects.mean(axis=1, keepdims=True)
        effects /= np.maximum(effects.std(axis=1, keepdims=True), 1e-12)
        features = features - features.mean(axis=1, keepdims=True)
        scale = np.maximum(features.std(axis=(0, 1)), 1e-6)
        features, fold, found = features / scale, np.arange(len(effects)) % folds, []
        for number in range(folds):
            others = features[fold != number].reshape(-1, features.shape[2]).astype(np.float64)
            gram = others.T @ others + 0.01 * len(others) * np.eye(others.shape[1])
            found.append(np.linalg.solve(gram, others.T @ effects[fold != number].ravel()))
        return cls(scale, fold, np.stack(found))

    def score(self, place: int, features: np.ndarray) -> np.ndarray:
        """What the weights of the others say of features [num_examples, n] of the query at a place: [num_examples]."""
        found: np.ndarray = (features / self.scale) @ self.weights[self.fold[place]]
        return found
