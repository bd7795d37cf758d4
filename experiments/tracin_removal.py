"""Does training get better without the strongest opponents? (Kim, "Recommender System Attribution with TracIn".)

python -m experiments.tracin_removal --data_dir=ml-100k --protocol=proper

For each seed, trains with everything, and without k sequences: the strongest opponents by TracInCP, and
as controls k random ones and the k of highest loss. Every training is kept as soon as it is done.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, jobs_flag, model_flags, run_flags, seed_flags, sequence_flags
from gr_tf import files
from gr_tf.attribution.example_losses import SequenceLosses
from gr_tf.attribution.tracin import TracIn
from gr_tf.data.sequences import Sequences, SequenceSet, SequenceSplit
from gr_tf.errors import InputError
from gr_tf.evaluation.intervals import mean_interval
from gr_tf.evaluation.journal import Journal
from gr_tf.evaluation.sequence_removal import WHOLE, Retrained, choices, retrain_without
from gr_tf.report import figures, published
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.stages import train_sequences
from gr_tf.training.sequence_config import SequenceTrainConfig

for module in (jobs_flag, model_flags, run_flags, seed_flags, sequence_flags):
    flags.adopt_module_key_flags(module)

NAME = "removal"
_SCORES = "scores"
# What the removed are chosen by: the published code looks at the sequences that it then reports on.
CHOSEN_ON = {"published": "test", "proper": "valid"}
# Test sequences whose mean loss is one term of the published influence.
_PUBLISHED_BATCH = 128
_PAGES_K = 500
METRICS = {"mrr": "MRR", "recall_at_10": "Recall@10", "cross_entropy": "cross-entropy"}

_REMOVED = flags.DEFINE_list("removed", ["500"], "How many sequences to remove; a list.")


def run(
    sequences: SequenceSet,
    split: SequenceSplit,
    config: SequenceTrainConfig,
    run_dir: pathlib.Path,
    ks: Sequence[int],
    *,
    chosen_on: str,
    num_seeds: int = 1,
    jobs: int = 1,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> dict[str, Any]:
    """Does what is missing of the trainings, writes removal/result.json and removal.png.

    Args:
        sequences, split, config, run_dir, checkpoint_seconds: see stages.train_sequences.run; each seed has a
            subfolder.
        ks: how many sequences to remove.
        chosen_on: "test" or "valid", the sequences whose opponents are removed.
        num_seeds: counted up from config.seed.
        jobs: trainings at a time.
        overwrite: drop what is there.

    Returns:
        What result.json holds.

    Raises:
        InputError: if a k is out of range, or there is nothing to choose or to test on.
    """
    for part in dict.fromkeys(("test", chosen_on)):
        if not len(getattr(sequences, part)):
            raise InputError(f"there are no {part} sequences: users have too few choices.")
    nothing = np.zeros(sequences.num_examples)
    choices(nothing, nothing, ks, 0)  # refuses a bad k before any training
    seeds = range(config.seed, config.seed + num_seeds)
    settings = {
        "checksum": sequences.checksum,
        "config": config.to_dict(),
        "chosen_on": chosen_on,
        "ks": list(ks),
        "seeds": list(seeds),
    }
    records: dict[int, list[Retrained]] = {}
    shared: dict[int, dict[str, int]] = {}
    for seed in seeds:
        records[seed], shared[seed] = _of_seed(
            sequences,
            split,
            dataclasses.replace(config, seed=seed),
            run_dir / f"seed-{seed}",
            ks,
            chosen_on,
            jobs,
            overwrite,
            checkpoint_seconds,
        )
    with RunDir.begin(run_dir / NAME, settings, overwrite=True) as stage:
        rows = [_row(records, *key) for key in ((record.removed, record.k) for record in records[config.seed])]
        panels = [
            (
                name,
                [f"{row['removed']} {row['k']}" for row in rows if row["removed"] != WHOLE],
                [row[metric]["differences"] for row in rows if row["removed"] != WHOLE],
            )
            for metric, name in METRICS.items()
        ]
        figures.save(figures.removal_effects(panels), stage.path / "removal.png")
        stage.finish(
            {
                "dataset": sequences.name,
                "config": config.to_dict(),
                "split": dataclasses.asdict(split),
                "num_train": sequences.num_examples,
                "num_test": len(sequences.test),
                "rows": rows,
                "trainings": {
                    str(seed): [dataclasses.asdict(record) for record in of_seed] for seed, of_seed in records.items()
                },
                "shared_with_opponents": {str(seed): counts for seed, counts in shared.items()},
                "paper": published.TRACIN_REMOVAL,
            }
        )
        return dict(stage.result())


def _of_seed(
    sequences: SequenceSet,
    split: SequenceSplit,
    config: SequenceTrainConfig,
    run_dir: pathlib.Path,
    ks: Sequence[int],
    chosen_on: str,
    jobs: int,
    overwrite: bool,
    checkpoint_seconds: float,
) -> tuple[list[Retrained], dict[str, int]]:
    """The trainings of one seed, in the order of the removals, and how many of each removed are opponents.

    Other numbers asked for earlier stay in the journal.
    """
    train_sequences.run(sequences, split, config, run_dir, overwrite=overwrite, checkpoint_seconds=checkpoint_seconds)
    trained = train_sequences.load(run_dir, sequences)
    settings = {"chosen_on": chosen_on, "train_fingerprint": trained.fingerprint}
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite) as stage:
        scores = _scores(trained, getattr(sequences, chosen_on), stage.path / _SCORES)
        removals = choices(*scores, ks, config.seed)
        journal = Journal(stage.path / "trainings.jsonl", [field.name for field in dataclasses.fields(Retrained)])
        done = {(record["removed"], record["k"]) for record in journal.records}
        missing = [key for key in removals if key not in done]
        what = f"seed {config.seed}: epochs of {len(missing)} trainings"
        with progress(what, len(missing) * config.epochs) as bar:
            for _ in retrain_without(
                trained.trainer,
                removals,
                journal,
                jobs,
                folder=stage.path / "checkpoints",
                checkpoint_seconds=checkpoint_seconds,
                on_found=bar.pass_over,
                on_epoch=bar.advance,
            ):
                pass
        journal.close()
        by_key = {(record["removed"], record["k"]): Retrained.of_record(record) for record in journal.records}
    shared = {f"{name} {k}": int(np.isin(ids, removals["opponents", k]).sum()) for (name, k), ids in removals.items()}
    whole = Retrained.of(WHOLE, 0, trained.trainer, trained.result_epoch, trained.parameters)
    return [whole, *(by_key[key] for key in removals)], shared


def _scores(
    trained: train_sequences.TrainedRecommender, chosen: Sequences, path: pathlib.Path
) -> tuple[np.ndarray, np.ndarray]:
    """Each training sequence's influence on the chosen ones, and its loss [num_train]; kept at path."""
    if path.exists():
        arrays, _ = files.read_arrays(path)
        return arrays["influences"], arrays["losses"]
    trainer = trained.trainer
    losses = SequenceLosses(trainer.model, trainer.sequences)
    explainer = TracIn(losses, trained.checkpoints(), trainer.config.trained_layers)
    # The published sum over batches of their mean losses.
    batches = np.arange(len(chosen)) // _PUBLISHED_BATCH
    influences = explainer.influences(losses.batch(chosen), 1 / np.bincount(batches)[batches])
    values = explainer.training_losses()
    files.write_arrays(path, {"influences": influences, "losses": values})
    return influences, values


def _row(records: Mapping[int, Sequence[Retrained]], removed: str, k: int) -> dict[str, Any]:
    """One choice of sequences over the seeds: means, and paired differences to removing nothing."""
    row: dict[str, Any] = {"removed": removed, "k": k}
    for metric in METRICS:
        values = [
            [
                next(getattr(record.test, metric) for record in of_seed if (record.removed, record.k) == key)
                for of_seed in records.values()
            ]
            for key in ((removed, k), (WHOLE, 0))
        ]
        differences = [with_removal - whole for with_removal, whole in zip(*values, strict=True)]
        mean, low, high = mean_interval(differences)
        row[metric] = {
            "mean": float(np.mean(values[0])),
            "differences": differences,
            "mean_difference": mean,
            "low": low,
            "high": high,
        }
    return row


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """For reading, from result.json."""
    as_published = result["settings"]["chosen_on"] == CHOSEN_ON["published"]
    rows = []
    for row in result["rows"]:
        told = {
            "removed": f"{row['k']} {row['removed']}" if row["k"] else row["removed"],
            "seeds": len(result["trainings"]),
        }
        for metric, name in METRICS.items():
            of_metric = row[metric]
            told[name] = f"{of_metric['mean']:.4f}"
            told[f"{name}, change"] = "-" if row["removed"] == WHOLE else _change(of_metric)
            if as_published and metric in result["paper"]["whole"]:
                told[f"page's {name}"] = _of_page(result["paper"], row, metric)
        rows.append(told)
    return pd.DataFrame(rows)


def _of_page(paper: Mapping[str, Mapping[str, float]], row: Mapping[str, Any], metric: str) -> str:
    """The page's figure; it has 500 opponents' alone."""
    of_row = paper["whole"] if row["removed"] == WHOLE else paper.get(row["removed"]) if row["k"] == _PAGES_K else None
    return "-" if of_row is None else str(of_row[metric])


def _change(of_metric: Mapping[str, Any]) -> str:
    mean = f"{of_metric['mean_difference']:+.4f}"
    return mean if of_metric["low"] is None else f"{mean} [{of_metric['low']:+.4f}, {of_metric['high']:+.4f}]"


def main() -> None:
    sequences = sequence_flags.load_dataset()
    protocol = sequence_flags.PROTOCOL.value
    folder = run_flags.run_dir(f"{sequences.name}-lstm-{protocol}")
    result = run(
        sequences,
        sequence_flags.split_of_flags(),
        sequence_flags.config_of_flags(),
        folder,
        model_flags.whole_numbers(_REMOVED),
        chosen_on=CHOSEN_ON[protocol],
        num_seeds=seed_flags.NUM_SEEDS.value,
        jobs=jobs_flag.JOBS.value,
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
    )
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}: result.json, removal.png.")


if __name__ == "__main__":
    common.start(main)
