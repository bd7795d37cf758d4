"""Saved Keras models: how they are read, and called as a function of their weights."""

import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.types import Tensor

_FILE = "model.keras"
# Packages whose layers a saved model may have; each registers them when it is imported.
_PACKAGES = ("keras_rs", "keras_hub")


def keras_file(path: pathlib.Path) -> pathlib.Path:
    """The file of a saved model: the path itself, or model.keras in a folder.

    Raises:
        InputError: if there is none.
    """
    file = path / _FILE if path.is_dir() else path
    if not file.exists():
        raise InputError(f"{path}: has no {_FILE}.")
    files.refuse_special(file)
    return file


def load_keras(file: pathlib.Path) -> Any:
    """A saved keras.Model, without its optimizer.

    Raises:
        InputError: if Keras cannot read it, or it has no trainable weights.
    """
    import keras  # here, because it is slow to import

    _import_packages(file)
    try:
        model = keras.saving.load_model(file, compile=False)
    except Exception as error:
        told = " ".join(str(error).split())
        raise InputError(f"{file}: Keras cannot load it: {told[:300] or type(error).__name__}") from None
    if not getattr(model, "trainable_variables", None):
        raise InputError(f"{file}: has no trainable weights.")
    for layer in model._flatten_layers():
        if getattr(layer, "unroll", None) is False:
            # The loop of a recurrent layer cannot be differentiated in forward mode; unrolled, it does the same.
            layer.unroll = True
    return model


def call(model: Any, weights: Sequence[Tensor], inputs: Any) -> Tensor:
    """The outputs of a Keras model with other trainable weights, as in inference."""
    values = [variable.value for variable in model.non_trainable_variables]
    outputs, _ = model.stateless_call(list(weights), values, inputs, training=False)
    return outputs


def input_tensors(model: Any) -> Any:
    """What a model takes, as keras.KerasTensors: one, or a list, tuple or dict of them; None of a subclass's model."""
    try:
        return model.input
    except (AttributeError, ValueError):
        tensors = getattr(model, "inputs", None)
        return tensors[0] if tensors and len(tensors) == 1 else tensors or None


def _import_packages(file: pathlib.Path) -> None:
    """Imports the packages whose layers a saved model has, where they are installed."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        config = archive.read("config.json") if "config.json" in archive.namelist() else b""
    for package in _PACKAGES:
        if package.encode() in config:
            try:
                __import__(package)
            except ImportError:
                raise InputError(f"{file}: has layers of {package}, which is not installed.") from None
