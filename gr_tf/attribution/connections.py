"""How training triples are connected to a query."""

from collections.abc import Sequence

import numpy as np

from gr_tf.data.triples import Query, TripleSet


def connections(query: Query, triples: TripleSet, example_ids: np.ndarray) -> list[str]:
    """What each of some training triples shares with a query, for people.

    "same head" and so on speak of the same place; an entity in another place is named with its place.
    """
    return [_connection(query, triples, triple) for triple in triples.train[example_ids].tolist()]


def _connection(query: Query, triples: TripleSet, triple: Sequence[int]) -> str:
    head, relation, tail = triple
    compared = (("head", head, query.head), ("relation", relation, query.relation), ("tail", tail, query.tail))
    same = [place for place, own, asked in compared if own == asked]
    parts = [f"same {' and '.join(same)}"] if same else []
    for place, own, asked, other in (("tail", tail, query.head, query.tail), ("head", head, query.tail, query.head)):
        if own == asked != other:
            parts.append(f"{triples.label(triples.entities.names[own])} as its {place}")
    return "; ".join(parts) or "none"
