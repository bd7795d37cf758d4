"""Makes mistakes on purpose, and measures how well each way to rank the training examples finds them."""

import contextlib
import pathlib
from typing import Any, TypeVar

import numpy as np

from gr_tf.attribution.suspicion import suspicion, ways_of
from gr_tf.data.dataset import Dataset
from gr_tf.errors import InputError
from gr_tf.runs.engine import scipy
from gr_tf.runs.journal import Journal
from gr_tf.runs.progress import progress
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import train_in_memory

STAGE, RANDOM = "suspects", "random"
D = TypeVar("D", bound=Dataset)


def with_mistakes(dataset: D, share: float, seed: int) -> tuple[D, np.ndarray]:
    """A dataset with other, random answers for a share of the training examples (see Dataset.with_wrong).

    Args:
        dataset: the original.
        share: how much of the training examples to change, above 0 and below 1.
        seed: seed of the draw.

    Returns:
        The dataset, with the original's ids, validation and test; and bool [num_examples], which examples are changed.

    Raises:
        InputError: if the share is out of range, or an example cannot be made wrong.
    """
    if not 0 < share < 1:
        raise InputError(f"the share of mistakes must be above 0 and below 1; got {share}.")
    count, generator = dataset.num_examples, np.random.default_rng(seed)
    chosen = max(1, round(share * count))
    if chosen >= count:
        raise InputError(f"a share of {share:g} leaves none of the {count} training examples right.")
    example_ids = np.sort(generator.choice(count, chosen, replace=False))
    return dataset.with_wrong(example_ids, generator), ~dataset.kept(example_ids)


def detection(scores: np.ndarray, wrong: np.ndarray, share: float = 0.1) -> dict[str, float]:
    """Measures how well scores of suspicion tell mistakes from the rest.

    Args:
        scores: [n], high for suspected examples; equal scores are ranked in their order.
        wrong: bool [n], which examples are mistakes; some are, not all.
        share: how much of the ranking to look at.

    Returns:
        "auroc": the chance that a mistake is ranked before another example (equals count half); "recall": the share of
        all mistakes among the first of the ranking; and "share".
    """
    statistic = scipy.stats.mannwhitneyu(scores[wrong], scores[~wrong]).statistic
    first = np.argsort(-scores, kind="stable")[: max(1, round(share * len(scores)))]
    auroc = float(statistic) / (int(wrong.sum()) * int((~wrong).sum()))
    return {"auroc": auroc, "recall": float(wrong[first].sum() / wrong.sum()), "share": share}


def find_mistakes(
    task: Task[Any], run_dir: pathlib.Path, share: float, num_seeds: int = 1, *, overwrite: bool = False
) -> dict[str, Any]:
    """Makes mistakes, trains, ranks in every way, and returns what result.json holds.

    One seed decides both the mistakes and the training.

    Args:
        task: the training without mistakes.
        run_dir: the run's folder; writes suspects/result.json.
        share: how much of the training examples is made wrong, and how much of each ranking is looked at.
        num_seeds: seeds, counted up from the configuration's.
        overwrite: drop what is there.

    Raises:
        InputError: if the share is out of range.
    """
    first, data = task.config.seed, task.dataset
    with_mistakes(data, share, first)  # refuses a bad share before any training
    ways, seeds = [*ways_of(task.kind), RANDOM], range(first, first + num_seeds)
    settings = {"dataset": data.name, "checksum": data.checksum, "config": task.config.to_dict(), "share": share}
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, reuse=True) as stage:
        fields = ["seed", "way", "auroc", "recall", "share"]
        with contextlib.closing(Journal(stage.place("detections.jsonl"), fields)) as journal:
            found = {(record["seed"], record["way"]): record for record in journal.records}
            todo = {seed: [way for way in ways if (seed, way) not in found] for seed in seeds}
            total = len(seeds) * len(ways)
            with progress("rankings", total, total - sum(map(len, todo.values()))) as bar:
                for seed in (seed for seed in seeds if todo[seed]):
                    dataset, wrong = with_mistakes(data, share, seed)
                    own = task.with_dataset(dataset).with_config(seed=seed)
                    trained = train_in_memory(own, validating=own.selection.metric is not None)
                    for way in todo[seed]:
                        if way == RANDOM:
                            scores = np.random.default_rng((seed, round(share * 1_000_000))).random(task.num_examples)
                        else:
                            scores = suspicion(trained, way)
                        found[seed, way] = {"seed": seed, "way": way, **detection(scores, wrong, share)}
                        journal.add(found[seed, way])
                        bar.advance()
        rows = [
            {"way": way, **{name: [found[seed, way][name] for seed in seeds] for name in ("auroc", "recall")}}
            for way in ways
        ]
        stage.finish({"rows": rows, "seeds": list(seeds), "num_train": task.num_examples})
        return dict(stage.result())
