"""Flags of the programs that read data."""

import sys

from absl import flags

from gr_tf.data.dataset import Dataset
from gr_tf.data.rating_sources import RATING_DATASETS
from gr_tf.data.sources import DATASETS

DATASET = flags.DEFINE_string(
    "dataset",
    None,
    f"Triples: one of {', '.join(DATASETS)}; ratings and sequences: one of {', '.join(RATING_DATASETS)}; or a name "
    "for your --data_dir.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder or file of the data: train, valid, test (.txt, .tsv, .csv, .parquet) of triples; ratings or sequences "
    "(.csv, .tsv, .parquet), or sequences.txt; or the files of a release.",
)


def tell_notes(dataset: Dataset) -> None:
    """Tells what the reader of a dataset passed over or found odd."""
    for note in dataset.notes:
        print(f"{dataset.name}: {note}", file=sys.stderr)
