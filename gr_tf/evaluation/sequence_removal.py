"""Retraining a sequential recommender without some of its training sequences, and what that changed."""

import concurrent.futures
import dataclasses
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.errors import InputError
from gr_tf.evaluation.journal import Journal
from gr_tf.models.sequence_ranking import NextItemMetrics
from gr_tf.models.sequence_recommender import SequenceParameters
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.sequence_trainer import SequenceTrainer

WHOLE = "nothing"


@dataclasses.dataclass(frozen=True)
class Retrained:
    """How good one training was.

    Attributes:
        removed: which choice of sequences it went without; WHOLE: none.
        k: how many.
        epoch: whose parameters were the result.
        test: on the test sequences.
        valid: on the validation sequences; None if there are none.
    """

    removed: str
    k: int
    epoch: int
    test: NextItemMetrics
    valid: NextItemMetrics | None

    @classmethod
    def of(
        cls, removed: str, k: int, trainer: SequenceTrainer, epoch: int, parameters: SequenceParameters
    ) -> "Retrained":
        """Of a training's result."""
        test, valid = (trainer.accuracy(parameters, part) for part in (trainer.sequences.test, trainer.sequences.valid))
        assert test is not None
        return cls(removed, k, epoch, test, valid)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Retrained":
        """From dataclasses.asdict."""
        test, valid = (record[name] and NextItemMetrics(**record[name]) for name in ("test", "valid"))
        return cls(record["removed"], record["k"], record["epoch"], test, valid)


def retrain_without(
    trainer: SequenceTrainer,
    removals: Mapping[tuple[str, int], np.ndarray],
    journal: Journal,
    jobs: int,
    *,
    folder: pathlib.Path | None = None,
    checkpoint_seconds: float = 30.0,
    on_found: Callable[[int], object] = lambda epochs: None,
    on_epoch: Callable[[], object] = lambda: None,
) -> Iterator[Retrained]:
    """Trains without each choice of sequences; what the journal has is not done again.

    The rest is the same in every training: initial values, batches and their order. A removed
    sequence counts for nothing in its batch.

    Args:
        trainer: of the model.
        removals: example ids by name and number.
        journal: of Retrained records.
        jobs: trainings at a time; they change no result.
        folder: where trainings under way leave checkpoints; None: a killed training begins anew.
        checkpoint_seconds: how much of each a kill may lose.
        on_found, on_epoch: told of epochs that need no work (done earlier, or not needed by the stopping
            rule), and of each that is done; of a training they add up to config.epochs.

    Yields:
        What was done anew, in the order of completion; it is in the journal by then.

    Raises:
        InputError: if jobs is below 1, or there is no test sequence.
    """
    if jobs < 1:
        raise InputError(f"jobs must be at least 1; got {jobs}.")
    if not len(trainer.sequences.test):
        raise InputError("there is no test sequence.")
    done = {(record["removed"], record["k"]) for record in journal.records}

    def retrain(removed: str, k: int) -> Retrained:
        name = f"{removed}-{k}".replace(" ", "-")
        checkpoints = None if folder is None else CheckpointFolder(folder / name, checkpoint_seconds)
        trained = trainer.run(
            removed=removals[removed, k],
            checkpoints=checkpoints,
            on_resume=on_found,
            on_epoch=lambda done: on_epoch(),
        )
        on_found(trainer.config.epochs - trained.epochs)
        return Retrained.of(removed, k, trainer, trained.epoch, trained.parameters)

    executor = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        futures = [executor.submit(retrain, *key) for key in removals if key not in done]
        for future in concurrent.futures.as_completed(futures):
            retrained = future.result()
            journal.add(dataclasses.asdict(retrained))
            yield retrained
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        executor.shutdown(cancel_futures=True)


def choices(
    influences: np.ndarray, losses: np.ndarray, ks: Sequence[int], seed: int
) -> dict[tuple[str, int], np.ndarray]:
    """What to remove, for each k: the strongest opponents; as controls random ones and those of highest loss.

    Args:
        influences: [num_train] on what is to get better.
        losses: [num_train].
        ks: how many.
        seed: of the random ones.

    Raises:
        InputError: if a k is below 1, or leaves nothing to train on.
    """
    count = len(influences)
    for k in ks:
        if not 1 <= k < count:
            raise InputError(f"k must be from 1 to {count - 1}, below the number of training sequences; got {k}.")
    random = np.random.default_rng((seed, count)).permutation(count)
    orders = {
        "opponents": np.argsort(influences, kind="stable"),
        "random": random,
        "highest loss": np.argsort(-losses, kind="stable"),
    }
    return {(name, k): np.sort(order[:k]) for k in ks for name, order in orders.items()}
