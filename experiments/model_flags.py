"""Flags that triples and ratings share: which data, which model, how it is trained."""

from absl import flags

from gr_tf.data.rating_sources import RATING_DATASETS
from gr_tf.data.sources import DATASETS
from gr_tf.training.config import DTYPES, MODELS
from gr_tf.training.rating_config import RATING_MODELS

DATASET = flags.DEFINE_string(
    "dataset",
    None,
    f"Triples: one of {', '.join(DATASETS)}, or a name for your --data_dir; default: nations. "
    f"Ratings: one of {', '.join(RATING_DATASETS)}; default: movielens-100k.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder with the dataset's files: train.txt, valid.txt, test.txt, or those of the release."
)
MODEL = flags.DEFINE_enum(
    "model",
    None,
    [*MODELS, *RATING_MODELS],
    f"Of triples: {', '.join(MODELS)}; default: distmult. Of ratings: {', '.join(RATING_MODELS)}; default: mf.",
)
DIM = flags.DEFINE_integer("dim", None, "Number of factors. Default: the dataset's.")
LEARNING_RATE = flags.DEFINE_float("learning_rate", None, "The optimizer's learning rate. Default: the dataset's.")
DTYPE = flags.DEFINE_enum("dtype", None, list(DTYPES), "Precision. Default: the dataset's.")
SEED = flags.DEFINE_integer("seed", None, "Seed of the initial values, and of the batches of ratings. Default: 0.")
CHECKPOINT_SECONDS = flags.DEFINE_float(
    "checkpoint_seconds", 30.0, "How much training a kill may lose, in seconds.", lower_bound=0.0
)
