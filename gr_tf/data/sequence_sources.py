"""Sequences by name: from tensorflow-datasets, or from a folder in the upstream layout."""

import pathlib

from gr_tf.data.rating_sources import read_interactions
from gr_tf.data.sequences import SequenceSet, SequenceSplit, make_sequence_set
from gr_tf.errors import InputError


def load_sequences(
    dataset: str,
    data_dir: str | pathlib.Path | None = None,
    split: SequenceSplit | None = None,
) -> SequenceSet:
    """Loads the sequences of what users rated, whatever they thought of it.

    Args:
        dataset, data_dir: see data.rating_sources.load_ratings.
        split: the order, what to leave out and to hold out.

    Raises:
        InputError: as load_ratings; also if the file's order is asked for without a file.
    """
    split = split or SequenceSplit()
    if split.order == "file" and data_dir is None:
        raise InputError("tensorflow-datasets does not keep the file's order: name the folder with --data_dir.")
    frame, titles, source = read_interactions(dataset, data_dir)
    return make_sequence_set(dataset, frame, titles, split, source)
