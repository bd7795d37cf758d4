"""Reads a saved Keras model of users and items, or of histories, as a Trained of ratings or of sequences."""

import dataclasses
import pathlib
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gr_tf.data.embedding_files import read_row_names
from gr_tf.data.ratings import RatingSet
from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError, argument
from gr_tf.models.keras_files import input_tensors, keras_file, load_keras
from gr_tf.models.keras_items import PAIR_LOSSES, KerasHistories, KerasItems, KerasPairs
from gr_tf.runs import files
from gr_tf.runs.engine import tf
from gr_tf.settings import Settings
from gr_tf.tasks.keras import KerasTask
from gr_tf.tasks.keras_items import GivenKeras, KerasRatingTask, KerasSequenceTask
from gr_tf.tasks.trained import Given, Trained
from gr_tf.training.weight_steps import WeightConfig

SOFTMAX = "softmax"
# Names of the padding's row.
_PADDING = ("", "[PAD]", "<pad>")
# How far the sums of probabilities may be from 1.
_TOLERANCE = 1e-3
_STRING = "string"


@dataclasses.dataclass(frozen=True, kw_only=True)
class KerasFormat(Settings):
    """What a saved Keras model was trained for.

    Attributes:
        model_loss: of the given Keras model. Ratings: mse, bce (its outputs are probabilities) or bce_logits.
            Sequences: softmax (its outputs are logits or probabilities of all items).
    """

    model_loss: str

    choices = types.MappingProxyType({"model_loss": (*PAIR_LOSSES, SOFTMAX)})


@dataclasses.dataclass(frozen=True)
class _Input:
    """One input of a model: its name, its type, and its shape but for the first axis."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def fitted(self, values: np.ndarray) -> np.ndarray:
        """Values [n] as the model takes them: [n], or [n, 1]."""
        return values.reshape(-1, *([1] * len(self.shape)))


def given_ratings(
    dataset: RatingSet, path: pathlib.Path, asked: Mapping[str, Any], settings: Mapping[str, Any]
) -> Trained:
    """A Keras model of a user and an item.

    Args:
        dataset: that it was trained on.
        path: model.keras or its folder, with users.txt and items.txt beside it if its inputs are row numbers.
        asked: settings of KerasFormat.
        settings: of WeightConfig.

    Raises:
        InputError: if the model cannot be read, or does not suit the data or the loss.
    """
    loss = PAIR_LOSSES[_loss(path, asked, tuple(PAIR_LOSSES))]
    file = keras_file(path)
    keras_model, notes = load_keras(file), list[str]()
    inputs, structure = _inputs(file, keras_model, 2)
    called_user = [i for i, one in enumerate(inputs) if "user" in one.name.lower()]
    user = called_user[0] if len(called_user) == 1 else 0
    of_user, of_item = inputs[user], inputs[1 - user]
    notes.append(f"input {of_user.name!r} is the user, {of_item.name!r} the item")

    def pack(users: np.ndarray, items: np.ndarray) -> Any:
        flat = [of_user.fitted(users), of_item.fitted(items)]
        return tf.nest.pack_sequence_as(structure, flat[::-1] if user else flat)

    values = [
        _values(file, stem, one.dtype, keras_model, vocabulary.names, notes)
        for stem, one, vocabulary in (("users", of_user, dataset.users), ("items", of_item, dataset.items))
    ]
    pairs = KerasPairs(keras_model, values, pack, loss)
    outputs = _tried(file, pairs, dataset.train.pairs)
    if outputs.size != len(outputs):
        raise InputError(f"{file}: gives {outputs.shape[1:]} numbers a rating; want one.")
    told = str(asked["model_loss"])
    for what, numbers in ((f"{file}: its outputs", outputs), ("the ratings", dataset.train.values)):
        is_output = numbers is outputs
        if loss.bounded and not (is_output and told == "bce_logits") and (numbers.min() < 0 or numbers.max() > 1):
            hint = "; is it bce_logits?" if is_output else ""
            raise InputError(f"{what} must be from 0 to 1 for {told}; got {_outside(numbers):g}{hint}")
    return _given(KerasRatingTask(dataset, pairs, WeightConfig.of_dict(settings)), file, told, notes)


def given_sequences(
    dataset: SequenceSet, path: pathlib.Path, asked: Mapping[str, Any], settings: Mapping[str, Any]
) -> Trained:
    """A Keras model of histories, whose outputs are logits or probabilities of all items; see given_ratings.

    items.txt beside it has the names of the rows in their order, with an empty line or [PAD] for the padding.

    Raises:
        InputError: if the model cannot be read, or does not suit the data.
    """
    told = _loss(path, asked, (SOFTMAX,))
    file = keras_file(path)
    keras_model, notes = load_keras(file), list[str]()
    (history,), structure = _inputs(file, keras_model, 1)
    if len(history.shape) != 1:
        raise InputError(f"{file}: takes {history.shape} numbers; want histories, [n, length].")
    names = _row_names(file, "items")
    padding = next((row for row, name in enumerate(names) if name in _PADDING), None)
    if padding is None and history.dtype != _STRING:
        raise InputError(f"{file.parent / 'items.txt'}: has no row of the padding: an empty line or [PAD].")
    values = _values(file, "items", history.dtype, keras_model, dataset.items.names, notes)
    first = np.array([""] if history.dtype == _STRING else [padding], values.dtype)
    length = history.shape[0] or dataset.train.histories.shape[1]
    notes.append(f"histories are the latest {length} items, the latest last, with the padding in front")

    def pack(histories: np.ndarray) -> Any:
        return tf.nest.pack_sequence_as(structure, [histories])

    def made(columns: np.ndarray, of_padding: int | None, are_probabilities: bool) -> KerasHistories:
        every = np.concatenate([first, values])
        return KerasHistories(keras_model, every, pack, length, columns, of_padding, are_probabilities)

    outputs = _tried(file, made(np.zeros(0, int), None, False), dataset.train.histories)
    columns = _rows(file, "items", dataset.items.names, [])
    if outputs.ndim != 2 or outputs.shape[1] not in (len(names), len(names) - (padding is not None)):
        raise InputError(f"{file}: gives {outputs.shape[1:]} numbers; items.txt has {len(names)} names.")
    if outputs.shape[1] < len(names) and padding is not None:
        columns, padding = columns - (columns > padding), None
    are_probabilities = bool(outputs.min() >= 0 and np.abs(outputs.sum(axis=1) - 1).max() < _TOLERANCE)
    notes.append(f"outputs are {'probabilities: they add up to 1' if are_probabilities else 'logits'}")
    model = made(columns.astype(np.int32), padding, are_probabilities)
    return _given(KerasSequenceTask(dataset, model, WeightConfig.of_dict(settings)), file, told, notes)


def _given(task: GivenKeras, file: pathlib.Path, loss: str, notes: list[str]) -> Trained:
    beside = [file, *(path for stem in ("users", "items") if (path := file.parent / f"{stem}.txt").exists())]
    facts = {
        "given model": str(file),
        "loss": loss,
        **{f"SHA-256 of {path.name}": files.sha256(path) for path in beside},
    }
    notes.append(f"its training is not known; gradients are of the loss {loss}, without penalties")
    return Trained(task, task.initial_parameters, epoch=0, given=Given(facts, tuple(notes)))


def _loss(path: pathlib.Path, asked: Mapping[str, Any], possible: Sequence[str]) -> str:
    loss = asked.get("model_loss")
    if loss not in possible:
        got = "" if loss is None else f"; got {loss!r}"
        raise InputError(f"{path}: name the loss of its training with {argument('model_loss', *possible)}{got}.")
    return str(loss)


def _inputs(file: pathlib.Path, keras_model: Any, count: int) -> tuple[list[_Input], Any]:
    """The inputs of a model, and their structure; of a subclass's model, what is usual."""
    tensors = input_tensors(keras_model)
    if tensors is None:
        pair = [_Input("first", "int32", ()), _Input("second", "int32", ())]
        return (pair, [0, 0]) if count == 2 else ([_Input("history", "int32", (None,))], 0)
    found = [_Input(one.name, str(one.dtype), tuple(one.shape[1:])) for one in tf.nest.flatten(tensors)]
    if len(found) != count:
        want = "a user and an item" if count == 2 else "a history"
        raise InputError(f"{file}: has inputs {', '.join(one.name for one in found)}; want {want}.")
    return found, tf.nest.map_structure(lambda tensor: 0, tensors)


def _values(
    file: pathlib.Path, stem: str, dtype: str, keras_model: Any, names: Sequence[str], notes: list[str]
) -> np.ndarray:
    """What the model takes for each name: the name itself, or its row number."""
    if dtype == _STRING:
        known = {word for layer in keras_model._flatten_layers() for word in _vocabulary(layer)}
        unknown = [name for name in names if known and name not in known]
        if unknown:
            notes.append(f"{len(unknown)} of {len(names)} {stem} are not in the model's vocabulary: {_told(unknown)}")
        return np.array(names)
    if (file.parent / f"{stem}.txt").exists() or not all(map(str.isdecimal, names)):
        return _rows(file, stem, names, notes).astype(dtype)
    notes.append(f"there is no {stem}.txt: the names of {stem}, which are numbers, are taken as row numbers")
    return np.array(list(map(int, names))).astype(dtype)


def _vocabulary(layer: Any) -> Sequence[str]:
    """The words of a StringLookup; of other layers none."""
    return layer.get_vocabulary() if type(layer).__name__ == "StringLookup" else ()


def _rows(file: pathlib.Path, stem: str, names: Sequence[str], notes: list[str]) -> np.ndarray:
    """The row number of each name, of a file of names beside the model."""
    of_rows = _row_names(file, stem)
    rows = {name: row for row, name in enumerate(of_rows)}
    path = file.parent / f"{stem}.txt"
    missing = [name for name in names if name not in rows]
    if missing:
        told = f"{len(missing)} of {len(names)} {stem} of the data"
        raise InputError(f"{path}: has no row for {told}: {_told(missing)}.")
    left = set(of_rows) - set(names) - set(_PADDING)
    if left:
        notes.append(f"{path.name}: {len(left)} of {len(of_rows)} names are not in the data: {_told(sorted(left))}")
    return np.array([rows[name] for name in names])


def _row_names(file: pathlib.Path, stem: str) -> tuple[str, ...]:
    path = file.parent / f"{stem}.txt"
    if not path.exists():
        raise InputError(f"{path}: does not exist; want the names of the model's rows in their order, one a line.")
    return read_row_names(path)


def _tried(file: pathlib.Path, model: KerasItems, records: np.ndarray) -> np.ndarray:
    """The outputs of all training examples.

    Raises:
        InputError: if the model fails on one, or gives anything but finite numbers.
    """
    try:
        outputs = model.outputs_of(KerasTask.parameters_of(model.weights), records)
    except Exception as error:
        told = " ".join(str(error).split())[:300]
        raise InputError(f"{file}: fails on the training examples: {told or type(error).__name__}") from None
    if not np.isfinite(outputs).all():
        raise InputError(f"{file}: its outputs of the training examples are not all finite.")
    return outputs


def _outside(numbers: np.ndarray) -> float:
    """The number furthest outside of 0 to 1."""
    return float(numbers.min() if numbers.min() < 0 else numbers.max())


def _told(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
