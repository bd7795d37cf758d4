"""Explanations on disk."""

import dataclasses
import pathlib
from typing import Any

from gr_tf.attribution.base import Explanation
from gr_tf.attribution.combined import Combination, queries_of
from gr_tf.attribution.hessian import Diagnostics
from gr_tf.data.dataset import Dataset, fields_of
from gr_tf.errors import InputError
from gr_tf.runs import files

_ARRAYS = ("example_ids", "influences", "without", "standard_errors", "agreeing", "sign_chances")


def save_explanation(explanation: Explanation[Any], folder: pathlib.Path, *, overwrite: bool = False) -> None:
    """Writes an explanation as a new folder of arrays with their checksums.

    Args:
        explanation: of any kind but a Keras model's.
        folder: where; new.
        overwrite: replace an explanation that is there.

    Raises:
        InputError: if the folder is there (without `overwrite`) or has anything but an explanation, if it cannot be
            written, or if the query is not made of whole numbers (a Keras model's).
    """
    if folder.exists() and not overwrite:
        raise InputError(f"{folder}: exists already. Say overwrite=True to replace an explanation.")
    if folder.exists() and not _has_only_an_explanation(folder):
        raise InputError(f"{folder}: has other files than an explanation's, and is not replaced.")
    queries = list(map(fields_of, queries_of(explanation.query)))
    if any(not isinstance(part, int | list | tuple) for query in queries for part in query.values()):
        raise InputError(
            f"an explanation of {explanation.dataset.name} cannot be saved: its query is no row of numbers."
        )
    arrays = {name: getattr(explanation, name) for name in _ARRAYS if getattr(explanation, name) is not None}
    meta = {
        "checksum": explanation.dataset.checksum,
        **_stored(explanation.query, queries),
        "prediction": explanation.prediction,
        "systems": [dataclasses.asdict(system) for system in explanation.systems],
        "num_trainings": explanation.num_trainings,
        "warnings": explanation.warnings,
    }
    files.write_arrays(folder, arrays, meta)


def _stored(query: Any, fields: list[dict[str, Any]]) -> dict[str, Any]:
    """A query, or the queries and weights of a combination, for JSON."""
    return {"queries": fields, "weights": query.weights} if isinstance(query, Combination) else {"query": fields[0]}


def _has_only_an_explanation(folder: pathlib.Path) -> bool:
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return files.MANIFEST in found and found <= {files.MANIFEST, *(f"{name}.npy" for name in _ARRAYS)}


def load_explanation(folder: pathlib.Path, dataset: Dataset) -> Explanation[Any]:
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
    if "queries" in meta:
        queries = tuple(dataset.query_class(**fields) for fields in meta.pop("queries"))
        query = Combination(queries, tuple(meta.pop("weights")))
    else:
        query = dataset.query_class(**meta.pop("query"))
    systems = tuple(Diagnostics(**system) for system in meta.pop("systems"))
    warnings = tuple(meta.pop("warnings", ()))  # Absent from what earlier versions saved.
    return Explanation(query=query, dataset=dataset, systems=systems, warnings=warnings, **arrays, **meta)
