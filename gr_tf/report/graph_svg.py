"""Draws an explanation as a graph in SVG, as the page does, but without a script: for notebooks."""

import collections
import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from gr_tf.runs import html_text
from gr_tf.tasks.drawing import Drawing, Edge

_WIDTH, _GAP, _LONGEST = 760.0, 54.0, 20
_COLOURS = {"query": "var(--text)", "for": "var(--for)", "against": "var(--against)"}
Place = tuple[float, float]


def graph_svg(drawing: Drawing, most: int = 10) -> Markup:
    """The question dashed, and its most influential examples solid: the wider, the more influential.

    Args:
        drawing: the question and its examples.
        most: how many examples are drawn.
    """
    edges = sorted(drawing.edges, key=lambda edge: -abs(edge.influence or 0))[:most]
    places, height = _layout(drawing.query, edges)
    strongest = max((abs(edge.influence or 0) for edge in edges), default=0) or 1.0
    parts = [
        f'<marker id="gr-tf-{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="10" markerHeight="10" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="{colour}"/></marker>'
        for kind, colour in _COLOURS.items()
    ]
    between = collections.Counter[tuple[str, ...]]()
    for edge in (drawing.query, *edges):
        ends = tuple(sorted((edge.start, edge.end)))
        parts.append(_edge(edge, places, between[ends], strongest, drawing.nodes))
        between[ends] += 1
    for node, (x, y) in places.items():
        ring = "var(--text)" if node in (drawing.query.start, drawing.query.end) else "var(--soft)"
        parts.append(
            f'<g><title>{escape(drawing.nodes[node])}</title><circle cx="{x:.0f}" cy="{y:.0f}" r="7" '
            f'fill="none" stroke="{ring}" stroke-width="2"/>{_text(x, y + 20, drawing.nodes[node])}</g>'
        )
    return html_text.svg(_WIDTH, height, f"The question and its {len(edges)} strongest examples as a graph", parts)


def _layout(query: Edge, edges: Sequence[Edge]) -> tuple[dict[str, Place], float]:
    """The question's ends in the middle, what touches one beside it, what touches both between, the rest below."""
    touched = collections.defaultdict[str, set[str]](set)
    for edge in (query, *edges):
        touched[edge.start].add(edge.end)
        touched[edge.end].add(edge.start)
    groups = collections.defaultdict[tuple[bool, bool], list[str]](list)
    for node, others in touched.items():
        if node not in (query.start, query.end):
            groups[query.start in others, query.end in others].append(node)
    both, left, right, below = (groups[key] for key in ((True, True), (True, False), (False, True), (False, False)))
    middle = max(2, len(left), len(right), len(both) + 1) * _GAP / 2 + 20
    places = {query.start: (255.0, middle), query.end: (505.0, middle)}
    for nodes, x, inward in ((left, 75.0, 1), (right, 685.0, -1)):
        for i, node in enumerate(nodes):
            places[node] = x + (i % 2) * 50 * inward, middle + _GAP * (i - (len(nodes) - 1) / 2)
    for i, node in enumerate(both):
        places[node] = 380.0, middle + (1 if i % 2 else -1) * _GAP * (1 + i // 2)
    top = 2 * middle + 20
    for i, node in enumerate(below):
        places[node] = 90.0 + 145 * (i % 5), top + 60 * (i // 5) + (i % 2) * 14
    return places, top + 60 * math.ceil(len(below) / 5) if below else 2 * middle


def _edge(edge: Edge, places: Mapping[str, Place], number: int, strongest: float, nodes: Mapping[str, str]) -> str:
    """One edge; those between the same two nodes lie side by side."""
    kind = "query" if edge.influence is None else "for" if edge.influence > 0 else "against"
    width = 1.5 if edge.influence is None else 1 + 3 * abs(edge.influence) / strongest
    (x1, y1), (x2, y2) = places[edge.start], places[edge.end]
    if edge.start == edge.end:
        size = 22 + 11 * number
        path = f"M{x1 - 6:.0f},{y1 - 6:.0f} C{x1 - size:.0f},{y1 - 2 * size:.0f} "
        path += f"{x1 + size:.0f},{y1 - 2 * size:.0f} {x1 + 6:.0f},{y1 - 8:.0f}"
        x, y = x1, y1 - 1.5 * size
    else:
        bend = 24 * math.ceil(number / 2) * (1 if number % 2 else -1) * (1 if edge.start < edge.end else -1)
        length = math.hypot(x2 - x1, y2 - y1)
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        cx, cy = (x1 + x2) / 2 - 2 * bend * uy, (y1 + y2) / 2 + 2 * bend * ux
        path = f"M{x1 + 8 * ux:.0f},{y1 + 8 * uy:.0f} Q{cx:.0f},{cy:.0f} {x2 - 10 * ux:.0f},{y2 - 10 * uy:.0f}"
        x, y = (x1 + x2) / 4 + cx / 2, (y1 + y2) / 4 + cy / 2
    dashes = ' stroke-dasharray="6 4"' if kind == "query" else ""
    told = f"{nodes[edge.start]}, {edge.label}, {nodes[edge.end]}"
    label = _text(x, y, edge.label, _COLOURS[kind])
    told += "" if edge.influence is None else f": {edge.influence:+.4g}"
    return (
        f'<g><title>{escape(told)}</title><path d="{path}" fill="none" stroke="{_COLOURS[kind]}" '
        f'stroke-width="{width:.1f}" marker-end="url(#gr-tf-{kind})"{dashes}/>{label}</g>'
    )


def _text(x: float, y: float, text: str, colour: str = "var(--text)") -> str:
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\u2026"
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" font-size="11" fill="{colour}" '
        f'style="unicode-bidi:isolate">{escape(cut)}</text>'
    )
