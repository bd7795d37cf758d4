"""Graphs that are made are as large as asked for, heavy-tailed, and can be learnt."""

import pathlib

import numpy as np
import pytest

from experiments.graph_growth import explained, growth_figure
from experiments.made_graph import made_triples, write_graph
from gr_tf.data.triples import read_folder
from gr_tf.tasks import stage
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


def test_triples_are_distinct_and_heavy_tailed() -> None:
    triples = made_triples(5_000, 500, 12, seed=1)
    assert triples.shape == (5_000, 3)
    assert len(np.unique(triples, axis=0)) == 5_000
    assert (triples[:, 0] != triples[:, 2]).all()
    assert triples.min(axis=0).tolist() == [0, 0, 0]
    assert (triples.max(axis=0) < [500, 12, 500]).all()
    for column, count in ((0, 500), (1, 12), (2, 500)):
        often = np.sort(np.bincount(triples[:, column], minlength=count))[::-1]
        assert often[: count // 10].sum() > 0.25 * len(triples)
    np.testing.assert_array_equal(triples, made_triples(5_000, 500, 12, seed=1))
    assert (triples != made_triples(5_000, 500, 12, seed=2)).any()
    with pytest.raises(ValueError, match="5000 triples are too many of 20 entities"):
        made_triples(5_000, 20, 12, seed=1)


def test_tails_follow_from_heads_and_relations() -> None:
    """Heads that share a tail by a relation share others, more than the tails' frequencies say."""
    triples = made_triples(20_000, 200, 3, seed=0)
    counts = np.zeros((3, 200, 200))
    np.add.at(counts, (triples[:, 1], triples[:, 0], triples[:, 2]), 1)
    of_relation = counts[0]
    rows = of_relation[of_relation.sum(axis=1) >= 20]
    expected = np.outer(rows.sum(axis=1), rows.sum(axis=0)) / rows.sum()
    alike = np.corrcoef((rows - expected) / np.sqrt(expected + 1))
    strongest = np.sort(np.linalg.eigvalsh(alike))[::-1]
    chance = np.random.default_rng(0).permuted(rows, axis=1)
    of_chance = np.sort(np.linalg.eigvalsh(np.corrcoef(chance)))[::-1]
    assert strongest[:3].sum() > 1.3 * of_chance[:3].sum()


def test_a_run_is_explained_and_drawn(tmp_path: pathlib.Path) -> None:
    write_graph(tmp_path / "data", made_triples(1_500, 100, 5, seed=0))
    data = read_folder(tmp_path / "data")
    assert len(data.train) == 1_400
    stage.train(TripleTask(data, TripleConfig(dim=4, num_negatives=8, epochs=1, batch_size=64)), tmp_path / "run")
    told = explained(tmp_path / "run", 3)
    assert 0 < told["median_seconds"] <= told["longest_seconds"]
    assert told["median_related"] > 10
    row = told | {"triples": 1_500, "epoch_seconds": 1.0, "training_bytes": 2**30}
    figure = growth_figure({"rows": [row, row | {"triples": 3_000}]})
    assert [axes.get_ylabel() for axes in figure.axes] == ["seconds", "GB"]
