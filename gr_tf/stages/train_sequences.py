"""The training stage of sequential recommenders: parameters, and the epochs that TracIn looks at."""

import dataclasses
import pathlib
import shutil
import time

import tensorflow as tf

from gr_tf import files
from gr_tf.attribution.example_losses import Checkpoint
from gr_tf.data.sequence_sources import load_sequences
from gr_tf.data.sequences import SequenceSet, SequenceSplit
from gr_tf.errors import InputError
from gr_tf.models.sequence_recommender import SequenceParameters
from gr_tf.report.export import read_checkpoint
from gr_tf.report.machine import peak_memory_bytes
from gr_tf.report.progress import progress
from gr_tf.report.run_dir import RunDir
from gr_tf.stages import recommender_training
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.sequence_config import SequenceTrainConfig
from gr_tf.training.sequence_trainer import EpochDone, SequenceTrainer

_RESULT = "parameters"
_EPOCHS = "epochs"


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedRecommender:
    """A finished training, ready to be explained and repeated.

    Attributes:
        trainer: of the model; has `sequences` and `config`.
        parameters: the result's.
        path: of the stage.
        fingerprint: SHA-256 of the configuration and the parameters.
    """

    trainer: SequenceTrainer
    parameters: SequenceParameters
    path: pathlib.Path
    fingerprint: str

    def checkpoints(self) -> list[Checkpoint]:
        """The kept epochs, in order.

        Raises:
            InputError: if one is missing, or none was kept.
        """
        epochs = [epoch for epoch in self.trainer.config.kept_epochs if epoch <= self.result_epoch]
        if not epochs:
            raise InputError(f"{self.path}: no epoch was kept up to epoch {self.result_epoch}: see kept_epochs.")
        return [_read_checkpoint(_epoch_path(self.path / _EPOCHS, epoch)) for epoch in epochs]

    @property
    def result_epoch(self) -> int:
        """Whose parameters are the result."""
        epoch: int = files.read_json(self.path / "result.json")["epoch"]
        return epoch


def run(
    sequences: SequenceSet,
    split: SequenceSplit,
    config: SequenceTrainConfig,
    run_dir: pathlib.Path,
    *,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> RunDir:
    """Trains, or continues a training that was killed; a finished one with the same settings stays as it is.

    Args:
        sequences, split, config, run_dir, overwrite: see recommender_training.begin.
        checkpoint_seconds: how much a kill may lose.

    Raises:
        InputError: if the folder cannot be used.
        TrainingError: if a loss is not finite.
    """
    with recommender_training.begin(run_dir, sequences, split, config.to_dict(), overwrite=overwrite) as stage:
        if not stage.is_finished:
            _train(stage, SequenceTrainer(sequences, config), checkpoint_seconds)
    return stage


def load(run_dir: pathlib.Path, sequences: SequenceSet | None = None) -> TrainedRecommender:
    """Reads the finished training of a run's folder.

    Args:
        run_dir: the folder.
        sequences: the dataset, if it is at hand; else it is read again.

    Raises:
        InputError: if it is absent or unfinished, an array is truncated or edited, or the dataset is
            no longer the one it was trained on.
    """
    stage, sequences = recommender_training.finished(
        run_dir,
        "a training of a sequential recommender",
        sequences,
        lambda name, data_dir, split: load_sequences(name, data_dir, SequenceSplit(**split)),
    )
    arrays, meta = files.read_arrays(stage.path / _RESULT)
    return TrainedRecommender(
        SequenceTrainer(sequences, SequenceTrainConfig.of_dict(meta["config"])),
        SequenceParameters.of_arrays(arrays),
        stage.path,
        files.fingerprint(stage.path / _RESULT),
    )


def _train(stage: RunDir, trainer: SequenceTrainer, checkpoint_seconds: float) -> None:
    sequences, config = trainer.sequences, trainer.config
    checkpoints = CheckpointFolder(stage.path / "checkpoints", checkpoint_seconds)
    writer = tf.summary.create_file_writer(str(stage.path / "tensorboard"))
    start, resumed = time.monotonic(), 0
    with progress("training", config.epochs) as bar:

        def resume(epochs: int) -> None:
            nonlocal resumed
            resumed = epochs
            bar.pass_over(epochs)

        def told(done: EpochDone) -> None:
            bar.advance()
            with writer.as_default(step=done.epoch):
                tf.summary.scalar("train/cross_entropy", done.loss)
                if done.validation is not None:
                    tf.summary.scalar("validation/mrr", done.validation.mrr)
                    tf.summary.scalar("validation/recall_at_10", done.validation.recall_at_10)

        trained = trainer.run(checkpoints=checkpoints, on_resume=resume, on_epoch=told)
        bar.pass_over(config.epochs - trained.epochs)
    writer.close()
    accuracy = {
        name: trainer.accuracy(trained.parameters, part)
        for name, part in (("valid", sequences.valid), ("test", sequences.test))
    }
    files.write_arrays(stage.path / _RESULT, trained.parameters.to_arrays(), {"config": config.to_dict()})
    written = stage.path / f"{files.TEMPORARY}{_EPOCHS}"
    for epoch, parameters in trained.kept.items():
        _write_checkpoint(_epoch_path(written, epoch), parameters, config.learning_rate)
    shutil.rmtree(stage.path / _EPOCHS, ignore_errors=True)  # of a process killed just here
    if trained.kept:
        written.rename(stage.path / _EPOCHS)
    stage.finish(
        {
            "num_users": len(sequences.users),
            "num_items": len(sequences.items),
            "num_train": len(sequences.train),
            "notes": list(sequences.notes),
            "epoch": trained.epoch,
            "epochs": trained.epochs,
            "kept_epochs": list(trained.kept),
            "accuracy": {
                name: None if metrics is None else dataclasses.asdict(metrics) for name, metrics in accuracy.items()
            },
            # Of the process that finished it: without the epochs before a kill, with the compilation.
            "timing": {"seconds": time.monotonic() - start, "epochs": trained.epochs - resumed},
            "peak_memory_bytes": peak_memory_bytes(),
        }
    )
    checkpoints.clear()


def _epoch_path(folder: pathlib.Path, epoch: int) -> pathlib.Path:
    return folder / f"epoch-{epoch:04d}"


def _write_checkpoint(path: pathlib.Path, parameters: SequenceParameters, learning_rate: float) -> None:
    """As a tf.train.Checkpoint of the parameters by name, and learning_rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    variables = {name: tf.Variable(array) for name, array in parameters.to_arrays().items()}
    tf.train.Checkpoint(learning_rate=tf.Variable(learning_rate, dtype=tf.float64), **variables).write(str(path))


def _read_checkpoint(path: pathlib.Path) -> Checkpoint:
    arrays = read_checkpoint(path)
    return Checkpoint.of(SequenceParameters.of_arrays(arrays), float(arrays["learning_rate"]))
