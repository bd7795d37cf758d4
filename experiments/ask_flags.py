"""Flags of the binaries that ask about one's own data, and whom they ask."""

import pathlib
import sys

from absl import flags

from experiments import model_flags, rating_flags, run_flags, train_flags
from gr_tf.asking import opening
from gr_tf.asking.graph import GraphAsker
from gr_tf.asking.ratings import RatingAsker
from gr_tf.errors import InputError

for module in (model_flags, rating_flags, run_flags, train_flags):
    flags.adopt_module_key_flags(module)

_OF_ONE_KIND = {
    opening.GRAPH: (
        "loss",
        "num_negatives",
        "negatives_seed",
        "epochs",
        "optimizer",
        "learning_rate_rule",
        "float32_hyperparameters",
        "constraint",
        "steps",
    ),
    opening.RATINGS: (
        "batch_size",
        "weight_decay",
        "training_steps",
        "damping",
        "solver",
        "decay",
        "penalty_in_gradient",
        "retraining_steps",
        "min_interactions",
    ),
}
_OF_A_TRAINING = ("model", "dim", "learning_rate", "dtype", "seed", "split_seed", "min_interactions", "overwrite")


def kind() -> str:
    """Whether the flags ask about a GRAPH or RATINGS.

    Raises:
        InputError: if the data cannot be read, or a flag is for the other kind or for a new training.
    """
    data_dir, dataset = model_flags.DATA_DIR.value, model_flags.DATASET.value
    if _only_a_run():
        found = opening.kind_of_run(folder())
        for name in (*_OF_A_TRAINING, *_OF_ONE_KIND[opening.GRAPH], "batch_size", "weight_decay", "training_steps"):
            if flags.FLAGS[name].present:
                raise InputError(f"--{name} is for a new training: name the data too, with --data_dir or --dataset.")
    else:
        found = opening.kind_of(data_dir, dataset or _nations(data_dir))
    other, mine = (opening.RATINGS, "triples") if found == opening.GRAPH else (opening.GRAPH, "ratings")
    for name in _OF_ONE_KIND[other]:
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} is not for {mine}.")
    return found


def refuse_a_run_alone() -> None:
    """
    Raises:
        InputError: if the flags name a run's folder and no data.
    """
    if _only_a_run():
        raise InputError("name the data too, with --data_dir or --dataset: this trains anew.")


def folder() -> pathlib.Path:
    """The run's folder of the flags."""
    data_dir, dataset = model_flags.DATA_DIR.value, model_flags.DATASET.value
    name = dataset or ("nations" if data_dir is None else pathlib.Path(data_dir).resolve().stem)
    return run_flags.run_dir(f"{name}-explained")


def open_asker() -> GraphAsker | RatingAsker:
    """Whom the flags ask; trains first, unless the run's folder has the training already; tells the data's notes.

    Raises:
        InputError: see kind and asking.opening.ask.
    """
    data_dir, dataset = model_flags.DATA_DIR.value, model_flags.DATASET.value
    graph = kind() == opening.GRAPH
    of_ratings = None if graph else rating_flags.asked_fia_settings(decay="trained")
    steps = rating_flags.RETRAINING_STEPS.value
    asker: GraphAsker | RatingAsker
    if _only_a_run():
        asker = opening.open_run(folder(), fia=of_ratings, retraining_steps=steps)
    else:
        asker = opening.ask(
            data_dir,
            run_dir=folder(),
            dataset=dataset or _nations(data_dir),
            split_seed=model_flags.SPLIT_SEED.value,
            min_interactions=model_flags.MIN_INTERACTIONS.value,
            fia=of_ratings,
            retraining_steps=steps,
            overwrite=run_flags.OVERWRITE.value,
            checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
            **(train_flags if graph else rating_flags).asked_settings(),
        )
    for note in asker.notes:
        print(note, file=sys.stderr)
    return asker


def _only_a_run() -> bool:
    """Whether the flags name a run's folder and no data."""
    return (model_flags.DATA_DIR.value, model_flags.DATASET.value) == (None, None) and (
        run_flags.RUN_DIR.value is not None
    )


def _nations(data_dir: str | None) -> str | None:
    return "nations" if data_dir is None else None
