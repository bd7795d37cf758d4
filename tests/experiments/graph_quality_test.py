"""graph_quality: the field's count of ranks, with triples whose names training does not have."""

import dataclasses
import pathlib

import numpy as np

from experiments import graph_quality
from gr_tf.data.triples import TripleSet, read_folder
from gr_tf.models.frequencies import tail_frequencies
from gr_tf.models.ranking import ranking_metrics
from gr_tf.tasks.kinds import own_config
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


def test_counts(graph_folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text((graph_folder / f"{part}.txt").read_text())
    lines = (tmp_path / "test.txt").read_text().rstrip("\n").split("\n")
    (tmp_path / "test.txt").write_text("\n".join([*lines, "nobody\tr0\te1", "e1\tr0\tnobody"]) + "\n")
    triples = read_folder(tmp_path)
    assert triples.num_unknown["test"] == 2
    task = TripleTask(triples, TripleConfig(dim=4, num_negatives=5, epochs=2, batch_size=16, reciprocal=True))
    table = task.train().parameters.table
    counts = graph_quality.counted(task, table)

    everything = {tuple(t) for part in (triples.train, triples.valid, triples.test) for t in part.tolist()}
    n = len(triples.entities)
    ranks: dict[str, list[float]] = {"tails": [], "heads": []}
    for h, r, t in triples.test.tolist():
        rows = task.model.rows_of(np.array([[h, r, t]]))[0]
        inverse = task.model.rows_of(task.model.inverse(np.array([[h, r, t]])))[0]
        for name, (first, relation, _), gold, is_known in (
            ("tails", rows, t, lambda e, h=h, r=r: (h, r, e) in everything),
            ("heads", inverse, h, lambda e, t=t, r=r: (e, r, t) in everything),
        ):
            scores = (table[first] * table[relation]) @ table[:n].T
            better = [e for e in range(n) if e != gold and not is_known(e) and scores[e] > scores[gold]]
            ranks[name].append(1 + len(better))
    for name, of in ranks.items():
        assert counts[name] == ranking_metrics(np.array(of))
    both = ranks["tails"] + ranks["heads"]
    assert counts["both"] == ranking_metrics(np.array(both))
    assert counts["both, all triples"] == ranking_metrics(np.array([*both, *[(n + 1) / 2] * 4]))


def frequencies(task: TripleTask, examples: np.ndarray) -> np.ndarray:
    train = task.dataset.train
    both = np.concatenate([train, task.model.inverse(train)])
    return tail_frequencies(task.model, both, examples[:, 0], examples[:, 1])


def test_candidates_are_of_tails_only(toy: TripleSet) -> None:
    """Any entity may be a head, in the model's ranks and in its baseline's."""
    candidates = (0, 1, 2)
    few = dataclasses.replace(toy, candidates=candidates)
    config = TripleConfig(dim=4, num_negatives=5, epochs=2, batch_size=16, reciprocal=True)
    table = TripleTask(toy, config).train().parameters.table
    everything, of_candidates = TripleTask(toy, config), TripleTask(few, config)
    examples = toy.test[np.isin(toy.test[:, 2], candidates)]
    assert len(examples)
    tails, heads = of_candidates.ranks_in_both(table, examples)
    np.testing.assert_array_equal(heads, everything.ranks_in_both(table, examples)[1])
    assert tails.max() <= 3
    inverse = everything.model.inverse(examples)
    heads_first = [frequencies(task, inverse) for task in (of_candidates, everything)]
    np.testing.assert_array_equal(heads_first[0], heads_first[1])
    own = frequencies(of_candidates, examples)
    assert (own[:, 3:] == -1).all()
    assert (own[:, :3] >= 0).all()


def test_a_graph_with_candidates_is_trained_for_tails(toy: TripleSet) -> None:
    few = dataclasses.replace(toy, candidates=(0, 1, 2))
    assert own_config("triples", toy, {}).reciprocal
    assert not own_config("triples", few, {}).reciprocal
    assert own_config("triples", few, {"reciprocal": True}).reciprocal
