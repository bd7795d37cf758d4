"""The training stage of rating models: parameters and Adam's state on disk."""

import dataclasses
import pathlib
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from gr_tf import files
from gr_tf.data.rating_sources import load_ratings
from gr_tf.data.ratings import RatingSet, RatingSplit
from gr_tf.evaluation.rating_accuracy import rating_accuracy
from gr_tf.models.rating_model import RatingModel, RatingParameters
from gr_tf.report.machine import peak_memory_bytes
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.stages import recommender_training
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.rating_config import RatingTrainConfig
from gr_tf.training.rating_trainer import BLOCK_STEPS, BlockMetrics, RatingState, RatingTrainer

_STATE = "state"


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedRatings:
    """A finished training, ready to be explained and continued.

    Attributes:
        trainer: of the model; has `ratings` and `config`.
        state: after the last step.
        fingerprint: SHA-256 of the configuration and the state.
    """

    trainer: RatingTrainer
    state: RatingState
    fingerprint: str

    @property
    def ratings(self) -> RatingSet:
        """The dataset it was trained on."""
        return self.trainer.ratings

    @property
    def parameters(self) -> RatingParameters:
        """The trained parameters."""
        return self.state.parameters

    def exact_model(self) -> RatingModel:
        """The model in float64, for influence functions."""
        return self.trainer.config.make_model(self.ratings, "float64")


def run(
    ratings: RatingSet,
    split: RatingSplit,
    config: RatingTrainConfig,
    run_dir: pathlib.Path,
    *,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> RunDir:
    """Trains, or continues a training that was killed; a finished one with the same settings stays as it is.

    Args:
        ratings, split, config, run_dir, overwrite: see recommender_training.begin.
        checkpoint_seconds: how much a kill may lose.

    Raises:
        InputError: if the folder cannot be used.
        TrainingError: if an error is not finite.
    """
    with recommender_training.begin(run_dir, ratings, split, config.to_dict(), overwrite=overwrite) as stage:
        if not stage.is_finished:
            _train(stage, ratings, config, checkpoint_seconds)
    return stage


def load(run_dir: pathlib.Path, ratings: RatingSet | None = None) -> TrainedRatings:
    """Reads the finished training of a run's folder.

    Args:
        run_dir: the folder.
        ratings: the dataset, if it is at hand; else it is read again.

    Raises:
        InputError: if it is absent or unfinished, an array is truncated or edited, or the dataset is
            no longer the one it was trained on.
    """
    stage, ratings = recommender_training.finished(
        run_dir,
        "a training of a rating model",
        ratings,
        lambda name, data_dir, split: load_ratings(name, data_dir, RatingSplit(**split)),
    )
    arrays, meta = files.read_arrays(stage.path / _STATE)
    trainer = RatingTrainer(ratings, RatingTrainConfig(**meta["config"]))
    return TrainedRatings(
        trainer, RatingState.of_arrays(RatingParameters, arrays, meta["step"]), files.fingerprint(stage.path / _STATE)
    )


def _train(stage: RunDir, ratings: RatingSet, config: RatingTrainConfig, checkpoint_seconds: float) -> None:
    trainer = RatingTrainer(ratings, config)
    checkpoints = CheckpointFolder(stage.path / "checkpoints", checkpoint_seconds)
    writer = tf.summary.create_file_writer(str(stage.path / "tensorboard"))
    start = time.monotonic()
    resumed = 0
    with progress("training", -(-config.steps // BLOCK_STEPS)) as bar:

        def resume(steps: int) -> None:
            nonlocal resumed
            resumed = steps
            bar.pass_over(steps // BLOCK_STEPS)

        def told(metrics: BlockMetrics, parameters: Callable[[], RatingParameters]) -> None:
            bar.advance()
            with writer.as_default(step=metrics.step):
                tf.summary.scalar("train/batch_mean_squared_error", metrics.mean_squared_error)
                if len(ratings.valid):
                    validation = rating_accuracy(trainer.model, parameters(), ratings.valid)
                    tf.summary.scalar("validation/rmse", validation["rmse"])

        state = trainer.run(
            trainer.initial_state(),
            config.steps,
            seed=config.seed,
            checkpoints=checkpoints,
            on_resume=resume,
            on_block=told,
        )
    writer.close()
    result: dict[str, Any] = {
        "num_users": len(ratings.users),
        "num_items": len(ratings.items),
        "num_train": len(ratings.train),
        "notes": list(ratings.notes),
        "accuracy": {
            name: rating_accuracy(trainer.model, state.parameters, part)
            for name, part in (("train", ratings.train), ("valid", ratings.valid), ("test", ratings.test))
        },
        # Of the process that finished it: without the steps before a kill, with the compilation.
        "timing": {"seconds": time.monotonic() - start, "steps": config.steps - resumed},
        "peak_memory_bytes": peak_memory_bytes(),
    }
    files.write_arrays(stage.path / _STATE, state.to_arrays(), {"config": config.to_dict(), "step": state.done})
    stage.finish(result)
    checkpoints.clear()
