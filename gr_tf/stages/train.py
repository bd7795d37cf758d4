"""The training stage: a trained model and its rollback store on disk (the paper's step 1)."""

import dataclasses
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from gr_tf import files
from gr_tf.attribution.rollback import GradientRollback
from gr_tf.attribution.rollback_store import RollbackStore, load_deltas
from gr_tf.data.known_tails import known_from_train_and_valid
from gr_tf.data.sources import DATASETS, load_triples, published_name
from gr_tf.data.triple_split import TripleSplit
from gr_tf.data.triples import TripleSet
from gr_tf.errors import InputError
from gr_tf.models.ranking import RankingMetrics, filtered_ranks, validation_mrr
from gr_tf.report.machine import peak_memory_bytes
from gr_tf.report.progress import progress
from gr_tf.report.published import ranking_figures
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import ranking_rows
from gr_tf.report.tensorboard import EpochCurves
from gr_tf.training.checkpoints import CheckpointFolder
from gr_tf.training.config import TrainConfig
from gr_tf.training.trainer import Trainer, TrainingResult

STAGE = "train"
_PARAMETERS = "parameters"
_ROLLBACK = "rollback"


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedRun:
    """A finished training, ready to be explained and retrained.

    Attributes:
        trainer: of the model; has `model`, `triples` and `config`.
        table: [num_rows, width], the selected epoch's parameters.
        epoch: the selected epoch.
        deltas: [num_examples, 3, width], the rollback store, left on disk.
        fingerprint: SHA-256 of configuration, selected epoch, parameters and rollback store.
    """

    trainer: Trainer
    table: np.ndarray
    epoch: int
    deltas: np.ndarray
    fingerprint: str

    @property
    def triples(self) -> TripleSet:
        """The dataset it was trained on."""
        return self.trainer.triples

    def explainer(self) -> GradientRollback:
        """Gradient Rollback for this run."""
        return GradientRollback(self.trainer.model, self.table, self.deltas, self.triples)


def run(
    triples: TripleSet,
    config: TrainConfig,
    run_dir: pathlib.Path,
    *,
    overwrite: bool = False,
    reuse: bool = False,
    checkpoint_seconds: float = 30.0,
) -> RunDir:
    """Trains, or continues a training that was killed.

    Args:
        triples: the dataset.
        config: the settings.
        run_dir: the run's folder; the training's is its subfolder "train".
        overwrite: drop a training that is there.
        reuse: return a finished training with the same settings instead of refusing it.
        checkpoint_seconds: how much a kill may lose.

    Raises:
        InputError: if the folder cannot be used (see RunDir.begin).
        TrainingError: if a loss is not finite.
    """
    with RunDir.begin(run_dir / STAGE, _settings(triples, config), overwrite=overwrite, reuse=reuse) as stage:
        if not stage.is_finished:
            _train(stage, triples, config, checkpoint_seconds)
    return stage


def load(run_dir: pathlib.Path) -> TrainedRun:
    """Reads the finished training of a run's folder.

    Raises:
        InputError: if it is absent or unfinished, an array is truncated or edited, or the
            dataset's files are no longer those it was trained on.
    """
    stage = RunDir.finished(run_dir / STAGE, "gr_train")
    settings = stage.settings
    if "loss" not in settings["config"]:
        raise InputError(f"{stage.path} is no training on triples.")
    split = TripleSplit(**settings["split"]) if "split" in settings else None
    name = None if settings.get("is_own") else settings["dataset"]
    triples = load_triples(name, settings["data_dir"], split)
    place = settings["data_dir"] or "the package"
    for file in sorted({*settings["checksums"], *triples.checksums}):
        if triples.checksums.get(file) != settings["checksums"].get(file):
            raise InputError(
                f"{stage.path} was trained on another {file} than the one in {place}: the SHA-256 differs."
            )
    # The manifest's copy of the settings, which the fingerprint covers.
    arrays, meta = files.read_arrays(stage.path / _PARAMETERS)
    trainer = Trainer(triples, TrainConfig(**meta["config"]), arrays["initial_table"])
    return TrainedRun(
        trainer,
        arrays["table"],
        meta["epoch"],
        load_deltas(stage.path / _ROLLBACK),
        files.fingerprint(stage.path / _PARAMETERS, stage.path / _ROLLBACK),
    )


def _settings(triples: TripleSet, config: TrainConfig) -> dict[str, Any]:
    """The settings that a training's run directory is known by."""
    split = {} if triples.split is None else {"split": dataclasses.asdict(triples.split)}
    return {
        "dataset": triples.name,
        "data_dir": triples.data_dir,
        **split,
        # Else the name alone would tell how to read the folder.
        **({"is_own": True} if triples.is_own and triples.name in DATASETS else {}),
        "checksums": dict(triples.checksums),
        "config": config.to_dict(),
    }


def _save(
    stage: RunDir, trainer: Trainer, training: TrainingResult, store: RollbackStore, result: Mapping[str, Any]
) -> None:
    """Writes a finished training: parameters and vocabulary, rollback store, result.json."""
    arrays = {"table": training.table, "initial_table": trainer.initial_table}
    meta = {"config": trainer.config.to_dict(), "epoch": training.epoch}
    files.write_arrays(stage.path / _PARAMETERS, arrays, meta)
    store.save(stage.path / _ROLLBACK)
    for vocabulary, name in ((trainer.triples.entities, "entities"), (trainer.triples.relations, "relations")):
        files.write_text(stage.path / f"{name}.txt", "".join(f"{name}\n" for name in vocabulary.names))
    stage.finish({"epoch": training.epoch, **result})


def _train(stage: RunDir, triples: TripleSet, config: TrainConfig, checkpoint_seconds: float) -> None:
    trainer = Trainer(triples, config)
    store = RollbackStore(triples.num_examples, trainer.model.width, config.dtype)
    checkpoints = CheckpointFolder(stage.path / "checkpoints", checkpoint_seconds)
    start = time.monotonic()
    with progress("training", trainer.num_blocks * config.epochs) as bar:
        training = trainer.run(
            store=store,
            validate=validation_mrr(trainer.model, triples),
            checkpoints=checkpoints,
            on_resume=bar.pass_over,
            on_block=bar.advance,
            on_epoch=EpochCurves(stage.path / "tensorboard"),
        )
    ranks = filtered_ranks(trainer.model, training.table, triples.test, known_from_train_and_valid(triples))
    metrics = dataclasses.asdict(RankingMetrics.of(ranks))
    result = {
        "history": [dataclasses.asdict(epoch) for epoch in training.history],
        "test_ranking": ranking_rows(
            metrics, ranking_figures(published_name(triples.checksums), config.model, config.loss)
        ),
        "num_test": len(triples.test),
        "steps": trainer.steps.name,
        "seconds": time.monotonic() - start,
        "peak_memory_bytes": peak_memory_bytes(),
    }
    _save(stage, trainer, training, store, result)
    checkpoints.clear()
