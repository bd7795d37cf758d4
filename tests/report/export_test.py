"""Embeddings for other programs."""

import pathlib

import numpy as np
import pandas as pd
import tensorflow as tf

from gr_tf.report.export import export


def test_what_is_written(tmp_path: pathlib.Path) -> None:
    generator = np.random.default_rng(0)
    vectors: dict[str, np.ndarray] = {
        "entities": generator.normal(size=(3, 2)).astype(np.float32),
        "relations": generator.normal(size=(1, 2)),
    }
    names = {"entities": ["a", "tab\there", "é"], "relations": ["r"]}
    shared = [np.arange(3.0), np.float64(2.5)]
    parts = {kind: (vectors[kind], names[kind], [name.upper() for name in names[kind]]) for kind in vectors}
    export(tmp_path, parts, [np.asarray(array) for array in shared])
    read = tf.train.load_checkpoint(str(tmp_path / "checkpoint"))
    for name, array in {**vectors, "shared_0": shared[0], "shared_1": shared[1]}.items():
        np.testing.assert_array_equal(read.get_tensor(f"{name}/.ATTRIBUTES/VARIABLE_VALUE"), array)
    for kind, array in vectors.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{kind}.npy"), array)
        text = pd.read_csv(tmp_path / f"{kind}.tsv", sep="\t", header=None).to_numpy()
        np.testing.assert_allclose(text, array, rtol=1e-6)
    metadata = pd.read_csv(tmp_path / "entities_metadata.tsv", sep="\t")
    assert metadata.values.tolist() == [["a", "A"], ["tab here", "TAB HERE"], ["é", "É"]]
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert config.count("tensor_path") == 2
    assert 'metadata_path: "relations_metadata.tsv"' in config
