"""Holding out triples of a graph that has no validation or test file."""

import collections
import dataclasses
import pathlib
import types
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

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
    triples: Sequence[tuple[str, str, str]], parts: Sequence[str], split: TripleSplit, *, of_files: bool = True
) -> dict[str, np.ndarray]:
    """Places of random triples for each of some parts, none twice, in ascending order.

    What stays names every entity and relation at least once, and a triple that repeats stays.

    Args:
        triples: all of them.
        parts: of "valid" and "test", those to fill.
        split: how much.
        of_files: whether the triples are in files, not in DataFrames; for the message.

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
            of = f"a {part} file" if of_files else f"{part}, another DataFrame"
            raise InputError(f"no triple can be held out for {part}: {_why(repeats)} {of}.")
    return {part: np.sort(np.array(places)) for part, places in held.items()}


def _why(repeats: Mapping[tuple[str, str, str], int]) -> str:
    """Why nothing can be held out, given how often each triple is there; and what to do, but for its last words."""
    alone = "each names something that no other triple names"
    once = sum(count == 1 for count in repeats.values())
    if once == len(repeats):
        return f"{alone}. Give"
    others = f", and of the {once} others {alone}" if once else ""
    return f"{len(repeats) - once} triples are there more than once{others}. Leave out the repetitions, or give"


def with_held_out(
    named: Mapping[str, pd.DataFrame], source: pathlib.Path | str, split: TripleSplit | None = None
) -> tuple[dict[str, pd.DataFrame], list[str], TripleSplit | None]:
    """Fills the splits that are missing with triples of train.

    Args:
        named: triples by split, columns head, relation, tail; at least those of train.
        source: their folder or file, or what they are in; for messages.
        split: how much is held out; None: the default.

    Returns:
        The triples of all splits, a note for each that was filled, and how; None: none was missing.

    Raises:
        InputError: if nothing can be held out.
    """
    missing = [part for part in ("valid", "test") if part not in named]
    if not missing:
        return dict(named), [], None
    split, everything, of_files = split or TripleSplit(), named["train"], isinstance(source, pathlib.Path)
    try:
        held = hold_out(list(everything.itertuples(index=False, name=None)), missing, split, of_files=of_files)
    except InputError as error:
        raise InputError(f"{source}: {error.marked}") from None
    absent = "no file" if of_files else "not given"
    notes = [
        f"{part}: {absent}; {len(places)} of {len(everything)} triples held out (seed {split.seed})."
        for part, places in held.items()
    ]
    rest = everything.drop(everything.index[np.concatenate(list(held.values()))])
    return {**named, "train": rest, **{part: everything.iloc[places] for part, places in held.items()}}, notes, split
