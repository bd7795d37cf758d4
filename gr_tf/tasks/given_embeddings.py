"""A knowledge graph's model that another tool trained, as a Trained: its embeddings are matched by name."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.data.embedding_files import NamedRows, read_json, read_named_rows
from gr_tf.data.triples import TripleSet
from gr_tf.data.vocabulary import Vocabulary
from gr_tf.errors import InputError, argument, short
from gr_tf.models.foreign import DGLKE, Converted, Layout, converted
from gr_tf.models.parameters import Parameters
from gr_tf.tasks.trained import Given, Trained
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

# The layout, by our keys; and what DGL-KE itself writes.
_LAYOUT_FILE, _DGLKE_FILE = "model.json", "config.json"
# A check goes on in batches by Adam, for at most so many epochs, and about so many examples.
_GOES_ON = {"batch_size": 32, "optimizer": "adam", "learning_rate": 0.001}
_EPOCHS, _EXAMPLES = 10, 200_000
_NEGATIVES = 50
# Graphs with fewer triples are computed in float64.
_SMALL = 20_000
_NAMES_SHOWN = 3


def layout_of(folder: pathlib.Path, asked: Mapping[str, Any]) -> Layout:
    """The layout of a folder's embeddings.

    Args:
        folder: with embeddings, and perhaps model.json, which has settings of Layout.
        asked: settings that the user names.

    Raises:
        InputError: if the model or the convention is named nowhere, or one is named twice, differently.
    """
    path, told = folder / _LAYOUT_FILE, dict(asked)
    if path.exists():
        for name, value in read_json(path).items():
            if name not in Layout.names():
                raise InputError(f"{path}: has no setting {short(name)}; its settings are {', '.join(Layout.names())}.")
            if told.setdefault(name, value) != value:
                raise InputError(f"{path}: says {name} is {short(value)}; {argument(name)} says {told[name]!r}.")
    for name in ("model", "convention"):
        if told.get(name) is None:
            how = argument(name, *Layout.choices[name])
            raise InputError(f"{folder}: name its {name}, with {how}, or in {_LAYOUT_FILE}.")
    of_dglke = folder / _DGLKE_FILE
    if told["convention"] == DGLKE and told["model"] == "rotate" and of_dglke.exists():
        gamma = read_json(of_dglke).get("gamma")
        if gamma is not None and told.setdefault("gamma", gamma) != gamma:
            raise InputError(f"{of_dglke}: says gamma is {gamma!r}; {argument('gamma')} says {told['gamma']!r}.")
    try:
        return Layout.of_dict(told)
    except TypeError:
        raise InputError(f"{path}: norm and gamma are numbers.") from None


def given_embeddings(
    dataset: TripleSet, folder: pathlib.Path, asked: Mapping[str, Any], settings: Mapping[str, Any]
) -> Trained:
    """The model of a folder of embeddings, matched with triples by name.

    Args:
        dataset: the triples that it was trained on.
        folder: see read_named_rows.
        asked: settings of Layout that the user names.
        settings: of TripleConfig: the loss that gradients are of, and how a check trains on.

    Raises:
        InputError: if the files cannot be used, or have no row for a name of the training triples.
    """
    layout = layout_of(folder, asked)
    entities, relations = (read_named_rows(folder, what) for what in ("entity", "relation"))
    if len(entities.names) != len(entities.array):
        told = f"{entities.names_path.name} has {len(entities.names)} names"
        raise InputError(f"{entities.path}: has {len(entities.array)} rows; {told}.")
    found = converted(layout, entities.array, relations.array, len(relations.names), str(relations.path))
    notes = [*found.notes]
    rows = [found.entities[_places(entities, dataset.entities, notes)]]
    places = _places(relations, dataset.relations, notes)
    rows += [part[places] for part in (found.relations, found.inverses) if part is not None]
    config = _config(dataset, found, settings)
    drawn = f"the answer and {config.num_negatives} random negatives"
    among = "all entities" if config.in_batches and config.num_negatives >= len(dataset.entities) else drawn
    notes.append(f"its training is not known; gradients are of the loss {config.loss} over {among}")
    task = TripleTask(dataset, config, Parameters(np.concatenate(rows)))
    facts = {
        "given model": str(folder),
        "model and convention": f"{layout.model}, {layout.convention}",
        **{f"SHA-256 of {name}": sha for part in (entities, relations) for name, sha in part.checksums.items()},
    }
    return Trained(task, task.initial_parameters, epoch=0, given=Given(facts, tuple(notes)))


def _places(rows: NamedRows, names: Vocabulary, notes: list[str]) -> np.ndarray:
    """The row of each name of the training triples."""
    places = {name: place for place, name in enumerate(rows.names)}
    missing = [name for name in names.names if name not in places]
    if missing:
        told = _told(missing)
        kind = names.kind
        raise InputError(
            f"{rows.names_path}: has no row for {len(missing)} of {len(names)} names of kind {kind} in train: {told}."
        )
    left = [name for name in rows.names if name not in names.ids]
    if left:
        told = f"{len(left)} of {len(rows.names)} names are in no training triple, and left out: {_told(left)}"
        notes.append(f"{rows.names_path.name}: {told}")
    return np.array([places[name] for name in names.names])


def _told(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_NAMES_SHOWN])) + (", ..." if len(names) > _NAMES_SHOWN else "")


def _config(dataset: TripleSet, found: Converted, settings: Mapping[str, Any]) -> TripleConfig:
    """How a check goes on, and what loss gradients are of: as said, else by the graph's size."""
    for name in ("model", "dim"):
        if settings.get(name) is not None:
            raise InputError(f"{name} is what the given model has: leave {argument(name)} out.")
    if settings.get("patience") is not None:
        raise InputError(
            f"{argument('patience')} is for a training that validates; going on from a given model does not."
        )
    by_size = {
        "num_negatives": min(len(dataset.entities), _NEGATIVES),
        "epochs": max(1, min(_EPOCHS, _EXAMPLES // dataset.num_examples)),
        "dtype": "float64" if dataset.num_examples < _SMALL else "float32",
    }
    reciprocal = found.inverses is not None
    if settings.get("reciprocal", reciprocal) != reciprocal:
        has = f"has {'' if reciprocal else 'no '}inverse relations"
        raise InputError(f"the given model {has}: leave {argument('reciprocal')} out.")
    is_given = {"model": found.model, "dim": found.dim, "reciprocal": reciprocal}
    return TripleConfig.of_dict({**_GOES_ON, **by_size, **is_given, **settings})
