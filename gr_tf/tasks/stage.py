"""A training on disk: the stage "train" of a run's folder, for every kind of data."""

import contextlib
import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

from gr_tf.data.dataset import Dataset
from gr_tf.errors import DamagedError, InputError, argument
from gr_tf.models.parameters import Parameters
from gr_tf.runs import files
from gr_tf.runs.checkpoints import CheckpointFolder
from gr_tf.runs.curves import Curves
from gr_tf.runs.machine import peak_memory_bytes
from gr_tf.runs.made_with import difference, made_with
from gr_tf.runs.progress import Progress, progress
from gr_tf.runs.run_dir import CHECKPOINTS, RunDir
from gr_tf.tasks import kinds
from gr_tf.tasks.reference import TaskReference
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained
from gr_tf.training.disk_store import store_of
from gr_tf.training.driver import Epoch, Training
from gr_tf.training.rollback_store import RollbackStore, load_deltas
from gr_tf.training.steps import Block

STAGE = "train"
_PARAMETERS, _ROLLBACK, _STATE = "parameters", "rollback", "state"
_INITIAL = "initial."
# Where changes are that memory does not hold, until the training is finished.
_CHANGES = "changes"


def train(
    task: Task[Any],
    run_dir: pathlib.Path,
    *,
    overwrite: bool = False,
    replace: bool = False,
    reuse: bool = False,
    checkpoint_seconds: float = 30.0,
    length: int | None = None,
    tracking: bool = True,
    bar: Progress | None = None,
) -> RunDir:
    """Trains, or continues a training that was killed.

    Args:
        task: what to train.
        run_dir: the run's folder; the training's is its subfolder "train".
        overwrite: drop a training that is there.
        replace: drop it if it has other settings.
        reuse: return a finished training with the same settings instead of refusing it.
        checkpoint_seconds: how much a kill may lose.
        length: train just so long, without selecting an epoch by validation; None: the configuration's.
        tracking: keep what each example changed, if the steps tell.
        bar: where blocks of steps are told; None: a progress bar of its own.

    Raises:
        InputError: if the folder cannot be used (see RunDir.begin).
        TrainingError: if a loss or a parameter is not finite.
    """
    task.steps  # noqa: B018  (refuses what cannot be trained, before a folder is there)
    settings = _settings(task) | ({} if length is None else {"length": length, "tracking": tracking})
    with RunDir.begin(run_dir / STAGE, settings, overwrite=overwrite, replace=replace, reuse=reuse) as stage:
        if not stage.is_finished:
            _train(stage, task, checkpoint_seconds, length, tracking, bar)
    return stage


def load(run_dir: pathlib.Path, dataset: Dataset | None = None) -> Trained:
    """Reads the finished training of a run's folder.

    Args:
        run_dir: the folder.
        dataset: the one it was trained on, if it is at hand; else it is read again.

    Raises:
        InputError: if the training is absent or unfinished, an array is truncated or edited, or the dataset is no
            longer the one it was trained on.
    """
    stage = RunDir.finished(run_dir / STAGE, "gr_tf train")
    other = difference(stage.result().get("made_with", {}), made_with())
    if other:
        print(f"{stage.path} was made with {other}: the last digits of what is compared may differ.", file=sys.stderr)
    reference = reference_of(stage)
    if dataset is None:
        dataset = kinds.read(reference)
    if dataset.checksum != reference.checksum:
        raise InputError(f"{stage.path} was trained on other data than {dataset.source or dataset.name} has now.")
    # The manifest's copy of the settings, which the fingerprint covers.
    arrays, meta = files.read_arrays(stage.path / _PARAMETERS)
    if meta["config"] != stage.settings["config"]:
        raise DamagedError(f"{stage.path / _PARAMETERS}: is of another training than {stage.path / 'run.json'}.")
    kind = kinds.KINDS[reference.kind]
    initial = Parameters.of_arrays(arrays, _INITIAL) if reference.initial else None
    task = kind(dataset, kind.config_class.of_dict(meta["config"]), initial)
    folders = {name: stage.path / name for name in (_PARAMETERS, _ROLLBACK, _STATE) if (stage.path / name).exists()}
    return Trained(
        task,
        Parameters.of_arrays(arrays),
        meta["epoch"],
        deltas=load_deltas(folders[_ROLLBACK]) if _ROLLBACK in folders else None,
        kept={epoch: Parameters.of_arrays(arrays, f"kept-{epoch}.") for epoch in meta["kept"]},
        state=files.read_arrays(folders[_STATE])[0] if _STATE in folders else None,
        fingerprint=files.fingerprint(*folders.values()),
        path=stage.path,
    )


def quality_of(trained: Trained) -> tuple[dict[str, Any], dict[str, Any]]:
    """How good a model is, and its baseline: see Task.quality and Task.baselines.

    As its training wrote it; measured if it was trained in memory, or by a gr_tf that did not measure the baseline.
    """
    result = {} if trained.path is None else RunDir.finished(trained.path, "gr_tf train").result()
    task = trained.task
    return result.get("quality") or task.quality(trained.parameters), result.get("baseline") or task.baselines()


def kind_of_run(run_dir: pathlib.Path) -> str:
    """The kind of data that a run's finished training is of.

    Raises:
        InputError: if there is none.
    """
    stage = run_dir / STAGE
    if not (stage / "result.json").exists():
        raise InputError(
            f"{stage}: has no finished training: name your data with {argument('data_dir')} or {argument('dataset')}."
        )
    return reference_of(RunDir.finished(stage, "gr_tf train")).kind


def reference_of(stage: RunDir) -> TaskReference:
    """What a training's stage was made of.

    Raises:
        InputError: if it is no training, or of an earlier gr_tf, or a setting is unknown or out of range.
    """
    told = stage.settings
    kind = kinds.KINDS.get(str(told.get("kind")))
    if kind is None:
        raise InputError(f"{stage.path} is no training of this gr_tf: train again with {argument('overwrite', True)}.")
    split = told["split"] and kind.split_class.of_dict(told["split"])
    config = kind.config_class.of_dict(told["config"])
    dataset, source, checksum = told["dataset"], told["data_dir"], told["checksum"]
    return TaskReference(kind.kind, config, dataset, source, split, checksum, told.get("initial", ""))


def _settings(task: Task[Any]) -> dict[str, Any]:
    """The settings that a training's run directory is known by; see `reference_of`."""
    reference = task.reference
    split = reference.split and reference.split.to_dict()
    told = {"kind": reference.kind, "dataset": reference.dataset, "data_dir": reference.source, "split": split}
    given = {"initial": reference.initial} if reference.initial else {}
    return {**told, "checksum": reference.checksum, "config": task.config.to_dict(), **given}


def _train(
    stage: RunDir,
    task: Task[Any],
    checkpoint_seconds: float,
    length: int | None,
    tracking: bool,
    shared_bar: Progress | None,
) -> None:
    rows = task.steps.rows_per_example if tracking else 0
    store = None
    if rows:
        store = store_of(task.num_examples, task.model.width, task.config.dtype, rows, stage.place(_CHANGES))
    checkpoints = CheckpointFolder(stage.place(CHECKPOINTS), checkpoint_seconds)
    blocks = task.steps.blocks(task.length if length is None else length)
    start = time.monotonic()
    done: list[Block] = []  # by this process: without the steps before a kill, with the compilation
    bar_of_its_own = progress("training", len(blocks))
    with (
        contextlib.nullcontext(shared_bar) if shared_bar else bar_of_its_own as bar,
        Curves(stage.place("tensorboard")) as curves,
    ):

        def told(block: Block, loss: float, parameters: Callable[[], Parameters]) -> None:
            done.append(block)
            bar.advance()

        def epoch_told(epoch: Epoch) -> None:
            values = {"train/loss": epoch.loss, **{f"validation/{k}": v for k, v in epoch.validation.items()}}
            curves.add(epoch.epoch, values | ({"train/lipschitz": epoch.lipschitz} if epoch.lipschitz else {}))

        training = task.train(
            store=store,
            length=length,
            validating=length is None,
            kept_epochs=task.kept_epochs,
            checkpoints=checkpoints,
            on_resume=bar.pass_over,
            on_block=told,
            on_epoch=epoch_told,
        )
        bar.pass_over(len(blocks) - 1 - done[-1].number)
    steps = sum(block.count for block in done)
    timing = {"seconds": time.monotonic() - start, "steps": steps, "blocks": len(done)}
    _save(stage, task, training, store, timing, is_member=length is not None)


def _save(
    stage: RunDir,
    task: Task[Any],
    training: Training,
    store: RollbackStore | None,
    timing: dict[str, Any],
    *,
    is_member: bool,
) -> None:
    """Writes a finished training: parameters, what examples changed, the state to go on from, result.json.

    How good a model is is not measured if it is one of several that are averaged.
    """
    arrays = training.parameters.to_arrays()
    if task.initial is not None:
        arrays |= task.initial_parameters.to_arrays(_INITIAL)
    for epoch, parameters in training.kept.items():
        arrays |= parameters.to_arrays(f"kept-{epoch}.")
    meta = {"config": task.config.to_dict(), "epoch": training.epoch, "kept": list(training.kept)}
    files.write_arrays(stage.place(_PARAMETERS), arrays, meta)
    if store is not None:
        store.save(stage.place(_ROLLBACK))
        store.close()
    if task.continues:
        files.write_arrays(stage.place(_STATE), training.state())
    for name, text in task.vocabularies().items():
        files.write_text(stage.place(f"{name}.txt"), text)
    stage.finish(
        {
            "epoch": training.epoch,
            "epochs": len(training.history),
            "history": [dataclasses.asdict(epoch) for epoch in training.history],
            **({} if is_member else {"quality": task.quality(training.parameters), "baseline": task.baselines()}),
            "num_train": task.num_examples,
            "notes": list(task.dataset.notes),
            "timing": timing,
            "peak_memory_bytes": peak_memory_bytes(),
        }
    )
