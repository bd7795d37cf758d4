"""How faithful is each method really? All of them against the atlas, the truth by exhaustive retraining.

python -m experiments.loo_atlas --num_seeds=20       # first: the truth
python -m experiments.fidelity --num_seeds=20        # then: every method, from trainings of other seeds

Both models, unless --model names one. Work that is done is found again.
"""

import dataclasses
import hashlib
import itertools
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags

from experiments import common, jobs_flag, model_flags, run_flags, seed_flags, train_flags
from experiments.fidelity_methods import DAMPING, METHODS, OneTraining
from experiments.fidelity_rows import (
    SCREENS,
    TOP,
    blend_rows,
    ceilings,
    lds_rows,
    method_rows,
    own_rows,
    screen_rows,
    shuffled_rows,
)
from experiments.fidelity_scores import COMBINED, Scored
from experiments.fidelity_tables import blend_frame, ceiling_lines, drawn, frame, own_frame
from experiments.fidelity_truth import read_truth
from experiments.loo_atlas import CONSENSUS_SEEDS, VARIED
from gr_tf import files
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError
from gr_tf.evaluation import agreement
from gr_tf.evaluation.corruption import shuffle_tails
from gr_tf.evaluation.fidelity import half_subsets
from gr_tf.evaluation.retraining import retrain_without
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
_SUBSETS, _SUBSET_SEEDS, _FIRST_SUBSET_SEED = 100, 10, 500_000
_OWN_SEEDS, _SHUFFLES = 5, 4
_CANDIDATES = 20

_ATLAS_DIR = flags.DEFINE_string("atlas_dir", None, "Folder of loo_atlas. Default: runs/DATASET-atlas.")


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
                            rows += method_rows(name, truth, masks, scored, seeds)
                    except InputError as error:
                        refused[name] = str(error)
                    bar.advance()
            if not rows:
                raise InputError("; ".join(f"{name}: {why}" for name, why in refused.items()))
            names = list(dict.fromkeys(row["method"] for row in rows))
            one = OneTraining(triples, VARIED["both"](config, seeds[0]), truth.queries)
            stage.finish(
                {
                    "ceilings": ceilings(truth, masks),
                    "rows": rows,
                    "refused": refused,
                    "negative_eigenvalues": one.negative_eigenvalues() if "influence (all)" in names else None,
                    "lds": lds_rows(names, scored, seeds, subsets, outputs),
                    "shuffled": shuffled_rows(names, truth, masks, shuffled),
                    "own": own_rows(names, truth, masks, own, scored, atlas_seeds[:_OWN_SEEDS], seeds),
                    "screens": screen_rows(names, truth, masks["adjacent"], scored, seeds, _CANDIDATES),
                    "blends": blend_rows(names, truth, masks["shared >= 2"], scored, seeds),
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
