"""Opens files or a run's folder for questions."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gr_tf.asking.asker import Asker
from gr_tf.asking.temporary_run import TemporaryRun
from gr_tf.attribution import learnt
from gr_tf.data.columns import named_columns
from gr_tf.data.frames import MAIN, FrameData, Names, is_numbered, names_for, refuse_other, refuse_without_frame
from gr_tf.data.kind_of_files import CHOICES, SEQUENCES, kinds_of_columns, kinds_of_data
from gr_tf.errors import InputError, argument, short
from gr_tf.evaluation.kept_retrainings import KeptRetrainings
from gr_tf.tasks import kinds, stage, tuning
from gr_tf.tasks.frame_data import kept_in_run, read_frames
from gr_tf.tasks.given import given_of, open_given


def ask(
    data_dir: str | pathlib.Path | pd.DataFrame | None = None,
    *,
    train: pd.DataFrame | None = None,
    valid: pd.DataFrame | None = None,
    test: pd.DataFrame | None = None,
    labels: Names | None = None,
    titles: Names | None = None,
    run_dir: str | pathlib.Path | None = None,
    dataset: str | None = None,
    kind: str | None = None,
    retraining_length: int | None = None,
    method_settings: Mapping[str, Mapping[str, Any]] | None = None,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
    tune_minutes: float | None = None,
    **settings: Any,
) -> Asker:
    """Returns an Asker for one's own data; trains first, unless the run's folder has the training already.

    Args:
        data_dir: a folder or file of triples, ratings or sequences (see load_triples, load_ratings, load_sequences);
            default: a dataset by name, or what the run's folder was trained on. Or a DataFrame, see `train`.
        train: the data as a DataFrame: columns head, relation, tail; user, item, rating, and perhaps time; or user,
            item, and perhaps time. See data.frames. The run's folder keeps them.
        valid, test: of triples in a DataFrame: more of them; default: a few of `train` are held out.
        labels, titles: with a DataFrame, what people call entities, or items: a dictionary by name, or a DataFrame with
            columns entity, label, or item, title.
        run_dir: the run's folder; default: a temporary one, which is deleted with the Asker.
        dataset: a dataset by name, or a name for one's own.
        kind: the kind of the data; default: see kind_of, or by a DataFrame's columns.
        retraining_length, method_settings: see Asker.
        overwrite: drop a training that is there, and its checks.
        checkpoint_seconds: how much of the training a kill may lose.
        tune_minutes: how long to try settings on the validation examples before the training; 0: not at all. Default: 2
            on small data if no setting of the training is named.
        settings: settings of the training, such as epochs=20, and of how data are read and held out, such as
            columns={"user": "customer_id"} or split_seed=1. They have the names of the configuration's class, or of the
            flags of `gr_tf explain`. Others are the dataset's own, or depend on its size.

    Raises:
        InputError: if the data or a setting cannot be used, or the folder has another training.
    """
    if isinstance(data_dir, pd.DataFrame):
        if train is not None:
            raise InputError("two DataFrames may be the training data, the first argument and train: give one.")
        data_dir, train = None, data_dir
    if data_dir is None and dataset is None and train is None:
        if overwrite or settings or run_dir is None:
            what = "the model" if run_dir is None else str(run_dir)
            raise InputError(f"name the data that {what} is to be trained on, with train, data_dir or dataset.")
        return open_run(run_dir, retraining_length=retraining_length, method_settings=method_settings)
    given = None
    if train is None:
        refuse_without_frame(dataset, valid=valid, test=test, labels=labels, titles=titles)
        kind = kind_of(data_dir, dataset, kind, settings.get("model"), settings.get("columns"))
    else:
        kind = kind_of_frame(train, kind, settings.get("model"))
        names = names_for(kind, labels=labels, titles=titles)
        given = FrameData.of(
            kind, train, valid=valid, test=test, names=names, data_dir=data_dir, columns=settings.get("columns")
        )
    of_training, of_split = settings_of(kind, settings)
    read = kinds.read_own(kind, dataset, data_dir, of_split) if given is None else read_frames(given, dataset, of_split)
    config = kinds.own_config(kind, read, of_training)
    temporary = TemporaryRun() if run_dir is None else None
    run_dir = pathlib.Path(temporary.path if temporary is not None else str(run_dir))
    if given is not None:
        read = kept_in_run(read, given, run_dir, overwrite=overwrite)
    if overwrite:
        KeptRetrainings(run_dir).delete()
        learnt.delete(run_dir)
    task = tuning.tuned(kinds.KINDS[kind](read, config), run_dir, of_training, tune_minutes, overwrite=overwrite)
    stage.train(task, run_dir, overwrite=overwrite, reuse=True, checkpoint_seconds=checkpoint_seconds)
    asker = Asker(stage.load(run_dir, read), retraining_length=retraining_length, settings=method_settings)
    asker.temporary = temporary
    return asker


def open_run(
    run_dir: str | pathlib.Path,
    *,
    retraining_length: int | None = None,
    method_settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Asker:
    """Returns an Asker for a finished training.

    Args:
        run_dir: the run's folder.
        retraining_length, method_settings: see Asker.

    Raises:
        InputError: if there is none, or its data cannot be read again.
    """
    run_dir = pathlib.Path(run_dir)
    stage.kind_of_run(run_dir)
    return Asker(stage.load(run_dir), retraining_length=retraining_length, settings=method_settings)


def ask_given(
    model_dir: str | pathlib.Path,
    data_dir: str | pathlib.Path | None = None,
    *,
    dataset: str | None = None,
    kind: str | None = None,
    method_settings: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Asker:
    """Returns an Asker for a model that was trained elsewhere.

    Args:
        model_dir: its folder or file; see tasks.given.
        data_dir, dataset, kind, method_settings: of what it was trained on; see ask.
        settings: what the model is, such as model="complex", convention="pykeen", or model_loss="mse"; how a check goes
            on, such as epochs=2; and how data are held out.

    Raises:
        InputError: if the model, the data or a setting cannot be used.
    """
    kind = kind_of(data_dir, dataset, kind, settings.get("model"), settings.get("columns"))
    task, given = kinds.KINDS[kind], given_of(kind)
    of_split = {task.split_class.flag_of(name): name for name in task.split_class.names()}
    split = {of_split[name]: settings.pop(name) for name in list(settings) if name in of_split}
    asked = {name: settings.pop(name) for name in list(settings) if name in given.settings.names()}
    given.config.check_names(settings)
    read = kinds.read_own(kind, dataset, data_dir, split)
    return Asker(open_given(kind, read, model_dir, asked, settings), settings=method_settings)


def kind_of(
    data_dir: str | pathlib.Path | None,
    dataset: str | None = None,
    kind: str | None = None,
    model: str | None = None,
    columns: str | Mapping[str, str] | None = None,
) -> str:
    """Finds the kind of some data by the dataset's name, names of files, or their columns. Loads no TensorFlow.

    Ratings are read as sequences if `kind` is sequences, or if only sequences have the model.

    Args:
        data_dir, dataset: see ask.
        kind: the kind that the user names.
        model: the model that the user names.
        columns: what the user says that columns are called; see data.columns.

    Raises:
        InputError: if a folder has files of several kinds, is not of the kind that the user names, or cannot be read.
    """
    possible = kinds_of_data(data_dir, dataset, kind, named_columns(columns))
    return _chosen(possible, str(data_dir or dataset or "nations"), kind, model)


def kind_of_frame(train: pd.DataFrame, kind: str | None = None, model: str | None = None) -> str:
    """Finds the kind of a DataFrame by its columns; see kind_of.

    Raises:
        InputError: if it is no DataFrame, its columns have no names and no kind is named, or it is of another kind.
    """
    refuse_other(MAIN, train)
    if is_numbered(train):
        if kind is None:
            raise InputError(
                f"{MAIN}: its columns have no names, only numbers: name them, or the kind of the data with kind."
            )
        return _chosen(tuple(kinds.KINDS), MAIN, kind, model)
    return _chosen(kinds_of_columns(list(map(str, train.columns))), MAIN, kind, model)


def _chosen(possible: Sequence[str], told: str, kind: str | None, model: str | None) -> str:
    """The one kind of those that data can be read as; see kind_of."""
    if kind is not None:
        if kind not in possible:
            raise InputError(f"{argument('kind')} must be {' or '.join(possible)} for {told}; got {short(kind)}.")
        return kind
    first, *others = possible
    likely = [first, *(one for one in others if not kinds.KINDS[one].only_if_named)]
    serving = [one for one in likely if model in (None, *kinds.KINDS[one].config_class.choices["model"])]
    return (serving or likely)[0]


def could_be_choices(
    data_dir: str | pathlib.Path | None,
    dataset: str | None = None,
    columns: str | Mapping[str, str] | None = None,
) -> bool:
    """Whether some data are taken for sequences although they may as well be choices without order: without ratings.

    Args:
        data_dir, dataset, columns: see ask.
    """
    return kinds_of_data(data_dir, dataset, named=named_columns(columns)) == (SEQUENCES, CHOICES)


def settings_of(kind: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separates settings of the training from settings of how the data are held out.

    Args:
        kind: the kind of the data.
        settings: by the names of flags, or of the training's configuration.

    Raises:
        InputError: if a setting is neither.
    """
    task = kinds.KINDS[kind]
    of_split = {task.split_class.flag_of(name): name for name in task.split_class.names()}
    of_training = {task.config_class.flag_of(name): name for name in task.config_class.names()}
    split = {of_split[name]: value for name, value in settings.items() if name in of_split}
    training = {of_training.get(name, name): value for name, value in settings.items() if name not in of_split}
    task.config_class.check_names(training)
    return training, split
