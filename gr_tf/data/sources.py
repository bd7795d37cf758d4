"""Datasets by name."""

import dataclasses
import pathlib

from gr_tf.data.triples import TripleSet, read_folder
from gr_tf.errors import InputError

_NATIONS = pathlib.Path(__file__).parent / "nations"


def load_triples(dataset: str | None = None, data_dir: str | pathlib.Path | None = None) -> TripleSet:
    """Loads a dataset that ships with the package, or the files of a folder.

    Args:
        dataset: "nations", or a name of your own for the folder's data; default: "nations",
            or the folder's name.
        data_dir: folder with train.txt, valid.txt and test.txt.

    Raises:
        InputError: if the name is unknown or the files cannot be used.
    """
    if data_dir is not None:
        return read_folder(pathlib.Path(data_dir), dataset)
    if dataset in (None, "nations"):
        return dataclasses.replace(read_folder(_NATIONS, "nations"), data_dir=None)
    raise InputError(f"unknown dataset {dataset!r}: want 'nations', or data_dir with your own files.")
