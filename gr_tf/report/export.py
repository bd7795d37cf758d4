"""Writes embeddings for other programs: numpy, TensorBoard's projector, tf.train."""

import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from gr_tf.errors import InputError
from gr_tf.runs import files
from gr_tf.runs.engine import reason_of, tf

_CHECKPOINT = "checkpoint"
# A cell of a table without quotes cannot contain these.
_SEPARATORS = re.compile(r"[\t\r\n]")


def export(
    folder: pathlib.Path,
    embeddings: Mapping[str, tuple[np.ndarray, Sequence[str], Sequence[str]]],
    shared: Sequence[np.ndarray] = (),
) -> None:
    """Writes embeddings by kind, such as "entities".

    Each kind has KIND.npy, and KIND.tsv and KIND_metadata.tsv (name, label) for TensorBoard's projector, which
    finds them in projector_config.pbtxt (tensorboard --logdir FOLDER). All of them, and the arrays that the model
    shares, are in checkpoint: a tf.train.Checkpoint of variables by kind, and shared_0, shared_1, ...

    Args:
        folder: where to write.
        embeddings: see Task.embeddings: vectors [n, width], their names [n], and their labels for people [n].
        shared: the arrays that the model shares.

    Raises:
        InputError: if a file cannot be written.
    """
    from tensorboard.plugins import projector

    config = projector.ProjectorConfig()
    variables = {kind: tf.Variable(vectors) for kind, (vectors, *_) in embeddings.items()}
    variables |= {f"shared_{i}": tf.Variable(array) for i, array in enumerate(shared)}
    with files.new_files(folder) as temporary:
        for kind, (vectors, names, labels) in embeddings.items():
            np.save(temporary / f"{kind}.npy", vectors, allow_pickle=False)
            rows = ("\t".join(f"{value:.9g}" for value in vector) + "\n" for vector in vectors)
            files.write_text(temporary / f"{kind}.tsv", "".join(rows))
            table = [("name", "label"), *zip(names, labels, strict=True)]
            lines = ("\t".join(_SEPARATORS.sub(" ", cell) for cell in row) + "\n" for row in table)
            files.write_text(temporary / f"{kind}_metadata.tsv", "".join(lines))
            config.embeddings.add(tensor_name=kind, tensor_path=f"{kind}.tsv", metadata_path=f"{kind}_metadata.tsv")
        files.write_text(temporary / "projector_config.pbtxt", str(config))
        try:
            tf.train.Checkpoint(**variables).write(str(temporary / _CHECKPOINT))
        except tf.errors.OpError as error:
            where = folder / _CHECKPOINT
            raise InputError(f"{where}: cannot be written (is the disk full?): {reason_of(error)}.") from None


def exported_names(kinds: Sequence[str]) -> list[str]:
    """The names of the files that `export` writes for some kinds of embeddings."""
    of_kinds = [f"{kind}{ending}" for kind in kinds for ending in (".npy", ".tsv", "_metadata.tsv")]
    return [*of_kinds, "projector_config.pbtxt", f"{_CHECKPOINT}.index", f"{_CHECKPOINT}.data-00000-of-00001"]
