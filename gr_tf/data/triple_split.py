"""Holding out triples of a graph that has no validation or test file."""

import collections
import dataclasses
import types
from collections.abc import Sequence

import numpy as np

from gr_tf.data.columns import TRIPLE_FIELDS, ColumnNames
from gr_tf.errors import InputError
from gr_tf.settings import SEED, Range


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class TripleSplit(ColumnNames):
    """What is held out where a file is missing, and what the columns are called.

    Attributes:
        columns: what the columns of one's own files are called, such as head:src,relation:edge,tail:dst; a part with a
            comma needs quotes, as in CSV.
        valid_share, test_share: share of all triples that is held out, at least one, where there is no such file.
        seed: of what is held out.
    """

    valid_share: float = 0.05
    test_share: float = 0.05
    seed: int = 0

    fields = TRIPLE_FIELDS
    flag_names = types.MappingProxyType({"seed": "split_seed"})
    ranges = types.MappingProxyType(
        {"valid_share": Range(0, 0.5, above=True), "test_share": Range(0, 0.5, above=True), "seed": SEED}
    )


def hold_out(
    triples: Sequence[tuple[str, str, str]], parts: Sequence[str], split: TripleSplit
) -> dict[str, np.ndarray]:
    """Places of random triples for each of some parts, none twice, in ascending order.

    What stays names every entity and relation at least once, and a triple that repeats stays.

    Args:
        triples: all of them.
        parts: of "valid" and "test", those to fill.
        split: how much.

    Raises:
        InputError: if nothing can be held out for a part.
    """
    entities = collections.Counter(name for head, _, tail in triples for name in (head, tail))
    relations = collections.Counter(relation for _, relation, _ in triples)
    repeats = collections.Counter(triples)
    shares = {"valid": split.valid_share, "test": split.test_share}
    wanted = {part: max(1, round(shares[part] * len(triples))) for part in parts}
    held: dict[str, list[int]] = {part: [] for part in parts}
    left = iter(np.random.default_rng(split.seed).permutation(len(triples)).tolist())
    for part in parts:
        while len(held[part]) < wanted[part] and (place := next(left, None)) is not None:
            head, relation, tail = triples[place]
            own = collections.Counter((head, tail))
            known = all(entities[name] > count for name, count in own.items()) and relations[relation] > 1
            if known and repeats[head, relation, tail] == 1:
                entities -= own
                relations[relation] -= 1
                held[part].append(place)
        if not held[part]:
            raise InputError(
                f"no triple can be held out for {part}: each names something that no other triple names. "
                f"Give a {part} file."
            )
    return {part: np.sort(np.array(places)) for part, places in held.items()}
