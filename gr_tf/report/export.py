"""Embeddings for other programs: numpy, TensorBoard's projector, tf.train."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.engine import tf

CHECKPOINT = "checkpoint"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclasses.dataclass(frozen=True, eq=False)
class Embeddings:
    """Vectors and what they are of.

    Attributes:
        vectors: [n, width].
        names: [n].
        labels: [n], what people call them.
    """

    vectors: np.ndarray
    names: Sequence[str]
    labels: Sequence[str]


def export(folder: pathlib.Path, embeddings: Mapping[str, Embeddings], shared: Sequence[np.ndarray] = ()) -> None:
    """Writes embeddings by kind, such as "entities".

    For each: KIND.npy; KIND.tsv and KIND_metadata.tsv (name, label) for TensorBoard's projector, which
    projector_config.pbtxt lists (tensorboard --logdir FOLDER). All of them, and what the model shares, as
    checkpoint: a tf.train.Checkpoint of variables by kind, and shared_0, shared_1, ...

    Raises:
        InputError: if a file cannot be written.
    """
    from tensorboard.plugins import projector

    config = projector.ProjectorConfig()
    for kind, part in embeddings.items():
        with files.new_file(folder / f"{kind}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, part.vectors, allow_pickle=False)
        rows = ("\t".join(f"{value:.9g}" for value in vector) + "\n" for vector in part.vectors)
        files.write_text(folder / f"{kind}.tsv", "".join(rows))
        names = ((_cell(name), _cell(label)) for name, label in zip(part.names, part.labels, strict=True))
        text = "name\tlabel\n" + "".join(f"{name}\t{label}\n" for name, label in names)
        files.write_text(folder / f"{kind}_metadata.tsv", text)
        shown = config.embeddings.add()
        shown.tensor_name = kind
        shown.tensor_path = f"{kind}.tsv"
        shown.metadata_path = f"{kind}_metadata.tsv"
    files.write_text(folder / "projector_config.pbtxt", str(config))
    variables = {kind: tf.Variable(part.vectors) for kind, part in embeddings.items()}
    variables |= {f"shared_{i}": tf.Variable(array) for i, array in enumerate(shared)}
    # The index is written last: without it there is no checkpoint.
    (folder / f"{CHECKPOINT}.index").unlink(missing_ok=True)
    tf.train.Checkpoint(**variables).write(str(folder / CHECKPOINT))


def read_checkpoint(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The arrays by name of a tf.train.Checkpoint of variables, such as `export` writes.

    Raises:
        InputError: if it is missing or damaged.
    """
    try:
        reader = tf.train.load_checkpoint(str(path))
        names = [name for name in reader.get_variable_to_shape_map() if name.endswith(_VALUE)]
        return {name.removesuffix(_VALUE): reader.get_tensor(name) for name in sorted(names)}
    except (ValueError, RuntimeError, tf.errors.OpError):
        raise InputError(f"{path}: the checkpoint is missing or damaged.") from None


def _cell(text: str) -> str:
    """A name as a cell of a table without quotes."""
    return re.sub(r"[\t\r\n]", " ", text)
