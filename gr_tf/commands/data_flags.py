"""Flags of the programs that read data."""

import sys

from absl import flags

from gr_tf.data.dataset import Dataset
from gr_tf.data.rating_sources import RATING_DATASETS
from gr_tf.data.sources import DATASETS

DATASET = flags.DEFINE_string(
    "dataset",
    None,
    f"A dataset by name (triples: {', '.join(DATASETS)}; ratings, sequences, and choices: "
    f"{', '.join(RATING_DATASETS)}), or your name for your --data_dir.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder or file of the data. Triples: train, valid, test (.txt, .tsv, .csv, .parquet). Ratings, sequences, or "
    "choices: ratings, sequences, or choices (.csv, .tsv, .parquet), or sequences.txt. Or the files of a published "
    "dataset.",
)


def tell_notes(dataset: Dataset) -> None:
    """Prints what the reader of a dataset left out or found strange."""
    for note in dataset.notes:
        print(f"{dataset.name}: {note}", file=sys.stderr)
