"""Datasets by name."""

import dataclasses
import pathlib

from gr_tf.data.triples import TripleSet, read_folder
from gr_tf.errors import InputError

# SHA-256 of train.txt of the datasets that the papers' figures are for.
_TRAIN_CHECKSUMS = {
    "nations": "0830fa9da8e5bba2ccdaa45b7bdc9130451ba66b09ff2708f35fccaf82473e57",
    "fb15k237": "6e4c2782169af21e9743f3b1d200886f5d595bf6bc504ec1351720949c5cdfae",
}
_NATIONS = pathlib.Path(__file__).parent / "nations"


def published_name(triples: TripleSet) -> str | None:
    """The name under which papers publish figures for these very triples, whatever they are called here."""
    for name, checksum in _TRAIN_CHECKSUMS.items():
        if triples.checksums.get("train.txt") == checksum:
            return name
    return None


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
