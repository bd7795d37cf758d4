"""Flags that triples and ratings share: which data, which model, how it is trained."""

from typing import Any

from absl import flags

from gr_tf.data.rating_sources import RATING_DATASETS
from gr_tf.data.sources import DATASETS
from gr_tf.errors import InputError
from gr_tf.training.config import DTYPES, MODELS
from gr_tf.training.rating_config import RATING_MODELS

DATASET = flags.DEFINE_string(
    "dataset",
    None,
    f"Triples: one of {', '.join(DATASETS)}, or a name for your --data_dir; default: nations. "
    f"Ratings: one of {', '.join(RATING_DATASETS)}; default: movielens-100k.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder with the dataset's files: train, valid, test (.txt, .tsv, .csv, .parquet), or those of the release.",
)
MODEL = flags.DEFINE_enum(
    "model",
    None,
    [*MODELS, *RATING_MODELS],
    f"Of triples: {', '.join(MODELS)}; default: distmult. Of ratings: {', '.join(RATING_MODELS)}; default: mf.",
)
EPOCHS = flags.DEFINE_integer("epochs", None, "Passes over the training examples. Default: the dataset's.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", None, "Ratings or sequences of a step. Default: the dataset's.")
MIN_INTERACTIONS = flags.DEFINE_integer(
    "min_interactions", 10, "Users (of ratings, items too) with fewer ratings are left out."
)
SPLIT_SEED = flags.DEFINE_integer(
    "split_seed", 0, "Seed of the held-out ratings, or triples without files of their own."
)
DIM = flags.DEFINE_integer("dim", None, "Number of factors. Default: the dataset's.")
LEARNING_RATE = flags.DEFINE_float("learning_rate", None, "The optimizer's learning rate. Default: the dataset's.")
DTYPE = flags.DEFINE_enum("dtype", None, list(DTYPES), "Precision. Default: the dataset's.")
SEED = flags.DEFINE_integer("seed", None, "Seed of the initial values, and of the batches of ratings. Default: 0.")
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 30.0, "How much training a kill may lose, in seconds.", lower_bound=0.0
)


def whole_numbers(flag: flags.FlagHolder[Any]) -> tuple[int, ...]:
    """The value of a flag that is a list of whole numbers.

    Raises:
        InputError: if one is not.
    """
    try:
        return tuple(int(text) for text in flag.value or ())
    except ValueError:
        raise InputError(f"{flag.name} must be whole numbers; got {','.join(flag.value or ())!r}.") from None
