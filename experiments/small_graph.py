"""Cuts a small graph out of a large one, small enough for the truth by exhaustive retraining.

python -m experiments.small_graph --data_dir=DATA/fb15k-237 --start=/m/0dqmt0 --entities=150 --out=runs/fb15k237-150
python -m experiments.loo_atlas --data_dir=runs/fb15k237-150 --num_negatives=50

From one entity on, it takes the entity with the most neighbours among those taken, for its number of neighbours,
until there are enough; and keeps the triples between them. What is written depends on the files and flags only.
"""

import collections
import pathlib

import numpy as np
import pandas as pd
from absl import flags

from gr_tf.commands import common, triple_flags
from gr_tf.data.triples import SPLITS, TripleSet
from gr_tf.errors import InputError
from gr_tf.runs import files

common.adopt(triple_flags)

_START = flags.DEFINE_string("start", None, "The name of the first entity.")
_ENTITIES = flags.DEFINE_integer("entities", 150, "How many entities.", lower_bound=2)
_OUT = flags.DEFINE_string("out", None, "The folder to write, which must not exist.")
# Neighbours that every entity counts as having, so that those of few triples do not come first.
_PRIOR = 10


def neighbourhood(edges: np.ndarray, start: int, count: int) -> np.ndarray:
    """The ids [count] of entities around one, ascending.

    The next entity has the largest ratio of its neighbours that were taken to sqrt(all its neighbours + _PRIOR); of
    equals, the largest id.

    Args:
        edges: [n, 2], pairs of neighbours.
        start: the first entity's id.
        count: how many entities.

    Raises:
        InputError: if fewer are connected with the first.
    """
    neighbours = collections.defaultdict(set)
    for one, other in edges:
        if one != other:
            neighbours[int(one)].add(int(other))
            neighbours[int(other)].add(int(one))
    taken, inside = {start}, collections.Counter(neighbours[start])
    while len(taken) < count:
        near = [entity for entity in inside if entity not in taken]
        if not near:
            raise InputError(f"--entities must be at most {len(taken)}, those connected with --start; got {count}.")
        nearest = max(near, key=lambda entity: (inside[entity] / np.sqrt(len(neighbours[entity]) + _PRIOR), entity))
        taken.add(nearest)
        inside.update(neighbours[nearest])
    return np.array(sorted(taken))


def parts_between(triples: TripleSet, entities: np.ndarray) -> dict[str, pd.DataFrame]:
    """The triples of each split, by name, whose head and tail are among the entities [n]."""
    found = {}
    for split in SPLITS:
        rows = getattr(triples, split)
        found[split] = triples.names(rows[np.isin(rows[:, [0, 2]], entities).all(axis=1)])
    return found


def main() -> None:
    start, name = _START.value, _OUT.value
    if start is None or name is None:
        raise InputError("--start and --out must be given.")
    out = pathlib.Path(name)
    if out.exists():
        raise InputError(f"--out: {out} exists already; name another folder.")
    triples = triple_flags.load_dataset()
    entities = neighbourhood(triples.train[:, [0, 2]], triples.id_at(0, start), _ENTITIES.value)
    parts = parts_between(triples, entities)
    with files.new_files(out) as folder:
        for split, frame in parts.items():
            frame.to_csv(folder / f"{split}.txt", sep="\t", header=False, index=False)
        labels = {
            name: triples.labels[name]
            for name in np.asarray(triples.entities.names)[entities]
            if name in triples.labels
        }
        if labels:
            pd.Series(labels).to_csv(folder / "entity_labels.tsv", sep="\t", header=False)
    told = ", ".join(f"{len(frame):,} {split}" for split, frame in parts.items())
    print(f"{len(entities)} entities; triples: {told}.\nWritten to {out}.")


if __name__ == "__main__":
    common.start(main)
