"""Lays an explanation out as a graph from top to bottom, in as many columns as a screen has room for."""

import collections
import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from gr_tf.report.graph_labels import Box, FreePlaces, Label, Point, cut, extent, on_curve, text_width
from gr_tf.tasks.drawing import Edge

# In pixels: a column, the rows of nodes, the least distance of two bands, a line of labels, a node.
_COLUMN, _ROW, _BAND, _LINE, RADIUS = 124.0, 58.0, 84.0, 17.0, 7.0
_NODE_SIZE, _EDGE_SIZE, _WIDEST = 11.0, 10.0, 116.0
_MARGIN, _BEND, _MOST_BEND = 6.0, 24.0, 96.0
# How much more an edge may be bent, so that it passes no other node; between the bends of parallel edges.
_DETOURS = (0.0, 12.0, -12.0, 36.0, -36.0, 60.0, -60.0)
# Where the name of a node is.
_ABOVE, _BELOW, _RIGHT = "above", "below", "right"


@dataclasses.dataclass(frozen=True)
class PlacedNode:
    """A node in its place.

    Attributes:
        name: unique.
        x, y: of its middle.
        label: what people call it.
        first: the place of the first example that touches it, from 1; 0: of the question.
    """

    name: str
    x: float
    y: float
    label: Label
    first: int

    @property
    def box(self) -> Box:
        """What its circle covers."""
        return Box(self.x - RADIUS, self.y - RADIUS, self.x + RADIUS, self.y + RADIUS)


@dataclasses.dataclass(frozen=True)
class PlacedEdge:
    """An edge in its place.

    Attributes:
        edge: the question, or an example.
        place: of the example, from 1; 0: the question.
        points: of the curve: start, control points (one, or two of a loop), end.
        label: what is between its nodes.
    """

    edge: Edge
    place: int
    points: tuple[Point, ...]
    label: Label

    @property
    def middle(self) -> Point:
        """The middle of the curve."""
        (x1, y1), *controls, (x2, y2) = self.points
        weight = 0.5 if len(controls) == 1 else 0.75
        across, down = (sum(point[axis] for point in controls) / len(controls) for axis in (0, 1))
        return (1 - weight) * (x1 + x2) / 2 + weight * across, (1 - weight) * (y1 + y2) / 2 + weight * down


@dataclasses.dataclass(frozen=True)
class Layout:
    """A drawing of which nothing covers a text.

    Attributes:
        nodes: in the order in which the edges touch them.
        edges: the questions, then the examples.
        width: all is between 0 and this.
    """

    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    width: float

    def extent(self, count: int) -> tuple[float, float]:
        """The top and the bottom of the drawing if the first so many examples are drawn."""
        boxes = [box for node in self.nodes if node.first <= count for box in (node.box, node.label.box)]
        for edge in self.edges:
            if edge.place <= count:
                boxes += [edge.label.box, Box(*edge.middle, *edge.middle)]
        top, bottom = extent(boxes)
        return top - _MARGIN, bottom + _MARGIN


class _Bands:
    """Where nodes stand.

    Above the question is what touches its start, below it what touches its end, between them what touches both, and at
    the bottom all the rest.

    Attributes:
        width: of the drawing.
        places: of the nodes.
        sides: where their names are.
    """

    def __init__(self, queries: Sequence[Edge], edges: Sequence[Edge], columns: int) -> None:
        self._columns, self.width = columns, columns * _COLUMN
        starts = list(dict.fromkeys(query.start for query in queries))
        ends = [end for end in dict.fromkeys(query.end for query in queries) if end not in starts]
        touched = collections.defaultdict[str, set[str]](set)
        for edge in (*queries, *edges):
            touched[edge.start].add(edge.end)
            touched[edge.end].add(edge.start)
        groups = collections.defaultdict[tuple[bool, bool], list[str]](list)
        for node, others in touched.items():
            if node not in (*starts, *ends):
                groups[not others.isdisjoint(starts), not others.isdisjoint(ends)].append(node)
        self._between = collections.Counter(frozenset((edge.start, edge.end)) for edge in (*queries, *edges))
        self.places: dict[str, Point] = {}
        self.sides: dict[str, str] = {}
        above, both, below, rest = (groups[key] for key in ((True, False), (True, True), (False, True), (False, False)))
        self._rows(above, -self._band(above, starts), -_ROW, _ABOVE)
        self._side_by_side(starts, 0.0)
        bottom = self._middle(starts, ends, both)
        lowest = self._rows(below, bottom + self._band(below, ends), _ROW, _BELOW, bottom)
        self._rows(rest, lowest + _BAND, _ROW + 8, _BELOW)

    def _band(self, nodes: Sequence[str], others: Sequence[str]) -> float:
        """How far a band is from the question: the labels of all edges between two nodes have a line each."""
        most = max((self._between[frozenset(pair)] for pair in itertools.product(nodes, others)), default=0)
        return max(_BAND, 40 + _LINE * most)

    def _middle(self, starts: Sequence[str], ends: Sequence[str], both: Sequence[str]) -> float:
        """Places the ends of the questions, and what is between; gives the lowest y."""
        if not ends:
            return 0.0
        per_row = self._columns - 1
        rows = math.ceil(len(both) / per_row)
        height = max(self._band(starts, ends) + 16, 72.0 * (rows + 1))
        for place, node in enumerate(both):
            row, column = divmod(place, per_row)
            # The middle column is the question's.
            self._put(node, _outwards(column + 1), height * (row + 1) / (rows + 1), _BELOW)
        self._side_by_side(ends, height)
        return height

    def _side_by_side(self, nodes: Sequence[str], y: float) -> None:
        """One in the middle, two on its sides."""
        if len(nodes) == 1:
            self._put(nodes[0], 0, y, _RIGHT)
        for place, node in enumerate(nodes if len(nodes) > 1 else ()):
            self._put(node, 2 * place / (len(nodes) - 1) - 1, y, _BELOW)

    def _rows(self, nodes: Sequence[str], y: float, step: float, side: str, empty: float = 0.0) -> float:
        """Places nodes in rows from the middle outwards, every other row between two columns; gives the last row's y.

        `empty` is given if there is no node.
        """
        row, left, last = 0, list(nodes), empty
        while left:
            room = self._columns - row % 2
            for place, node in enumerate(left[:room]):
                column = _outwards(place) if row % 2 == 0 else (place // 2 + 0.5) * (-1 if place % 2 == 0 else 1)
                self._put(node, column, y + step * row, side)
            last, left, row = y + step * row, left[room:], row + 1
        return last

    def _put(self, node: str, column: float, y: float, side: str) -> None:
        self.places[node] = self.width / 2 + column * _COLUMN, y
        self.sides[node] = side


def _outwards(place: int) -> int:
    """0, -1, 1, -2, 2, ..."""
    return (place + 1) // 2 * (-1 if place % 2 else 1)


def lay_out(queries: Sequence[Edge], edges: Sequence[Edge], names: Mapping[str, str], columns: int) -> Layout:
    """Places nodes, edges, and their texts, so that no text covers another text or a node.

    What is placed for an edge does not depend on the labels of the edges after it.

    Args:
        queries: the question, perhaps the same with another answer.
        edges: the examples, the most important first.
        names: what people call the nodes.
        columns: how many nodes are side by side; odd, at least 3. A column is 124 pixels wide.
    """
    bands = _Bands(queries, edges, columns)
    first: dict[str, int] = {}
    all_edges = [*((query, 0) for query in queries), *((edge, place) for place, edge in enumerate(edges, start=1))]
    for edge, place in all_edges:
        for node in (edge.start, edge.end):
            first.setdefault(node, place)
    free = FreePlaces(bands.width)
    nodes = []
    for node, place in first.items():
        x, y = bands.places[node]
        placed = PlacedNode(node, x, y, _node_label(names[node], x, y, bands.sides[node]), place)
        nodes.append(placed)
        free.take(placed.box)
        free.take(placed.label.box)
    between = collections.Counter(frozenset((edge.start, edge.end)) for edge, _ in all_edges)
    drawn = collections.Counter[frozenset[str]]()
    made = []
    for edge, place in all_edges:
        ends = frozenset((edge.start, edge.end))
        points = _points(edge, bands, drawn[ends], between[ends])
        drawn[ends] += 1
        text = cut(edge.label, _EDGE_SIZE, _WIDEST)
        middle = PlacedEdge(edge, place, points, Label(0, 0, text, _EDGE_SIZE)).middle
        on = (points[0], points[1], points[2]) if len(points) == 3 else (middle, middle, middle)
        made.append(PlacedEdge(edge, place, points, free.place(text, _EDGE_SIZE, *on)))
    return Layout(tuple(nodes), tuple(made), bands.width)


def _node_label(name: str, x: float, y: float, side: str) -> Label:
    # A name to the right has the half of a column that its node does not need.
    text = cut(name, _NODE_SIZE, _WIDEST)
    if side == _RIGHT:
        return Label(x + RADIUS + 4 + text_width(text, _NODE_SIZE) / 2, y, text, _NODE_SIZE)
    return Label(x, y + (RADIUS + 10) * (-1 if side == _ABOVE else 1), text, _NODE_SIZE)


def _points(edge: Edge, bands: _Bands, number: int, count: int) -> tuple[Point, ...]:
    """The curve of one of `count` edges between two nodes, which lie side by side whatever their direction."""
    (x1, y1), (x2, y2) = bands.places[edge.start], bands.places[edge.end]
    if edge.start == edge.end:
        size = 18 + 10.0 * number
        return (x1 - 5, y1 - 5), (x1 - 2 * size, y1 - size), (x1 - 2 * size, y1 + size), (x1 - 7, y1 + 5)
    step = min(_BEND, _MOST_BEND / math.ceil(count / 2))
    bend = step * math.ceil(number / 2) * (1 if number % 2 else -1) * (1 if edge.start < edge.end else -1)
    others = [place for node, place in bands.places.items() if node not in (edge.start, edge.end)]
    curves = [_curve((x1, y1), (x2, y2), bend + more, bands.width) for more in _DETOURS]
    curve = next((one for one in curves if _avoids(one, others)), curves[0])
    (first, control, last), length = curve, math.hypot(x2 - x1, y2 - y1)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    first_gap, last_gap = _gap(bands.sides[edge.start], uy, 8), _gap(bands.sides[edge.end], -uy, 10)
    return (
        (first[0] + first_gap * ux, first[1] + first_gap * uy),
        control,
        (last[0] - last_gap * ux, last[1] - last_gap * uy),
    )


def _curve(start: Point, end: Point, bend: float, width: float) -> tuple[Point, Point, Point]:
    """From a node to another, bent so far to the side, but not out of the drawing."""
    across, down = end[0] - start[0], end[1] - start[1]
    length = math.hypot(across, down)
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    # The curve's middle is half as far out as the control point.
    inside = min(max(x - bend * down / length, _MARGIN), width - _MARGIN)
    return start, (2 * inside - x, y + 2 * bend * across / length), end


def _avoids(curve: tuple[Point, Point, Point], places: Sequence[Point]) -> bool:
    """Whether a curve passes no other node."""
    on_it = [on_curve(*curve, part / 16) for part in range(1, 16)]
    return all(math.dist(point, place) > RADIUS + 6 for point in on_it for place in places)


def _gap(side: str, down: float, least: float) -> float:
    """How far from the middle of a node an edge begins or ends, that leaves it downwards by `down` of its length."""
    under_name = (side == _BELOW and down > 0.6) or (side == _ABOVE and down < -0.6)
    return least + 17 if under_name else least
