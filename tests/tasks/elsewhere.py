"""A ComplEx of PyKEEN's kind, trained in numpy: what a user would bring along."""

import numpy as np


def train_complex(
    triples: np.ndarray, num_entities: int, num_relations: int, *, dim: int = 8, epochs: int = 60, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Complex embeddings by PyKEEN's interaction Re(h * r * conj(t)), cross-entropy over all tails, and Adagrad.

    Args:
        triples: [n, 3] ids.
        num_entities, num_relations: how many ids there are.
        dim: number of complex factors.
        epochs: passes over the triples, in batches of 64.
        seed: of the initial values, and of the batches.

    Returns:
        Entities and relations, complex64.
    """
    generator = np.random.default_rng(seed)
    tables = [
        0.3 * (generator.normal(size=(count, dim)) + 1j * generator.normal(size=(count, dim)))
        for count in (num_entities, num_relations)
    ]
    squares = [np.full((len(table), dim), 1e-8) for table in tables]
    for _ in range(epochs):
        for batch in np.array_split(generator.permutation(triples), -(-len(triples) // 64)):
            heads, relations, tails = batch.T
            h, r, every = tables[0][heads], tables[1][relations], tables[0]
            scores = ((h * r) @ every.conj().T).real
            scores -= scores.max(axis=1, keepdims=True)
            errors = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            errors[np.arange(len(tails)), tails] -= 1
            # Of Re<h r, conj t>: the derivative with respect to the real part + i times that of the imaginary part.
            along = errors @ every
            gradients = [errors.T @ (h * r), np.zeros_like(tables[1])]
            np.add.at(gradients[0], heads, r.conj() * along)
            np.add.at(gradients[1], relations, h.conj() * along)
            for which, total in enumerate(gradients):
                gradient = total / len(batch) + 1e-3 * tables[which]
                squares[which] += np.abs(gradient) ** 2
                tables[which] -= 0.1 * gradient / np.sqrt(squares[which])
    return tables[0].astype(np.complex64), tables[1].astype(np.complex64)
