"""Draws an explanation as a graph in SVG, without a script: for pages and notebooks."""

import json
from collections.abc import Sequence

from markupsafe import Markup, escape

from gr_tf.report.graph_labels import Label, Point
from gr_tf.report.graph_layout import RADIUS, Layout, PlacedEdge, PlacedNode, lay_out
from gr_tf.runs import html_text
from gr_tf.tasks.drawing import Drawing, Edge

_COLOURS = {"query": "var(--text)", "for": "var(--for)", "against": "var(--against)"}
# A label that is farther from its edge than this has a line to it.
_NEAR = 16.0


def graph_svg(drawings: Drawing | Sequence[Drawing], most: int = 10, *, columns: int = 5, shown: int = 0) -> Markup:
    """The question dashed, and its most influential examples solid: the wider, the more influential.

    Elements have the classes query, for, against, edge, node, and asked; data-place is from which number of drawn
    examples on they are to be seen, and the drawing's data-extents are its top and bottom for each number.

    Args:
        drawings: the question and its examples; several are the same question with several answers.
        most: how many examples are drawn.
        columns: how many nodes are side by side; odd, at least 3. With 3, it fits a phone.
        shown: how many of the drawn examples are seen until a script shows more; 0: all.
    """
    drawings = [drawings] if isinstance(drawings, Drawing) else drawings
    queries = [drawing.query for drawing in drawings]
    nodes = {node: name for drawing in drawings for node, name in drawing.nodes.items()}
    edges = strongest(drawings[0], most)
    layout = lay_out(queries, edges, nodes, columns)
    largest = max((abs(edge.influence or 0) for edge in edges), default=0) or 1.0
    asked = {node for query in queries for node in (query.start, query.end)}
    parts = [_edge(edge, largest, nodes, hidden=0 < shown < edge.place) for edge in layout.edges]
    parts += [
        _node(node, nodes[node.name], is_asked=node.name in asked, hidden=0 < shown < node.first)
        for node in layout.nodes
    ]
    return _svg(layout, len(edges), min(shown or len(edges), len(edges)), parts)


def strongest(drawing: Drawing, most: int) -> list[Edge]:
    """The examples of the largest influences, these first."""
    return sorted(drawing.edges, key=lambda edge: -abs(edge.influence or 0))[:most]


def _svg(layout: Layout, count: int, shown: int, parts: Sequence[str]) -> Markup:
    extents = [[round(y) for y in layout.extent(number)] for number in range(count + 1)]
    top, bottom = extents[shown]
    label = f"The question and its {count} strongest examples as a graph"
    return html_text.svg(layout.width, bottom - top, label, parts, top=top, data={"extents": json.dumps(extents)})


def _node(node: PlacedNode, name: str, *, is_asked: bool, hidden: bool) -> str:
    ring = "var(--text)" if is_asked else "var(--soft)"
    return (
        f'<g class="node{" asked" if is_asked else ""}" data-place="{node.first}"{_hidden(hidden)}>'
        f'<title>{escape(name)}</title><circle cx="{node.x:.0f}" cy="{node.y:.0f}" r="{RADIUS:.0f}" '
        f'fill="var(--panel)" stroke="{ring}" stroke-width="2"/>{_text(node.label)}</g>'
    )


def _edge(placed: PlacedEdge, largest: float, nodes: dict[str, str], *, hidden: bool) -> str:
    edge = placed.edge
    kind = "query" if edge.influence is None else "for" if edge.influence > 0 else "against"
    width = 1.5 if edge.influence is None else 1 + 3 * abs(edge.influence) / largest
    start, *controls, end = placed.points
    curve = f"M{_at(start)} {'Q' if len(controls) == 1 else 'C'}{' '.join(map(_at, (*controls, end)))}"
    dashes = ' stroke-dasharray="6 4"' if kind == "query" else ""
    told = f"{nodes[edge.start]}, {edge.label}, {nodes[edge.end]}"
    told += "" if edge.influence is None else f": {edge.influence:+.4g}"
    example = "" if edge.example is None else f' data-example="{edge.example}"'
    return (
        f'<g class="edge {kind}" data-place="{placed.place}"{example}{_hidden(hidden)}><title>{escape(told)}</title>'
        f'<path d="{curve}" fill="none" stroke="{_COLOURS[kind]}" stroke-width="{width:.1f}"{dashes}/>'
        f"{_arrow(controls[-1], end, _COLOURS[kind])}{_leader(placed)}{_text(placed.label, _COLOURS[kind])}</g>"
    )


def _arrow(before: Point, tip: Point, colour: str) -> str:
    """A triangle at the end of a curve that comes from a point."""
    across, down = tip[0] - before[0], tip[1] - before[1]
    length = (across**2 + down**2) ** 0.5 or 1.0
    ux, uy = across / length, down / length
    corners = [(tip[0] + 2 * ux, tip[1] + 2 * uy)]
    corners += [(tip[0] - 7 * ux + side * 4 * uy, tip[1] - 7 * uy - side * 4 * ux) for side in (1, -1)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon points="{points}" fill="{colour}"/>'


def _leader(placed: PlacedEdge) -> str:
    """A thin line from an edge to a label that found no place near it."""
    (x, y), box = placed.middle, placed.label.box
    near_x, near_y = min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)
    if (near_x - x) ** 2 + (near_y - y) ** 2 <= _NEAR**2:
        return ""
    return (
        f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{near_x:.0f}" y2="{near_y:.0f}" stroke="var(--soft)" '
        'stroke-width="0.7" stroke-dasharray="1 2"/>'
    )


def _text(label: Label, colour: str = "var(--text)") -> str:
    # The baseline is a third of a letter below the middle.
    return (
        f'<text x="{label.x:.1f}" y="{label.y + 0.35 * label.size:.1f}" text-anchor="middle" '
        f'font-size="{label.size:g}" fill="{colour}" style="unicode-bidi:isolate">{escape(label.text)}</text>'
    )


def _hidden(hidden: bool) -> str:
    return ' style="display:none"' if hidden else ""


def _at(point: Point) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
