"""An explanation as a graph."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Edge:
    """One edge of a drawn explanation.

    Attributes:
        start, end: names of nodes, unique.
        label: what is between them.
        influence: of the example; None: of the question.
        example: its id; None: of the question.
    """

    start: str
    end: str
    label: str
    influence: float | None = None
    example: int | None = None


@dataclasses.dataclass(frozen=True)
class Drawing:
    """An explanation as a graph.

    Attributes:
        query: the question.
        edges: the examples, in the order that they were given in.
        nodes: what people call them, by name.
    """

    query: Edge
    edges: tuple[Edge, ...]
    nodes: Mapping[str, str]
