"""How well scores tell mistakes from the rest."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.suspicion import suspicion, ways_of
from gr_tf.evaluation.corruption import with_mistakes
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import train_in_memory

STAGE, RANDOM = "suspects", "random"


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


def find_mistakes(
    task: Task[Any], run_dir: pathlib.Path, share: float, num_seeds: int = 1, *, overwrite: bool = False
) -> dict[str, Any]:
    """Makes mistakes, trains, and ranks in every way; a seed is one of the mistakes and of the training.

    Args:
        task: without mistakes.
        run_dir: the run's folder; writes suspects/result.json.
        share: of the training examples that are made wrong, and that are looked at.
        num_seeds: counted up from the configuration's.
        overwrite: drop what is there.

    Returns:
        What result.json holds.

    Raises:
        InputError: if the share is out of range.
    """
    first = task.config.seed
    with_mistakes(task.dataset, share, first)  # refuses a bad share before any training
    ways, seeds = [*ways_of(task.kind), RANDOM], range(first, first + num_seeds)
    data = task.dataset
    settings = {"dataset": data.name, "checksum": data.checksum, "config": task.config.to_dict(), "share": share}
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=True) as stage:
        journal = Journal(stage.path / "detections.jsonl", ["seed", "way", "auroc", "recall", "share"])
        done = {(record["seed"], record["way"]) for record in journal.records}
        keys = [(seed, way) for seed in seeds for way in ways]
        with progress("rankings", len(keys), len(done & set(keys))) as bar:
            for seed in seeds:
                todo = [way for way in ways if (seed, way) not in done]
                for way, detection in _detections(task, share, seed, todo) if todo else ():
                    journal.add({"seed": seed, "way": way, **dataclasses.asdict(detection)})
                    bar.advance()
        journal.close()
        found = {(record["seed"], record["way"]): record for record in journal.records}
        rows = [
            {"way": way, **{name: [found[seed, way][name] for seed in seeds] for name in ("auroc", "recall")}}
            for way in ways
        ]
        stage.finish({"rows": rows, "seeds": list(seeds), "num_train": task.num_examples})
        return dict(stage.result())


def _detections(task: Task[Any], share: float, seed: int, ways: Sequence[str]) -> Iterator[tuple[str, Detection]]:
    """How well each of some ways finds the mistakes of one seed."""
    corrupted = with_mistakes(task.dataset, share, seed)
    own = task.with_dataset(corrupted.dataset).with_config(seed=seed)
    trained = train_in_memory(own, validating=own.selection.metric is not None)
    for way in ways:
        if way == RANDOM:
            scores = np.random.default_rng((seed, round(share * 1_000_000))).random(task.num_examples)
        else:
            scores = suspicion(trained, way)
        yield way, Detection.of(scores, corrupted.wrong, share)
