"""How faithful is each method really? All of them against the atlas, the truth by exhaustive retraining.

python -m experiments.loo_atlas --num_seeds=20       # first: the truth
python -m experiments.fidelity --num_seeds=20        # then: every method, from trainings of other seeds

Both models, unless --model names one. Work that is done is found again.
"""

import dataclasses
import functools
import hashlib
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from experiments import common, jobs_flag, model_flags, run_flags, seed_flags, train_flags
from experiments.fidelity_methods import DAMPING, METHODS, OneTraining
from experiments.fidelity_scores import COMBINED, Scored, Scores, ensembles
from experiments.fidelity_tables import STRATA, blend_frame, ceiling_lines, drawn, frame, own_frame
from experiments.loo_atlas import CONSENSUS_SEEDS, VARIED, effects_of
from gr_tf import files
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation import agreement
from gr_tf.evaluation.atlas import Atlas
from gr_tf.evaluation.corruption import shuffle_tails
from gr_tf.evaluation.fidelity import (
    best_k_effects,
    captured_effect,
    half_subsets,
    linear_datamodeling_score,
    screened_effects,
    top_k_effects,
)
from gr_tf.evaluation.intervals import mean_interval
from gr_tf.evaluation.retraining import retrain_without
from gr_tf.evaluation.shrinkage import shrunken
from gr_tf.models.prediction import tail_probabilities
from gr_tf.report.figures import save
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.training.config import MODELS, TrainConfig
from gr_tf.training.trainer import Trainer

for module in (jobs_flag, model_flags, run_flags, seed_flags, train_flags):
    flags.adopt_module_key_flags(module)

NAME = "fidelity"
DEFAULTS = {"num_seeds": 20}
# The seeds of the explained trainings: none of the atlas's.
FIRST_SEED = 10_000
SIZES = (1, 2, 5, 10, 20, 50)
TOP = (1, 10)
_SUBSETS, _SUBSET_SEEDS, _FIRST_SUBSET_SEED = 100, 10, 500_000
_OWN_SEEDS, _SHUFFLES = 5, 4
# An atlas is split into halves of at least two seeds.
_LEAST_ATLAS_SEEDS = 4
# Methods whose proposals are retrained, and those whose scores are blended with what was measured.
SCREENS = ("NH", "GR", "gradient cosine", "replay from epoch 2")
_CANDIDATES = 20

_ATLAS_DIR = flags.DEFINE_string("atlas_dir", None, "Folder of loo_atlas. Default: runs/DATASET-atlas.")


@dataclasses.dataclass(frozen=True)
class Truth:
    """An atlas with the effects of every seed.

    Attributes:
        queries: what was asked.
        effects: [num_seeds, num_queries, num_examples].
        shared: [num_queries, num_examples].
    """

    queries: Sequence[Query]
    effects: np.ndarray
    shared: np.ndarray

    @functools.cached_property
    def expected(self) -> np.ndarray:
        """The mean over seeds."""
        mean: np.ndarray = self.effects.mean(axis=0)
        return mean


def run(
    triples: TripleSet,
    config: TrainConfig,
    atlas_dir: pathlib.Path,
    run_dir: pathlib.Path,
    num_seeds: int,
    *,
    jobs: int = 1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Computes what is missing and writes {model}/fidelity{num_seeds}/result.json.

    Args:
        triples: the dataset.
        config: of the trainings, as the atlas's.
        atlas_dir: where loo_atlas left atlases with `varied` both; the one of most seeds is taken.
        run_dir: the folder.
        num_seeds: trainings that are explained.
        jobs: retrainings at a time.
        overwrite: drop what was written.

    Returns:
        What result.json holds.

    Raises:
        InputError: if there is no atlas, or of another dataset or configuration.
    """
    truth, atlas_seeds, fingerprint = read_truth(atlas_dir / config.model, triples, config)
    seeds = range(FIRST_SEED, FIRST_SEED + num_seeds)
    refuse_shared_seeds(atlas_seeds, seeds)
    asked_about = hashlib.sha256(
        np.array([dataclasses.astuple(query) for query in truth.queries]).tobytes()
    ).hexdigest()
    settings = {
        "dataset": triples.name,
        "checksum": triples.checksum,
        "config": config.to_dict(),
        "queries": asked_about,
        "damping": DAMPING,
        "methods": list(METHODS),
        "subsets": [_SUBSETS, _SUBSET_SEEDS],
    }
    folder = run_dir / config.model
    with RunDir.begin(folder / "influences", settings, overwrite=overwrite, reuse=True) as stage:
        scored = Scored(stage.path / "trained", triples, config, truth.queries)
        scored.compute(seeds)
        shuffled = []
        for shuffle, seed in enumerate(seeds[:_SHUFFLES]):
            without_sense = shuffle_tails(triples, shuffle)
            shuffled.append((Scored(stage.path / f"shuffled{shuffle}", without_sense, config, truth.queries), seed))
            shuffled[-1][0].compute([seed])
        own = Scored(stage.path / "own", triples, config, truth.queries)
        own.compute(atlas_seeds[:_OWN_SEEDS])
        subsets = half_subsets(triples.num_examples, _SUBSETS, config.seed)
        outputs = _subset_outputs(stage.path / "subsets", triples, config, truth.queries, subsets, jobs)
    asked = {
        **settings,
        "num_seeds": num_seeds,
        "atlas_seeds": len(atlas_seeds),
        "atlas_fingerprint": fingerprint,
        "protocols": {
            "own_seeds": _OWN_SEEDS,
            "shuffles": _SHUFFLES,
            "top": list(TOP),
            "candidates": _CANDIDATES,
            "combined": {name: list(parts) for name, parts in COMBINED.items()},
            "screens": list(SCREENS),
        },
    }
    with RunDir.begin(folder / f"{NAME}{num_seeds}", asked, overwrite=overwrite, replace=True, reuse=True) as stage:
        if not stage.is_finished:
            masks = agreement.strata(truth.shared)
            rows, refused = [], {**own.refused, **scored.refused}
            with progress("comparisons", len(METHODS) + len(COMBINED)) as bar:
                for name in (*METHODS, *COMBINED):
                    try:
                        if not {name, *COMBINED.get(name, ())} & set(refused):
                            rows += _method_rows(name, truth, masks, scored, seeds)
                    except InputError as error:
                        refused[name] = str(error)
                    bar.advance()
            if not rows:
                raise InputError("; ".join(f"{name}: {why}" for name, why in refused.items()))
            names = list(dict.fromkeys(row["method"] for row in rows))
            one = OneTraining(triples, VARIED["both"](config, seeds[0]), truth.queries)
            stage.finish(
                {
                    "ceilings": _ceilings(truth, masks),
                    "rows": rows,
                    "refused": refused,
                    "negative_eigenvalues": one.negative_eigenvalues() if "influence (all)" in names else None,
                    "lds": _lds_rows(names, scored, seeds, subsets, outputs),
                    "shuffled": _shuffled_rows(names, truth, masks, shuffled),
                    "own": _own_rows(names, truth, masks, own, scored, atlas_seeds[:_OWN_SEEDS], seeds),
                    "screens": _screen_rows(names, truth, masks["adjacent"], scored, seeds),
                    "blends": _blend_rows(names, truth, masks["shared >= 2"], scored, seeds),
                }
            )
        return dict(stage.result())


def refuse_shared_seeds(atlas_seeds: Sequence[int], seeds: Sequence[int]) -> None:
    """
    Raises:
        InputError: if a seed serves for two of: the truth, the explained trainings, those on subsets, the queries.
    """
    uses = {
        "the atlas": set(atlas_seeds),
        "the explained trainings": set(seeds),
        "the trainings on halves": set(_subset_seeds()),
        "the queries": set(CONSENSUS_SEEDS),
    }
    for first, second in itertools.combinations(uses, 2):
        if uses[first] & uses[second]:
            seed = min(uses[first] & uses[second])
            raise InputError(f"seed {seed} would serve for {first} and for {second}: take another --seed of the atlas.")


def _subset_seeds() -> range:
    return range(_FIRST_SUBSET_SEED, _FIRST_SUBSET_SEED + _SUBSET_SEEDS)


def read_truth(folder: pathlib.Path, triples: TripleSet, config: TrainConfig) -> tuple[Truth, list[int], str]:
    """The largest atlas of a model: its truth, its seeds, and the file's SHA-256.

    Raises:
        InputError: if there is none, or it is of another dataset or configuration, or of too few seeds, or its
            trainings are not there any more.
    """
    made = sorted(folder.glob("both*/result.json"), key=lambda path: int(path.parent.name.removeprefix("both")))
    if not made:
        raise InputError(f"{folder}: has no finished atlas: run loo_atlas first, or name its folder with --atlas_dir.")
    stage = RunDir.finished(made[-1].parent, "loo_atlas")
    if stage.settings["checksum"] != triples.checksum or stage.settings["config"] != config.to_dict():
        raise InputError(f"{stage.path}: is of another dataset or configuration: name yours with --atlas_dir.")
    atlas = Atlas.load(stage.path / "atlas.npz")
    seeds = atlas.seeds.tolist()
    if len(seeds) < _LEAST_ATLAS_SEEDS:
        raise InputError(f"{stage.path}: want an atlas of at least {_LEAST_ATLAS_SEEDS} seeds; got {len(seeds)}.")
    effects = effects_of(folder / "trainings" / "both", seeds)
    if not np.allclose(effects.mean(axis=0), atlas.expected, rtol=1e-4, atol=1e-6):
        raise InputError(f"{stage.path}: its trainings were replaced: remove it, and run loo_atlas again.")
    return Truth(atlas.asked(), effects, atlas.shared(triples)), seeds, files.sha256(stage.path / "atlas.npz")


def _subset_outputs(
    folder: pathlib.Path,
    triples: TripleSet,
    config: TrainConfig,
    queries: Sequence[Query],
    subsets: np.ndarray,
    jobs: int,
) -> np.ndarray:
    """[num_seeds, num_subsets, num_queries]: what trainings on random halves predict."""
    removals = [np.flatnonzero(~inside) for inside in subsets]
    seeds = _subset_seeds()
    outputs = []
    done = sum((folder / f"seed{seed}").exists() for seed in seeds)
    with progress("trainings on halves", len(seeds) * _SUBSETS, done * _SUBSETS) as bar:
        for seed in seeds:
            place = folder / f"seed{seed}"
            if not place.exists():
                trainer = Trainer(triples, VARIED["both"](config, seed))
                model = trainer.model
                found = np.zeros((_SUBSETS, len(queries)))

                def measure(i: int, table: np.ndarray) -> tuple[int, np.ndarray]:
                    return i, tail_probabilities(model, table, queries)  # noqa: B023  (used before the next seed)

                for i, probabilities in retrain_without(trainer, config.epochs, removals, measure, jobs):
                    found[i] = probabilities
                    bar.advance()
                files.write_arrays(place, {"outputs": found})
            arrays, _ = files.read_arrays(place)
            outputs.append(arrays["outputs"])
    return np.stack(outputs)


def _ceilings(truth: Truth, masks: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """How far an exact method's correlations would reach, by stratum; see agreement.split_half."""
    rows = []
    for stratum in STRATA:
        row: dict[str, Any] = {"stratum": stratum}
        for name, coefficient in agreement.COEFFICIENTS.items():
            half, *_ = agreement.mean_over_queries(agreement.split_half(truth.effects, masks[stratum], coefficient))
            reliability = agreement.spearman_brown(half)
            row[name] = {"half": half, "reliability": reliability, "ceiling": agreement.ceiling(reliability)}
        rows.append(row)
    return rows


def _method_rows(
    name: str, truth: Truth, masks: Mapping[str, np.ndarray], scores: Scores, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """A row for each size of ensemble: correlations by stratum, captured effects of adjacent examples."""
    halves = truth.effects[0::2].mean(axis=0), truth.effects[1::2].mean(axis=0)
    rows = []
    for size in sorted({size for size in SIZES if size < len(seeds)} | {len(seeds)}):
        groups = ensembles(scores, name, seeds, size)
        row: dict[str, Any] = {"method": name, "trainings": size, "groups": len(groups)}
        for stratum in STRATA:
            for coefficient, function in agreement.COEFFICIENTS.items():
                found = agreement.per_query(np.stack(groups), truth.expected, masks[stratum], function)
                per_query = found.mean(axis=0)
                row[f"{coefficient}, {stratum}"] = agreement.mean_over_queries(per_query)
        for k in TOP:
            row[f"captured, {k}"] = float(
                np.mean([captured_effect(group, truth.expected, halves, masks["adjacent"], k) for group in groups])
            )
        rows.append(row)
    return rows


def _lds_rows(
    names: Sequence[str], scores: Scores, seeds: Sequence[int], subsets: np.ndarray, outputs: np.ndarray
) -> dict[str, Any]:
    """LDS of every method, of one training and of all, beside what noise allows."""
    everything = np.ones(outputs.shape[1:][::-1], bool)
    half, *_ = agreement.mean_over_queries(
        agreement.split_half(outputs.transpose(0, 2, 1), everything, agreement.spearman_rows)
    )
    reliability = agreement.spearman_brown(half)
    mean = outputs.mean(axis=0)
    rows = []
    for name in names:
        for size in sorted({1, len(seeds)}):
            groups = ensembles(scores, name, seeds, size)
            per_query = np.mean([linear_datamodeling_score(group, subsets, mean) for group in groups], axis=0)
            rows.append({"method": name, "trainings": size, "lds": agreement.mean_over_queries(per_query)})
    return {"reliability": reliability, "ceiling": agreement.ceiling(reliability), "rows": rows}


def _shuffled_rows(
    names: Sequence[str], truth: Truth, masks: Mapping[str, np.ndarray], shuffled: Sequence[tuple[Scored, int]]
) -> list[dict[str, Any]]:
    """The same methods on models whose training tails were shuffled: nothing may be left (Adebayo et al. 2018).

    The interval is Student's, over shuffles (queries share a model). None for a method that ranks nothing there.
    """
    rows: list[dict[str, Any]] = []
    for name in names:
        means: list[float] = []
        try:
            for scores, seed in shuffled:
                (group,) = ensembles(scores, name, [seed], 1)
                per_query = agreement.per_query(group, truth.expected, masks["shared >= 2"], agreement.spearman_rows)
                means.append(agreement.mean_over_queries(per_query)[0])
            rows.append({"method": name, "spearman": mean_interval(means)})
        except InputError as error:
            rows.append({"method": name, "spearman": None, "why": str(error)})
    return rows


def _own_rows(
    names: Sequence[str],
    truth: Truth,
    masks: Mapping[str, np.ndarray],
    own: Scores,
    other: Scores,
    atlas_seeds: Sequence[int],
    seeds: Sequence[int],
) -> list[dict[str, Any]]:
    """One training's explanation against the effects on that very training, and PD% of its first example.

    PD% (Lawrence et al. 2021): how often the prediction falls without it. Beside that of the ensemble's first
    example, and of the one that the other atlas seeds show to do most.
    """
    mask, rows = masks["adjacent"], []
    for name in (name for name in names if name in METHODS):
        (ensemble,) = ensembles(other, name, seeds, len(seeds))[:1]
        row: dict[str, Any] = {"method": name}
        for stratum in STRATA:
            per_query = np.mean(
                [
                    agreement.per_query(own(name, seed), effects, masks[stratum], agreement.spearman_rows)
                    for seed, effects in zip(atlas_seeds, truth.effects, strict=False)
                ],
                axis=0,
            )
            row[f"spearman, {stratum}"] = agreement.mean_over_queries(per_query)
        row["pd_own"] = [
            float((top_k_effects(own(name, seed), effects, mask, 1) > 0).mean())
            for seed, effects in zip(atlas_seeds, truth.effects, strict=False)
        ]
        row["pd_ensemble"] = [
            float((top_k_effects(ensemble, effects, mask, 1) > 0).mean()) for effects in truth.effects
        ]
        rows.append(row)
    best = []
    for place, effects in enumerate(truth.effects):
        rest = np.delete(truth.effects, place, axis=0).mean(axis=0)
        best.append(float((top_k_effects(rest, effects, mask, 1) > 0).mean()))
    rows.append({"method": "the other seeds' retrainings", "pd_ensemble": best})
    return rows


def _screen_rows(
    names: Sequence[str], truth: Truth, mask: np.ndarray, scores: Scores, seeds: Sequence[int]
) -> dict[str, Any]:
    """Screen, then retrain: the mean effect of the example chosen, by retrainings of each of the candidates.

    Beside that of the best by half of the atlas's seeds, of all examples of the mask, valued by the other half.
    """
    half = len(truth.effects) // 2
    halves = truth.effects[:half].mean(axis=0), truth.effects[half:].mean(axis=0)
    rows = []
    for name in (name for name in SCREENS if name in names):
        (group,) = ensembles(scores, name, seeds, len(seeds))[:1]
        for blended in (False, True):
            effects = screened_effects(group, truth.effects, mask, _CANDIDATES, blended=blended)
            rows.append({"method": name, "blended": blended, "effects": effects.tolist()})
    return {"exhaustive": float(best_k_effects(halves, mask, 1).mean()), "candidates": _CANDIDATES, "rows": rows}


def _blend_rows(
    names: Sequence[str], truth: Truth, mask: np.ndarray, scores: Scores, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """What a few retrainings measured, alone and blended with a method's scores; against the other seeds."""
    half = len(truth.effects) // 2
    measured, rest = truth.effects[:half], truth.effects[half:]
    reliability = agreement.spearman_brown(
        agreement.mean_over_queries(agreement.split_half(rest, mask, agreement.spearman_rows))[0]
    )
    rows = []
    for spent in sorted({1, 2, 5, half} & set(range(1, half + 1))):
        candidates = {"retrainings alone": measured[:spent].mean(axis=0)}
        for name in (name for name in (*SCREENS[1:], *COMBINED) if name in names):
            (group,) = ensembles(scores, name, seeds, len(seeds))[:1]
            candidates[name] = shrunken(measured[:spent], group, mask)
        for name, found in candidates.items():
            spearman = agreement.per_query(found, rest.mean(axis=0), mask, agreement.spearman_rows)
            mean, low, high = agreement.mean_over_queries(spearman)
            rows.append(
                {
                    "method": name,
                    "retrainings": spent,
                    "spearman": [mean, low, high],
                    "ceiling": agreement.ceiling(reliability),
                }
            )
    return rows


def main() -> None:
    triples = train_flags.load_dataset()
    models = [model_flags.MODEL.value] if model_flags.MODEL.value else list(MODELS)
    folder = run_flags.run_dir(f"{triples.name}-fidelity")
    atlas_dir = pathlib.Path(_ATLAS_DIR.value or f"runs/{triples.name}-atlas")
    for model in models:
        config = train_flags.config_of_flags(triples.name, model=model)
        result = run(
            triples,
            config,
            atlas_dir,
            folder,
            seed_flags.NUM_SEEDS.value,
            jobs=jobs_flag.JOBS.value,
            overwrite=run_flags.OVERWRITE.value,
        )
        place = folder / model / f"{NAME}{seed_flags.NUM_SEEDS.value}"
        save(drawn(result), place / "fidelity.png")
        print(ceiling_lines(result))
        for table in (frame(result), own_frame(result), blend_frame(result)):
            print(as_text(table))
        for name, why in result["refused"].items():
            print(f"{name}: {why}")
        print(f"Written to {place}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
