"""Makes graphs of any size, heavy-tailed as real ones are, with something to learn."""

import pathlib

import numpy as np

# Entities are of groups; a relation leads from each group to another one.
_GROUP = 300
# Zipf's exponents: of how often entities and relations occur.
_OF_ENTITIES, _OF_RELATIONS = 0.8, 1.0
# The share of triples whose tail is of any group.
_NOISE = 0.2
# The share that is for validation, and for test.
_HELD_OUT = 0.005


def made_triples(num_triples: int, num_entities: int, num_relations: int, seed: int) -> np.ndarray:
    """Distinct triples [n, 3] of head, relation, tail in random order; n is `num_triples`, or a little less.

    Args:
        num_triples, num_entities, num_relations: sizes.
        seed: of all that is drawn.
    """
    generator = np.random.default_rng(seed)
    num_groups = max(2, num_entities // _GROUP)
    group_of = generator.integers(num_groups, size=num_entities)
    order = np.argsort(group_of, kind="stable")
    starts = np.searchsorted(group_of[order], np.arange(num_groups + 1))
    leads_to = np.stack([generator.permutation(num_groups) for _ in range(num_relations)])
    found = np.empty((0, 3), np.int64)
    while len(found) < num_triples:
        count = (num_triples - len(found)) * 3 // 2 + 1_000
        heads = _drawn(generator, num_entities, _OF_ENTITIES, count)
        relations = _drawn(generator, num_relations, _OF_RELATIONS, count)
        groups = leads_to[relations, group_of[heads]]
        sizes = starts[groups + 1] - starts[groups]
        # In a group, too, the first are the likeliest.
        inside = starts[groups] + (sizes * generator.random(count) ** 3).astype(np.int64)
        tails = order[np.minimum(inside, num_entities - 1)]
        anywhere = (generator.random(count) < _NOISE) | (sizes == 0)
        tails = np.where(anywhere, _drawn(generator, num_entities, _OF_ENTITIES, count), tails)
        together = np.concatenate([found, np.stack([heads, relations, tails], axis=1)[heads != tails]])
        _, firsts = np.unique(together, axis=0, return_index=True)
        found = together[np.sort(firsts)]
    return generator.permutation(found[:num_triples])


def _drawn(generator: np.random.Generator, count: int, exponent: float, size: int) -> np.ndarray:
    """Numbers below `count` by Zipf's law."""
    weights = np.arange(1, count + 1) ** -exponent
    return np.searchsorted(np.cumsum(weights) / weights.sum(), generator.random(size)).clip(max=count - 1)


def write_graph(folder: pathlib.Path, triples: np.ndarray) -> None:
    """Writes train.txt, valid.txt and test.txt, in the layout of WN18RR and FB15k-237."""
    folder.mkdir(parents=True, exist_ok=True)
    held = max(10, int(_HELD_OUT * len(triples)))
    parts = {"valid": triples[:held], "test": triples[held : 2 * held], "train": triples[2 * held :]}
    for part, of in parts.items():
        lines = (f"e{head}\tr{relation}\te{tail}\n" for head, relation, tail in of.tolist())
        (folder / f"{part}.txt").write_text("".join(lines))
