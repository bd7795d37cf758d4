"""An explanation as a graph."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from gr_tf.types import Ids


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

    @classmethod
    def of(
        cls,
        query: tuple[str, str, str],
        examples: Iterable[tuple[str, str, str]],
        example_ids: Ids,
        influences: np.ndarray,
        nodes: Mapping[str, str],
    ) -> "Drawing":
        """From (start, end, label) of the query and of each example."""
        edges = zip(examples, influences.tolist(), example_ids.tolist(), strict=True)
        return cls(Edge(*query), tuple(Edge(*ends, influence, example) for ends, influence, example in edges), nodes)
