"""Flags of the commands that take data of any kind, or a run's folder, and the task or model that they name."""

import dataclasses
import itertools
import pathlib
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from absl import flags

from gr_tf.asking import opening
from gr_tf.attribution import learnt
from gr_tf.attribution.methods import Method, asked_with, check_task, methods_of
from gr_tf.commands import common, config_flags, data_flags, help_text, run_flags
from gr_tf.commands.retraining_flag import RETRAINING_STEPS
from gr_tf.data.dataset import Dataset
from gr_tf.data.download import cache_folder
from gr_tf.errors import InputError
from gr_tf.evaluation.kept_retrainings import KeptRetrainings
from gr_tf.runs import engine
from gr_tf.runs.run_dir import RunDir
from gr_tf.settings import Settings
from gr_tf.tasks import kinds, stage, tuning
from gr_tf.tasks.task import Task
from gr_tf.tasks.trained import Trained

# Gives the queries of a task that are to be checked before any work.
Asked = Callable[[Task[Any]], Iterable[Any]]
KIND = flags.DEFINE_enum(
    "kind",
    None,
    list(kinds.KINDS),
    "The kind of the data. Default: it is found from the names of the files and of their columns. Ratings are read as "
    "sequences with --kind=sequences. --kind=choices learns from what users chose or rated without order or stars "
    "(implicit feedback).",
)
TUNE_MINUTES = flags.DEFINE_float(
    "tune_minutes",
    None,
    "Minutes in which settings are tried on the validation examples before the training; 0: none are. The run "
    "remembers them. Default: 2 for one's own data of at most 20,000 examples if no setting of the training is named, "
    "else 0.",
    lower_bound=0.0,
)
_TRAININGS = {kind: task.config_class for kind, task in kinds.KINDS.items()}
_SPLITS = {kind: task.split_class for kind, task in kinds.KINDS.items()}
# The settings of methods, by kind.
_SETTINGS = {
    kind: {name: method.settings for name, method in methods_of(kind).items() if method.settings is not None}
    for kind in kinds.KINDS
}
for _classes in (_TRAININGS, _SPLITS):
    config_flags.define(_classes, defaults=False)
for _methods in _SETTINGS.values():
    config_flags.define({name: type(settings) for name, settings in _methods.items()}, defaults=False)
for _module in (config_flags, data_flags, run_flags):
    flags.adopt_module_key_flags(_module)


def split_sections() -> list[help_text.Section]:
    """The flags of how data are read and held out, that --help lists."""
    return [(f"Examples held out of {whose}", names) for whose, names in config_flags.by_kinds(_SPLITS)]


def sections(*, explains: bool = False) -> list[help_text.Section]:
    """The flags that --help lists; with the settings of methods if the command explains."""
    published = "; defaults are the published ones, or depend on the size of the data"
    return [
        ("Data", [data_flags.DATA_DIR.name, data_flags.DATASET.name, KIND.name]),
        ("The run", [flag.name for flag in run_flags.FLAGS]),
        ("Settings", [TUNE_MINUTES.name]),
        *split_sections(),
        *((f"Training on {whose}{published}", names) for whose, names in config_flags.by_kinds(_TRAININGS)),
        *(
            (f"Method {name} for {kind}", [settings.flag_of(one) for one in settings.names()])
            for kind, methods in _SETTINGS.items()
            for name, settings in methods.items()
            if explains
        ),
    ]


def methods_table() -> str:
    """The methods of every kind, for --help."""
    parts = []
    for kind in kinds.KINDS:
        titles = {name: method.title.partition(": ")[2] or method.title for name, method in methods_of(kind).items()}
        parts.append(f"Methods for {kind}:\n{help_text.table(titles)}")
    return "\n\n".join(parts)


def kind(
    *,
    overwrites: bool = False,
    retrains: bool = False,
    also: Mapping[str, Sequence[type[Settings]]] = types.MappingProxyType({}),
) -> str:
    """The kind of the data that the flags name.

    Args:
        overwrites: whether the command may replace something other than the training.
        retrains: whether the command trains without some examples.
        also: classes of settings by the kind that the command takes them for.

    Raises:
        InputError: if the data cannot be read, or a flag is for another kind or for a new training.
    """
    data_dir, dataset = data_flags.DATA_DIR.value, data_flags.DATASET.value
    if only_a_run():
        found = stage.kind_of_run(run_flags.run_dir(""))
        why = "is for a new training: name the data too, with --data_dir or --dataset."
        for config in (*_TRAININGS.values(), *_SPLITS.values()):
            config_flags.refuse_flags(config, why)
        for flag in (KIND, TUNE_MINUTES, *(() if overwrites else (run_flags.OVERWRITE,))):
            if flag.present:
                raise InputError(f"--{flag.name} {why}")
    else:
        given = (flags.FLAGS[name].value for name in ("model", "columns"))
        found = opening.kind_of(data_dir, dataset, KIND.value, *given)
    classes = {kind: (_TRAININGS[kind], _SPLITS[kind], *map(type, _SETTINGS[kind].values())) for kind in kinds.KINDS}
    for config in itertools.chain(*classes.values()):
        config_flags.refuse_flags(config, f"is not for {found}.", unless=[*classes[found], *also.get(found, ())])
    if RETRAINING_STEPS.present and not (retrains and kinds.KINDS[found].may_continue):
        what = found if retrains else "a command that does not train again without examples"
        raise InputError(f"--retraining_steps is not for {what}.")
    return found


def refuse_training(*, overwrites: bool = False) -> None:
    """Refuses the flags of trainings and methods, for a command that does neither.

    Args:
        overwrites: whether the command may replace a file.

    Raises:
        InputError: if such a flag was given; the message names it.
    """
    why = "is for a training, and nothing is trained here."
    methods = itertools.chain(*(settings.values() for settings in _SETTINGS.values()))
    for config in (*_TRAININGS.values(), *map(type, methods)):
        config_flags.refuse_flags(config, why, unless=list(_SPLITS.values()))
    for flag in (TUNE_MINUTES, run_flags.CHECKPOINT_SECONDS, *(() if overwrites else (run_flags.OVERWRITE,))):
        if flag.present:
            raise InputError(f"--{flag.name} {why}")


def only_a_run() -> bool:
    """Whether the flags name a run's folder and no data."""
    return (data_flags.DATA_DIR.value, data_flags.DATASET.value) == (None, None) and run_flags.RUN_DIR.value is not None


def _finished() -> RunDir:
    """The finished training of the run's folder that the flags name."""
    return RunDir.finished(run_flags.run_dir("") / stage.STAGE, "gr_tf train")


def sources() -> list[pathlib.Path | str]:
    """The folders or files of the data that the flags name, of the run's if they name none, and of kept downloads."""
    data_dir = data_flags.DATA_DIR.value
    if only_a_run():
        data_dir = stage.reference_of(_finished()).source
    try:
        kept = list(cache_folder().glob("*"))
    except InputError:
        kept = []
    return [*([data_dir] if data_dir else []), *kept]


def read_dataset(found: str) -> Dataset:
    """The data that the flags name, or of the run's folder; loads no TensorFlow, and prints the reader's notes.

    Args:
        found: the kind of the data.

    Raises:
        InputError: if the data cannot be used.
    """
    data = kinds.read(stage.reference_of(_finished())) if only_a_run() else _read_own(found)
    data_flags.tell_notes(data)
    return data


def _read_own(found: str) -> Dataset:
    split = config_flags.asked(_SPLITS[found])
    return kinds.read_own(found, data_flags.DATASET.value, data_flags.DATA_DIR.value, split)


def load_task(found: str, methods: Sequence[Method] = (), question: Sequence[str] = ()) -> Task[Any]:
    """The task of the data that the flags name; loads TensorFlow after reading them, and prints the reader's notes.

    Args:
        found, methods, question: see open_trained.

    Raises:
        InputError: if the flags name no data but a run's folder, or the data or a setting cannot be used.
    """
    if only_a_run():
        raise InputError("name the data too, with --data_dir or --dataset: this trains anew.")
    data, settings = _read_own(found), config_flags.asked(_TRAININGS[found])
    task = kinds.KINDS[found](data, kinds.own_config(found, data, settings))
    data_flags.tell_notes(data)
    if KIND.value is None and opening.could_be_choices(
        data_flags.DATA_DIR.value, data_flags.DATASET.value, flags.FLAGS["columns"].value
    ):
        print(
            f"{data.name}: there are no ratings: these are sequences, where the order of a user's choices counts; "
            "--kind=choices learns from them without order.",
            file=sys.stderr,
        )
    if (data_flags.DATA_DIR.value, data_flags.DATASET.value) == (None, None):
        print(
            "No data are named: this is Nations, which ships with gr_tf. Name yours with --data_dir.", file=sys.stderr
        )
    _check_question(task, methods, question)
    engine.start_quietly()
    if task.how_trained:
        print(f"{data.name}: {task.how_trained}", file=sys.stderr)
    return task


def open_trained(
    found: str,
    methods: Sequence[Method] = (),
    question: Sequence[str] = (),
    *,
    also: Asked = lambda task: (),
    trains_anew: bool = True,
) -> tuple[Trained, pathlib.Path]:
    """The trained model that the flags name, and its run's folder; trains first, unless the folder has the training.

    Args:
        found: the kind of the data.
        methods: the methods that will be used; one that does not serve the data is refused before any training.
        question: the parts of what will be asked; an unknown name, or what a method does not explain, is refused before
            any training.
        also: gives more queries of the task that will be asked, to be refused likewise.
        trains_anew: whether --overwrite is for the training and its checks; else it is for a file that the user names.

    Raises:
        InputError: if the data or a setting cannot be used, or the folder has another training (without --overwrite).
    """
    run_dir = run_folder(found)
    kept = KeptRetrainings(run_dir)
    if run_dir.exists() and not kept.grows:
        common.keep_nothing()
    if only_a_run():
        data = read_dataset(found)
        # What is asked is looked at before TensorFlow is loaded, which takes seconds.
        _check_question(kinds.KINDS[found](data, stage.reference_of(_finished()).config), methods, question)
        engine.start_quietly()
        trained = stage.load(run_dir, data)
        check_asked(trained.task, methods, question, also)
        return trained, run_dir
    task = load_task(found, methods, question)
    check_asked(task, methods, question, also)
    overwrite = run_flags.OVERWRITE.value and trains_anew
    if overwrite:
        kept.delete()
        learnt.delete(run_dir)
    asked = config_flags.asked(_TRAININGS[found])
    task = tuning.tuned(task, run_dir, asked, TUNE_MINUTES.value, overwrite=overwrite)
    stage.train(
        task,
        run_dir,
        overwrite=overwrite,
        reuse=True,
        checkpoint_seconds=run_flags.CHECKPOINT_SECONDS.value,
    )
    return stage.load(run_dir, task.dataset), run_dir


def run_folder(found: str) -> pathlib.Path:
    """The run's folder that the flags name, or the default for data of a kind."""
    data_dir, dataset = data_flags.DATA_DIR.value, data_flags.DATASET.value
    name = dataset or ("nations" if data_dir is None else pathlib.Path(data_dir).resolve().stem)
    return run_flags.run_dir(f"{name}-{found}")


def check_asked(
    task: Task[Any], methods: Sequence[Method], question: Sequence[str], also: Asked = lambda task: ()
) -> None:
    """Refuses what does not suit a task, before any work is done."""
    for method in methods:
        check_task(method, task)
    _check_question(task, methods, question)
    for query in also(task):
        for method in methods:
            method.check_query(query)


def _check_question(task: Task[Any], methods: Sequence[Method], question: Sequence[str]) -> None:
    """The part of `check_asked` that needs no model."""
    if question:
        query, _ = task.read_question(question)
        for method in methods:
            method.check_query(query)


def refuse_settings(kind: str, method: str | None = None) -> None:
    """Refuses the settings of methods that are not used.

    Args:
        kind: of the data.
        method: that is used with its settings; None: none is.

    Raises:
        InputError: if such a flag was given; the message names it.
    """
    used = [type(settings) for name, settings in _SETTINGS[kind].items() if name == method]
    for name, settings in _SETTINGS[kind].items():
        why = f"is a setting of `gr_tf explain --method={name}`" + (f", not of {method}." if method else ".")
        config_flags.refuse_flags(type(settings), why, unless=[*used, _TRAININGS[kind], _SPLITS[kind]])


def with_settings(kind: str, method: Method) -> Method:
    """The method with the settings that the flags give: its check refuses data that these do not suit, too.

    Raises:
        InputError: see refuse_settings; or if a setting is out of range.
    """
    refuse_settings(kind, method.name)
    of_method = ask_settings(kind)["settings"].get(method.name, {})
    return asked_with(method, of_method.get("settings"))


def ask_settings(kind: str) -> dict[str, Any]:
    """The arguments of Asker that the flags give.

    Raises:
        InputError: if a setting is out of range.
    """
    settings = {}
    for name, default in _SETTINGS[kind].items():
        asked = config_flags.asked(type(default))
        if asked:
            settings[name] = {"settings": dataclasses.replace(default, **asked)}
    return {"retraining_length": RETRAINING_STEPS.value, "settings": settings}
