"""Writes a trained model's embeddings for other programs: numpy, TensorBoard's projector, tf.train.

python -m experiments.export --run_dir=runs/mine --output_dir=runs/mine/export
tensorboard --logdir=runs/mine/export
"""

import pathlib
from collections.abc import Sequence

import numpy as np
from absl import flags

from experiments import common, run_flags
from gr_tf.asking.graph import GraphAsker
from gr_tf.asking.opening import open_run
from gr_tf.report.export import Embeddings, export

flags.adopt_module_key_flags(run_flags)

_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Where to write. Default: export in the run's folder.")


def main() -> None:
    folder = run_flags.run_dir()
    asker = open_run(folder)
    if isinstance(asker, GraphAsker):
        triples, table = asker.triples, asker.trained.table
        count = len(triples.entities)
        kinds = {
            "entities": (triples.entities.names, table[:count]),
            "relations": (triples.relations.names, table[count:]),
        }
        embeddings = {
            kind: Embeddings(vectors, names, [triples.label(name) for name in names])
            for kind, (names, vectors) in kinds.items()
        }
        shared: Sequence[np.ndarray] = ()
    else:
        ratings, parameters = asker.ratings, asker.trained.parameters
        count = len(ratings.users)
        titles = [ratings.title(item) for item in range(len(ratings.items))]
        embeddings = {
            "users": Embeddings(parameters.table[:count], ratings.users.names, ratings.users.names),
            "items": Embeddings(parameters.table[count:], ratings.items.names, titles),
        }
        shared = parameters.network
    output = pathlib.Path(_OUTPUT_DIR.value or folder / "export")
    export(output, embeddings, shared)
    told = ", ".join(
        f"{len(part.names)} {kind} of {part.vectors.shape[1]} numbers" for kind, part in embeddings.items()
    )
    print(f"Written to {output}: {told}. To look at them: tensorboard --logdir={output}")


if __name__ == "__main__":
    common.start(main)
