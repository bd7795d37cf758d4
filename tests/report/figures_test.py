"""Figures: what is on them, read back from matplotlib's objects, and that they become PNGs."""

import dataclasses
import pathlib

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from gr_tf.attribution.base import Explanation
from gr_tf.data.triples import Query, TripleSet
from gr_tf.report import figure2, figures
from gr_tf.report.explanation_graph import explanation_graph
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


def test_scatter(tmp_path: pathlib.Path) -> None:
    """Four panels a row; of several seeds the first."""
    seed = {"p_predicted": [0.1, 0.5], "p_retrained": [0.2, 0.4], "pearson": {"r": 0.5, "n": 2}, "lipschitz": 1.0}
    other = seed | {"p_predicted": [0.9, 0.9]}
    panels = [{"dataset": f"d{i}", "model": "m", "constraint": "unit_norm", "seeds": [seed, other]} for i in range(5)]
    figure = figure2.draw({"panels": panels})
    titles = [f"d{i}, m, unit norm\nr = 0.50, Lipschitz 1.00, n = 2" for i in range(5)]
    assert [axes.get_title() for axes in figure.axes] == titles
    assert [bool(axes.get_ylabel()) for axes in figure.axes] == [True, False, False, False, True]
    points = np.asarray(figure.axes[4].collections[0].get_offsets())
    np.testing.assert_allclose(points, [[0.1, 0.2], [0.5, 0.4]])
    figures.save(figure, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]


def test_boxes() -> None:
    boxes = [("a", [0.0, 1.0, 2.0]), ("b", [5.0])]
    figure = figures.difference_boxes([("one", boxes), ("two", boxes[:1])], "difference")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["a", "b"]
    assert figure.axes[0].get_ylabel() == "difference"
    medians = [np.asarray(line.get_ydata())[0] for line in figure.axes[0].lines if line.get_color() == figures.OPPOSING]
    assert medians == [1.0, 5.0]
    assert len(figure.axes[1].get_xticklabels()) == 1


def test_curves() -> None:
    """Zero has no place on a logarithmic axis."""
    names = ("bound_apart", "apart", "bound_rolled_back_apart", "rolled_back_apart")
    curves = {name: [0.0, float(place)] for place, name in enumerate(names, 2)}
    told = {"dataset": "toy", "num_examples": 3, "num_removed": 2, "steps": [1, 10], "curves": curves}
    figure = figures.stability_curves(told)
    for place, line in enumerate(figure.axes[0].lines, 2):
        np.testing.assert_array_equal(line.get_ydata(), [np.nan, place])


def test_explanation_graph(toy: TripleSet, tmp_path: pathlib.Path) -> None:
    """Self-loops, parallel triples, triples away from the query, and two entities of one label."""
    labeled = dataclasses.replace(toy, labels={"e0": "same label", "e1": "same label", "r0": "a relation"})
    example_ids = np.array([3, 4, 11, 0, 1, 20])
    influences = np.array([0.3, 0.2, 0.1, 0.05, 0.0, -0.2])
    explanation = Explanation(Query(0, 0, 1), example_ids, influences, 0.5, 0.5 - influences, labeled)
    figure = explanation_graph(explanation, TripleTask(labeled, TripleConfig()))
    texts = [text.get_text() for text in figure.axes[0].texts]
    for influence in influences:
        assert sum(text.endswith(f"\n{influence:+.3f}") for text in texts) >= 1
    assert "a relation\np = 0.50" in texts
    nodes = [text for text in texts if "\n" not in text or text.startswith("same label")]
    assert {"same label\n(e0)", "same label\n(e1)"} <= set(nodes)
    names = {name for row in toy.train_frame.iloc[example_ids][["head", "tail"]].to_numpy() for name in row}
    assert len(nodes) == len(names | {"e0", "e1"})
    arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    styles = [(arrow.get_linestyle(), to_hex(arrow.get_edgecolor()), arrow.get_linewidth()) for arrow in arrows]
    assert [style[:1] for style in styles].count(("dashed",)) == 1
    assert ("dashed", "#000000", 1.8) in styles
    colors = [color for line, color, _ in styles if line == "solid"]
    assert colors.count(figures.SUPPORTING.lower()) == 5
    assert colors.count(figures.OPPOSING.lower()) == 1
    widths = sorted(width for line, _, width in styles if line == "solid")
    np.testing.assert_allclose(widths, sorted(1 + 3 * np.abs(influences) / 0.3))
    figures.save(figure, tmp_path / "graph.png")
