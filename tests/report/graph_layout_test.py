"""In drawings of explanations no text covers another text or a node, and all of it is inside the drawing."""

import itertools
import math
import xml.etree.ElementTree

import numpy as np
import pytest

from gr_tf.report.graph_labels import Box, FreePlaces, Label, cut, on_curve, text_width
from gr_tf.report.graph_layout import Layout, lay_out
from gr_tf.report.graph_svg import graph_svg, strongest
from gr_tf.tasks.drawing import Drawing, Edge

# Nodes, examples, and how long a name is.
SIZES = [(2, 1, 3), (3, 6, 3), (5, 10, 12), (20, 20, 40), (20, 60, 40), (2, 12, 30), (60, 60, 20)]


def drawing(num_nodes: int, num_edges: int, length: int, seed: int = 0) -> Drawing:
    """Edges between random nodes; half of them touch the question, and some are loops."""
    generator = np.random.default_rng([seed, num_nodes, num_edges])
    names = [f"n{place}" for place in range(num_nodes)]
    people = {name: (f"{name} " + "Long Name " * 9)[:length] for name in names}
    examples = []
    for _ in range(num_edges):
        start, end = generator.choice(names, 2)
        kind = generator.integers(4)
        start, end = ("n0" if kind == 0 else start), ("n1" if kind == 1 else end)
        examples.append((str(start), str(end), f"relation_{generator.integers(9)}"[: max(length, 4)]))
    return Drawing.of(
        ("n0", "n1", "asked for"), examples, np.arange(num_edges), generator.normal(size=num_edges), people
    )


def laid_out(drawn: Drawing, columns: int) -> Layout:
    return lay_out([drawn.query], strongest(drawn, 60), drawn.nodes, columns)


def labels(layout: Layout) -> list[Label]:
    return [*(node.label for node in layout.nodes), *(edge.label for edge in layout.edges)]


@pytest.mark.parametrize("columns", [3, 5, 7])
@pytest.mark.parametrize("size", SIZES)
def test_no_text_covers_another(size: tuple[int, int, int], columns: int) -> None:
    for seed in range(3):
        layout = laid_out(drawing(*size, seed=seed), columns)
        texts = [label.box for label in labels(layout)]
        circles = [node.box for node in layout.nodes]
        assert len(texts) == len(layout.nodes) + len(layout.edges)
        for one, other in itertools.combinations([*texts, *circles], 2):
            assert not one.overlaps(other), (size, columns, seed, one, other)
        top, bottom = layout.extent(size[1])
        for box in (*texts, *circles):
            assert top < box.top < box.bottom < bottom
            assert -1 <= box.left < box.right <= layout.width + 1
        for x, y in (edge.middle for edge in layout.edges):
            assert 0 < x < layout.width
            assert top < y < bottom


def test_fewer_examples_do_not_move_what_is_drawn() -> None:
    """Labels are placed in the order of the examples; of fewer, less of the drawing is seen."""
    drawn = drawing(12, 20, 10)
    layout = laid_out(drawn, 3)
    tops, bottoms = zip(*(layout.extent(count) for count in range(21)), strict=True)
    assert list(tops) == sorted(tops, reverse=True)
    assert list(bottoms) == sorted(bottoms)
    assert tops[2] > tops[20] or bottoms[2] < bottoms[20]
    firsts = {node.name: node.first for node in layout.nodes}
    for name, first in firsts.items():
        places = [edge.place for edge in layout.edges if name in (edge.edge.start, edge.edge.end)]
        assert first == min(places)


def test_the_question_with_two_answers() -> None:
    drawn = drawing(8, 8, 10)
    other = Edge("n0", "n7", "asked for")
    layout = lay_out([drawn.query, other], strongest(drawn, 60), drawn.nodes, 3)
    places = {node.name: node for node in layout.nodes}
    assert places["n1"].y == places["n7"].y > places["n0"].y
    assert [edge.place for edge in layout.edges[:3]] == [0, 0, 1]
    for one, other_box in itertools.combinations([edge.label.box for edge in layout.edges], 2):
        assert not one.overlaps(other_box)


def test_the_svg_is_of_the_layout() -> None:
    drawn = drawing(6, 9, 50)
    tree = xml.etree.ElementTree.fromstring(graph_svg(drawn, 9, columns=3, shown=4))
    texts = {text.text for text in tree.iter("text")}
    layout = laid_out(drawn, 3)
    assert texts == {label.text for label in labels(layout)}
    titles = [title.text for title in tree.iter("title")]
    assert set(drawn.nodes.values()) >= {title for title in titles if title and ":" not in title and "," not in title}
    groups = tree.findall("g")
    assert [group.get("data-place") for group in groups if "edge" in group.get("class", "")] == list("0123456789")
    for group in groups:
        assert (group.get("style") == "display:none") == (int(group.get("data-place", "")) > 4)
    left, top, width, height = map(float, tree.get("viewBox", "").split())
    assert (left, width) == (0, layout.width)
    assert (top, top + height) == pytest.approx([round(y) for y in layout.extent(4)])


def test_a_long_name_is_cut_to_its_room() -> None:
    assert cut("short", 10, 100) == "short"
    for name in ("a name that goes on and on and on", "W" * 300, "\u4e2d\u6587" * 40, "a\nb" * 50):
        shown = cut(name, 10, 100)
        assert shown.endswith("\u2026")
        assert text_width(shown, 10) <= 100
        assert "\n" not in shown
        # It is not shorter than it must be.
        assert text_width(shown, 10) > 100 - 2 * 1.3 * 10


def test_a_label_without_room_on_its_curve_is_put_beside_it() -> None:
    free = FreePlaces(300)
    ends = ((150.0, 0.0), (150.0, 50.0), (150.0, 100.0))
    placed = [free.place("a label", 10, *ends) for _ in range(40)]
    for one, other in itertools.combinations(placed, 2):
        assert not one.box.overlaps(other.box)
    assert placed[0] == Label(150, 50, "a label", 10)
    assert all(label.box.left >= 0 and label.box.right <= 300 for label in placed)
    assert Box(0, 0, 2, 2).overlaps(Box(1, 1, 3, 3))
    assert not Box(0, 0, 2, 2).overlaps(Box(2, 0, 3, 2))


def test_an_edge_goes_around_nodes_and_names() -> None:
    """Three nodes in one column: the edge from the first to the last passes neither the second nor a name."""
    drawn = Drawing.of(
        ("a", "b", "asked"),
        [("c", "a", "one"), ("b", "d", "two"), ("c", "d", "three")],
        np.arange(3),
        np.array([3.0, 2.0, 1.0]),
        dict(zip("abcd", "abcd", strict=True)),
    )
    layout = laid_out(drawn, 3)
    places = {node.name: (node.x, node.y) for node in layout.nodes}
    assert len({x for x, _ in places.values()}) == 1
    around = layout.edges[-1]
    start, control, end = around.points
    for part in np.linspace(0, 1, 50):
        point = on_curve(start, control, end, part)
        for name in "ab":
            assert math.dist(point, places[name]) > 7
    # The names of c and d are above and below, where no edge ends.
    for edge in layout.edges:
        assert len({round(math.dist(edge.points[-1], places[edge.edge.end]))} - {10}) == 0
