"""Draws an explanation as a graph (Lawrence et al. 2021, Figure 3)."""

import collections
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from gr_tf.attribution.base import Explanation
from gr_tf.report.figures import NEUTRAL, OPPOSING, SUPPORTING, new_figure
from gr_tf.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTHS = (1.0, 4.0)


def explanation_graph(explanation: Explanation[Any], task: Task[Any]) -> "Figure":
    """Draws the query dashed and its examples solid: supporting ones blue, opposing ones red, width by influence.

    Args:
        explanation: what to draw; up to ten examples can be read well.
        task: the task whose model is explained.
    """
    import networkx as nx

    drawing = task.drawing(explanation.query, explanation.prediction, explanation.example_ids, explanation.influences)
    head, tail = drawing.query.start, drawing.query.end
    graph = nx.MultiDiGraph()
    asked_label = f"{drawing.query.label}\np = {explanation.prediction:.2f}"
    graph.add_edge(head, tail, label=asked_label, color="black", width=1.8, style="dashed")
    strongest = np.abs(explanation.influences).max(initial=1e-12)
    for edge, influence in zip(drawing.edges, explanation.influences, strict=True):
        graph.add_edge(
            edge.start,
            edge.end,
            label=f"{edge.label}\n{influence:+.3f}",
            color=SUPPORTING if influence >= 0 else OPPOSING,
            width=_WIDTHS[0] + abs(influence) / strongest * (_WIDTHS[1] - _WIDTHS[0]),
            style="solid",
        )
    figure, (axes,) = new_figure(1, width=9, height=6.5)
    positions = _positions(graph, head, tail)
    asked = [node in (head, tail) for node in graph]
    nx.draw_networkx_nodes(
        graph,
        positions,
        ax=axes,
        node_size=1100,
        node_color=["#FFF3D6" if is_asked else "#F2F2F2" for is_asked in asked],
        edgecolors=["black" if is_asked else NEUTRAL for is_asked in asked],
    )
    # Labels need not be unique; names are.
    labels = {name: textwrap.fill(drawing.nodes[name], 14) for name in graph}
    nx.draw_networkx_labels(graph, positions, labels, ax=axes, font_size=8)
    for place, curve in _curves(graph).items():
        data, bent = graph.edges[place], {"ax": axes, "connectionstyle": f"arc3,rad={curve}"}
        nx.draw_networkx_edges(
            graph,
            positions,
            [place],
            edge_color=data["color"],
            width=data["width"],
            style=data["style"],
            node_size=1100,
            arrowsize=14,
            **bent,
        )
        nx.draw_networkx_edge_labels(
            graph,
            positions,
            {place: data["label"]},
            font_size=7,
            font_color=data["color"],
            rotate=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            **bent,
        )
    axes.set_axis_off()
    axes.margins(0.15)
    answer = task.names_of(explanation.query)[task.answer_place(explanation.query)]
    question = ", ".join(task.asked(explanation.query))
    axes.set_title(
        f"({question}) → {answer}: the {len(explanation.influences)} most influential training triples",
        fontsize=10,
    )
    return figure


def _positions(graph: Any, head: str, tail: str) -> dict[str, tuple[float, float]]:
    """Puts the head left, the tail right, what touches both between them, what touches one beside it, others below."""
    positions = {head: (-1.0, 0.0), tail: (1.0, 0.0)}
    undirected = graph.to_undirected(as_view=True)
    # Keys say whether a node touches the head, and whether it touches the tail.
    sides: dict[tuple[bool, bool], list[str]] = collections.defaultdict(list)
    for node in graph:
        if node not in positions:
            sides[undirected.has_edge(node, head), undirected.has_edge(node, tail)].append(node)
    for i, node in enumerate(sides[True, True]):
        positions[node] = (0.0, (1.0 + 0.8 * (i // 2)) * (1 if i % 2 == 0 else -1))
    for beside, direction in ((sides[True, False], -1.0), (sides[False, True], 1.0)):
        for i, node in enumerate(beside):
            angle = np.pi * (i + 1) / (len(beside) + 1) - np.pi / 2
            positions[node] = (direction * (1.0 + 1.2 * np.cos(angle)), 1.2 * np.sin(angle))
    lowest = min(y for _, y in positions.values()) - 0.9
    for i, node in enumerate(sides[False, False]):
        positions[node] = (-1.6 + 3.2 * (i + 0.5) / len(sides[False, False]), lowest)
    return positions


def _curves(graph: Any) -> dict[tuple[str, str, int], float]:
    """Says how far each edge bends, so that edges between the same nodes lie side by side."""
    curves, between = {}, collections.Counter[tuple[str, ...]]()
    for edge in graph.edges(keys=True):
        ends = tuple(sorted(edge[:2]))
        i = between[ends]
        between[ends] += 1
        # 0, 1, -1, 2, -2, ...; an edge in the other direction bends to its other side.
        bend = 0.28 * ((i + 1) // 2) * (1 if i % 2 else -1)
        curves[edge] = bend if edge[:2] == ends else -bend
    return curves
