"""An atlas of the toy graph whose effects are random, with its result beside it."""

import json
import pathlib

import numpy as np

from gr_tf.data.triples import Query, TripleSet
from gr_tf.evaluation.atlas import Atlas
from gr_tf.training.triple_config import TripleConfig

CEILINGS = {"all": 0.4, "adjacent": 0.5, "shared >= 2": 0.8}
CONFIG = TripleConfig(dim=4, num_negatives=5, epochs=2)
QUERIES = (Query(0, 0, 1), Query(2, 1, 3), Query(3, 2, 4), Query(1, 3, 5), Query(5, 0, 2))


def write_atlas(folder: pathlib.Path, toy: TripleSet) -> pathlib.Path:
    effects = np.random.default_rng(0).normal(size=(4, len(QUERIES), toy.num_examples))
    path = folder / "atlas.npz"
    Atlas.of(QUERIES, effects, range(4)).save(path)
    rows = [{"stratum": name, "spearman": {"ceiling": ceiling}} for name, ceiling in CEILINGS.items()]
    settings = {"dataset": toy.name, "checksum": toy.checksum, "config": CONFIG.to_dict()}
    path.with_name("result.json").write_text(json.dumps({"settings": settings, "rows": rows}))
    return path
