"""Does training get better without the strongest opponents? (Kim, "Recommender System Attribution with TracIn".)"""

import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.attribution.tracin import TracIn
from gr_tf.errors import InputError, argument
from gr_tf.evaluation.outcomes import outcomes_of
from gr_tf.evaluation.retraining import Retraining
from gr_tf.evaluation.statistics import mean_interval
from gr_tf.runs import files
from gr_tf.runs.run_dir import CHECKPOINTS, RunDir
from gr_tf.tasks.trained import Trained
from gr_tf.types import Ids

WHOLE = "nothing"
# How many held-out examples share a mean loss, one term of the published influence.
_PUBLISHED_BATCH = 128

# The removed example ids, by the name of the choice and the number of examples.
Choices = Mapping[tuple[str, int], Ids]


def check_sizes(num_examples: int, ks: Collection[int]) -> None:
    """Checks how many examples to remove.

    Raises:
        InputError: if a number of examples to remove is below 1, or leaves nothing to train on.
    """
    for k in ks:
        if not 1 <= k < num_examples:
            raise InputError(
                f"{argument('removed')} must be from 1 to {num_examples - 1}, below the training examples; got {k}."
            )


def choices(influences: np.ndarray, losses: np.ndarray, ks: Sequence[int], seed: int) -> Choices:
    """Chooses what to remove, for each k: the strongest opponents, and as controls random ones and the highest losses.

    Args:
        influences: [num_examples], on the examples whose loss should fall.
        losses: [num_examples].
        ks: how many to remove.
        seed: seed of the random examples.

    Raises:
        InputError: see check_sizes.
    """
    count = len(influences)
    check_sizes(count, ks)
    orders = {
        "opponents": np.argsort(influences, kind="stable"),
        "random": np.random.default_rng((seed, count)).permutation(count),
        "highest loss": np.argsort(-losses, kind="stable"),
    }
    return {(name, k): np.sort(order[:k]) for k in ks for name, order in orders.items()}


def scores(trained: Trained, chosen: Sequence[np.ndarray], path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Each training example's influence on the losses of others, and its own loss; [num_examples] each.

    Args:
        trained: the model.
        chosen: the others, in the form of ExampleLosses; their mean losses are summed over batches, as published.
        path: where both results are kept, and found again.
    """
    if not path.exists():
        losses = trained.task.losses()
        tracin = TracIn(losses, trained.checkpoints(), losses.trained_layers)
        batches = np.arange(len(chosen[0])) // _PUBLISHED_BATCH
        influences = tracin.influences(chosen, 1 / np.bincount(batches)[batches], on_losses=True)
        files.write_arrays(path, {"influences": influences, "losses": tracin.training_losses()})
    arrays, _ = files.read_arrays(path)
    return arrays["influences"], arrays["losses"]


def train_without(
    trained: Trained, removals: Choices, stage: RunDir, jobs: int, checkpoint_seconds: float
) -> list[dict[str, Any]]:
    """Measures the model, and the model trained without some examples, in the order of the removals.

    Initial values, batches and their order are the same in every training. A removed example adds nothing to its batch.

    Args:
        trained: the model, its epoch selected by validation as in the retrainings.
        removals: example ids.
        stage: where trainings that an earlier process did are found.
        jobs: trainings at a time; they change no result.
        checkpoint_seconds: how much of each training a kill may lose.

    Returns:
        For each training "removed" and "k", the epoch, and the metrics by split.
    """
    task = trained.task
    like: dict[str, Any] = {"validating": True, "length": task.length, "start": ""}
    outcomes = outcomes_of(
        [trained],
        [Retraining.of(trained, ids, "quality", **like) for ids in removals.values()],
        stage.place("trainings.jsonl"),
        jobs,
        what=f"seed {task.config.seed}: blocks of trainings",
        folder=stage.place(CHECKPOINTS),
        checkpoint_seconds=checkpoint_seconds,
    )
    told = [{"epoch": trained.epoch, **task.quality(trained.parameters)}]
    told += [{"epoch": outcome.epoch, **outcome.measured} for outcome in outcomes]
    return [{"removed": removed, "k": k, **of} for (removed, k), of in zip([(WHOLE, 0), *removals], told, strict=True)]


def shared_with_opponents(removals: Choices) -> dict[str, int]:
    """Counts how many of each choice are also among the same number of strongest opponents."""
    return {f"{name} {k}": int(np.isin(ids, removals["opponents", k]).sum()) for (name, k), ids in removals.items()}


def changes(trainings: Mapping[int, Sequence[Mapping[str, Any]]], metrics: Collection[str]) -> list[dict[str, Any]]:
    """Averages each choice's test metrics over the seeds, with paired differences from removing nothing.

    Args:
        trainings: by seed what `train_without` gave, with the same choices for each.
        metrics: names of metrics on the test examples.
    """
    rows = []
    for of_choice in zip(*trainings.values(), strict=True):
        row: dict[str, Any] = {name: of_choice[0][name] for name in ("removed", "k")}
        for metric in metrics:
            values = [training["test"][metric] for training in of_choice]
            whole = [of_seed[0]["test"][metric] for of_seed in trainings.values()]
            differences = np.subtract(values, whole).tolist()
            mean, low, high = mean_interval(differences)
            interval = {"mean_difference": mean, "low": low, "high": high}
            row[metric] = {"mean": float(np.mean(values)), "differences": differences, **interval}
        rows.append(row)
    return rows
