"""Makes graphs of any size, heavy-tailed as real ones are, with something to learn."""

import pathlib

import numpy as np

# Zipf's exponents: of how often entities and relations occur.
_OF_ENTITIES, _OF_RELATIONS = 0.8, 1.0
# A tail is chosen among so many random entities, by scores of so many hidden numbers, times a factor.
_CANDIDATES, _HIDDEN, _SHARPNESS = 24, 6, 3.0
# The share that is for validation, and for test; and at least so many.
_HELD_OUT, _LEAST = 0.005, 50
_AT_ONCE = 100_000


def made_triples(num_triples: int, num_entities: int, num_relations: int, seed: int) -> np.ndarray:
    """Distinct triples [num_triples, 3] of head, relation, tail in random order.

    Args:
        num_triples, num_entities, num_relations: sizes.
        seed: of all that is drawn.

    Raises:
        ValueError: if there are not enough triples of so many entities and relations.
    """
    if 4 * num_triples > num_entities * num_entities * num_relations:
        raise ValueError(f"{num_triples} triples are too many of {num_entities} entities.")
    generator = np.random.default_rng(seed)
    hidden = generator.normal(size=(num_entities, _HIDDEN)).astype(np.float32)
    weights = generator.normal(size=(num_relations, _HIDDEN)).astype(np.float32)
    found = np.empty((0, 3), np.int64)
    while len(found) < num_triples:
        heads = _drawn(generator, num_entities, _OF_ENTITIES, _AT_ONCE)
        relations = _drawn(generator, num_relations, _OF_RELATIONS, _AT_ONCE)
        candidates = _drawn(generator, num_entities, _OF_ENTITIES, (_AT_ONCE, _CANDIDATES))
        scores = np.einsum("nh,nch->nc", hidden[heads] * weights[relations], hidden[candidates])
        # The largest of scores with Gumbel's noise is drawn by their softmax.
        chosen = np.argmax(_SHARPNESS * scores + generator.gumbel(size=scores.shape), axis=1)
        tails = np.take_along_axis(candidates, chosen[:, None], axis=1)[:, 0]
        together = np.concatenate([found, np.stack([heads, relations, tails], axis=1)[heads != tails]])
        _, firsts = np.unique(together @ (num_relations * num_entities, num_entities, 1), return_index=True)
        found = together[np.sort(firsts)]
    return generator.permutation(found[:num_triples])


def _drawn(generator: np.random.Generator, count: int, exponent: float, size: int | tuple[int, ...]) -> np.ndarray:
    """Numbers below `count` by Zipf's law."""
    weights = np.arange(1, count + 1) ** -exponent
    return np.searchsorted(np.cumsum(weights) / weights.sum(), generator.random(size)).clip(max=count - 1)


def write_graph(folder: pathlib.Path, triples: np.ndarray) -> None:
    """Writes train.txt, valid.txt and test.txt, in the layout of WN18RR and FB15k-237."""
    folder.mkdir(parents=True, exist_ok=True)
    held = max(_LEAST, int(_HELD_OUT * len(triples)))
    parts = {"valid": triples[:held], "test": triples[held : 2 * held], "train": triples[2 * held :]}
    for part, of in parts.items():
        lines = (f"e{head}\tr{relation}\te{tail}\n" for head, relation, tail in of.tolist())
        (folder / f"{part}.txt").write_text("".join(lines))
