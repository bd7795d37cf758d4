"""Explanations on disk."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from gr_tf import files
from gr_tf.attribution.hessian import Diagnostics
from gr_tf.attribution.rating_explanation import RatingExplanation
from gr_tf.attribution.sequence_explanation import SequenceExplanation
from gr_tf.attribution.triple_explanation import TripleExplanation
from gr_tf.data.ratings import RatingQuery, RatingSet
from gr_tf.data.sequences import SequenceQuery, SequenceSet
from gr_tf.data.triples import Query, TripleSet
from gr_tf.errors import InputError


def save_explanation(
    explanation: TripleExplanation | RatingExplanation | SequenceExplanation, folder: pathlib.Path
) -> None:
    """Writes an explanation as a new folder of arrays with their checksums; replaces one that is there.

    Raises:
        InputError: if it cannot be written.
    """
    arrays, meta = {}, {}
    for field in dataclasses.fields(explanation):
        value = getattr(explanation, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = value
        elif isinstance(value, (TripleSet, RatingSet, SequenceSet)):
            meta["checksum"] = value.checksum
        else:
            meta[field.name] = _plain(value)
    files.write_arrays(folder, arrays, meta)


def load_explanation(
    folder: pathlib.Path, dataset: TripleSet | RatingSet | SequenceSet
) -> TripleExplanation | RatingExplanation | SequenceExplanation:
    """Reads what `save_explanation` wrote.

    Args:
        folder: the folder.
        dataset: the one that was explained.

    Raises:
        InputError: if an array is truncated or edited, or the dataset is another one.
    """
    stored, meta = files.read_arrays(folder)
    arrays: dict[str, Any] = dict(stored)
    if meta.pop("checksum") != dataset.checksum:
        raise InputError(f"{folder} explains a model of other data than {dataset.name}.")
    query = meta.pop("query")
    if isinstance(dataset, TripleSet):
        return TripleExplanation(query=Query(**query), triples=dataset, **arrays, **meta)
    if isinstance(dataset, RatingSet):
        systems = tuple(Diagnostics(**system) for system in meta.pop("systems"))
        return RatingExplanation(query=RatingQuery(**query), ratings=dataset, systems=systems, **arrays, **meta)
    asked = SequenceQuery(tuple(query["history"]), query["target"])
    return SequenceExplanation(query=asked, sequences=dataset, **arrays, **meta)


def _plain(value: Any) -> Any:
    """For JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
