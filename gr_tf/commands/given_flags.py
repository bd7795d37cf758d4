"""Flags of the command that explains a model which was trained elsewhere."""

import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from gr_tf.attribution.methods import Method
from gr_tf.commands import common, config_flags, data_flags, help_text, open_flags, run_flags
from gr_tf.commands.retraining_flag import RETRAINING_STEPS
from gr_tf.errors import InputError
from gr_tf.runs import engine
from gr_tf.tasks import kinds
from gr_tf.tasks.given import GIVEN, given_of, open_given
from gr_tf.tasks.trained import Trained

MODEL_DIR = flags.DEFINE_string(
    "model_dir",
    None,
    "Explain this model, which was trained elsewhere on --data_dir. Triples: a folder with entities.npy, relations.npy "
    "and names in entities.tsv, relations.tsv. Ratings or sequences: model.keras, or its folder, with the names of its "
    "rows in users.txt, items.txt, a name a line. --verify goes on from the model, for --epochs.",
)
_SETTINGS = {kind: given.settings for kind, given in GIVEN.items()}
_CONFIGS = {kind: given.config for kind, given in GIVEN.items()}
for _classes in (_SETTINGS, _CONFIGS):
    config_flags.define(_classes, defaults=False)


def section() -> help_text.Section:
    """The flags that --help lists."""
    configs = [task.config_class for task in kinds.KINDS.values()]
    trained = {config.flag_of(name) for config in configs for name in config.names()}
    own = {config.flag_of(name): None for config in _SETTINGS.values() for name in config.names()}
    return "A model that was trained elsewhere", [MODEL_DIR.name, *(name for name in own if name not in trained)]


def kind(*, overwrites: bool = False) -> str:
    """The kind of the data; the settings of given models are no mistakes if there is one. See open_flags.kind."""
    if not is_given():
        return open_flags.kind(overwrites=overwrites, retrains=True)
    return open_flags.kind(retrains=True, also={kind: (_SETTINGS[kind], _CONFIGS[kind]) for kind in GIVEN})


def is_given() -> bool:
    """Whether the flags name a model that was trained elsewhere."""
    return MODEL_DIR.value is not None


def check(kind: str, *, searches: bool, trainings: int, overwrites: bool = False) -> None:
    """Refuses flags that do not suit, before any work.

    Args:
        kind: of the data.
        searches: whether smallest sets are asked for.
        trainings: over how many trainings to average.
        overwrites: whether the command writes a file that the user names.

    Raises:
        InputError: if a flag needs a training, or a given model.
    """
    if not is_given():
        for config in _SETTINGS.values():
            config_flags.refuse_flags(config, "is for --model_dir.", unless=[kinds.KINDS[kind].config_class])
        return
    given_of(kind)
    if (data_flags.DATA_DIR.value, data_flags.DATASET.value) == (None, None):
        raise InputError("name the data that the model was trained on, with --data_dir or --dataset.")
    overwrite = () if overwrites else (run_flags.OVERWRITE,)
    trained = (run_flags.RUN_DIR, run_flags.ANY_VERSION, run_flags.CHECKPOINT_SECONDS, open_flags.TUNE_MINUTES)
    for flag in (*overwrite, *trained):
        if flag.present:
            raise InputError(f"--{flag.name} is for a training; --model_dir names a model that is trained already.")
    if RETRAINING_STEPS.present:
        raise InputError(f"--{RETRAINING_STEPS.name} is not for a given model: say --epochs.")
    suiting = [_SETTINGS[kind], _CONFIGS[kind]]
    for config in (*_SETTINGS.values(), kinds.KINDS[kind].config_class):
        config_flags.refuse_flags(config, f"is not for a given model of {kind}.", unless=suiting)
    if searches:
        raise InputError("--minimal needs trainings without examples; the training of a given model is not known.")
    if trainings > 1:
        raise InputError("--trainings needs others like the model; the training of a given model is not known.")


def open_model(
    kind: str,
    methods: Sequence[Method] = (),
    question: Sequence[str] = (),
    *,
    also: open_flags.Asked = lambda task: (),
) -> tuple[Trained, pathlib.Path]:
    """The given model that the flags name, and its path; prints what was assumed.

    Args:
        kind, methods, question, also: see open_flags.open_trained.

    Raises:
        InputError: if the data, the model or a setting cannot be used.
    """
    common.keep_nothing()
    task = kinds.KINDS[kind]
    dataset = kinds.read_own(
        kind, data_flags.DATASET.value, data_flags.DATA_DIR.value, config_flags.asked(task.split_class)
    )
    data_flags.tell_notes(dataset)
    engine.start_quietly()
    asked = config_flags.asked(_SETTINGS[kind])
    settings = {name: value for name, value in config_flags.asked(_CONFIGS[kind]).items() if name not in asked}
    path = pathlib.Path(str(MODEL_DIR.value))
    trained = open_given(kind, dataset, path, asked, settings)
    for note in trained.given.notes if trained.given else ():
        print(f"{path.name}: {note}", file=sys.stderr)
    open_flags.check_asked(trained.task, methods, question, also)
    return trained, path
