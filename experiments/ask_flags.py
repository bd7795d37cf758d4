"""Flags of the binaries that ask about one's own data, and whom they ask."""

import pathlib

from absl import flags

from experiments import model_flags, rating_flags, run_flags, train_flags
from gr_tf.ask import opening
from gr_tf.ask.graph import GraphAsker
from gr_tf.ask.ratings import RatingAsker
from gr_tf.errors import InputError

for module in (model_flags, rating_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)


def folder() -> pathlib.Path:
    """The run's folder of the flags."""
    data_dir, dataset = model_flags.DATA_DIR.value, model_flags.DATASET.value
    name = dataset or ("nations" if data_dir is None else pathlib.Path(data_dir).resolve().stem)
    return run_flags.run_dir(f"{name}-explained")


def open_asker() -> GraphAsker | RatingAsker:
    """Whom the flags ask; trains first, unless the run's folder has the training already.

    Raises:
        InputError: see ask.opening.ask; also if a flag is for the other kind of data.
    """
    data_dir, dataset = model_flags.DATA_DIR.value, model_flags.DATASET.value
    if data_dir is None and dataset is None:
        if run_flags.RUN_DIR.value is not None:
            return _with_steps(opening.open_run(folder()))
        dataset = "nations"
    graph = opening.kind_of(data_dir, dataset) == opening.GRAPH
    settings, others = train_flags.asked_settings(), rating_flags.asked_settings()
    if not graph:
        settings, others = others, settings
    for name in others:
        if name not in settings:
            raise InputError(f"--{name} is for {'ratings' if graph else 'triples'}.")
    asker = opening.ask(
        data_dir,
        run_dir=folder(),
        dataset=dataset,
        split_seed=model_flags.SPLIT_SEED.value,
        overwrite=run_flags.OVERWRITE.value,
        **settings,
    )
    return _with_steps(asker)


def _with_steps(asker: GraphAsker | RatingAsker) -> GraphAsker | RatingAsker:
    if isinstance(asker, RatingAsker) and rating_flags.RETRAINING_STEPS.value is not None:
        asker.retraining_steps = rating_flags.RETRAINING_STEPS.value
    return asker
