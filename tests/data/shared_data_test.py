"""The readers on real data: the folder that GR_TF_DATA names."""

import os
import pathlib

import pytest

from gr_tf.data.sources import load_triples

DATA = os.environ.get("GR_TF_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="GR_TF_DATA names no folder with the real datasets")


@needs_data
def test_fb15k237_with_crlf_and_unseen_entities() -> None:
    triples = load_triples("fb15k237", pathlib.Path(str(DATA)) / "fb15k-237")
    assert len(triples.train) == 272_115
    assert (len(triples.entities), len(triples.relations)) == (14_505, 237)
    assert not any(name.endswith("\r") for name in triples.entities.names)
    assert triples.notes == (
        "valid.txt: 9 triples with a name unknown in train.txt skipped.",
        "test.txt: 28 triples with a name unknown in train.txt skipped.",
    )


@needs_data
def test_shipped_nations_is_the_upstream_copy() -> None:
    assert load_triples("nations", pathlib.Path(str(DATA)) / "nations").checksums == load_triples().checksums
