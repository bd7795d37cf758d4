"""The commands that tests.crash_points kills, and their toy data."""

import dataclasses
import importlib
import pathlib
from collections.abc import Mapping

Command = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """A command that is killed.

    Attributes:
        command: "gr_tf" or the name of an experiment, and its arguments; it runs beside the folder "data".
        before: commands that are done first.
    """

    command: Command
    before: tuple[Command, ...] = ()


_RUN = "--run_dir=run"
_GRAPH = ("--data_dir=../data/graph", "--dim=4", "--num_negatives=3", "--epochs=3", "--learning_rate=0.03")
_OWN = "--data_dir=../data/own"
_RATINGS = ("--dataset=yelp", "--min_interactions=4", "--dim=4", "--batch_size=40", "--learning_rate=0.01")
_SEQUENCES = ("--dataset=yelp", "--min_interactions=4", "--window=5", "--dim=3", "--hidden=4", "--batch_size=16")
_ATLAS = (
    *("--data_dir=../data/larger", "--model=distmult", "--dim=4", "--num_negatives=5", "--learning_rate=0.02"),
    *("--epochs=8", "--seed=2", "--jobs=1"),
)
# A checkpoint after each block.
_OFTEN = "--checkpoint_seconds=0"
_TRAIN: Command = ("gr_tf", "train", _RUN, *_GRAPH, _OFTEN)
_EVALUATE: Command = ("gr_tf", "evaluate", _RUN, "--ks=1,2", "--num_queries=2", "--jobs=1")
_QUESTION = ("--query=e1,r2,?", "--jobs=1")
_LOO: Command = ("loo_atlas", "--run_dir=atlas", *_ATLAS, "--num_seeds=4")

CASES: Mapping[str, Case] = {
    "train": Case(_TRAIN),
    "train on ratings": Case(
        (
            "gr_tf",
            "train",
            _RUN,
            "--kind=ratings",
            _OWN,
            "--min_interactions=4",
            "--dim=4",
            "--training_steps=60",
            _OFTEN,
        )
    ),
    "train on sequences": Case(("gr_tf", "train", _RUN, "--kind=sequences", _OWN, "--dim=3", "--epochs=3", _OFTEN)),
    "train --overwrite": Case((*_TRAIN, "--overwrite"), (_TRAIN,)),
    "explain": Case(("gr_tf", "explain", _RUN, *_GRAPH, _OFTEN, *_QUESTION)),
    "explain --verify --report": Case(
        ("gr_tf", "explain", _RUN, *_QUESTION, "--verify", "--report=pages/why.html"), (_TRAIN,)
    ),
    "evaluate": Case(_EVALUATE, (_TRAIN,)),
    "evaluate --overwrite": Case((*_EVALUATE, "--overwrite"), (_TRAIN, _EVALUATE)),
    "export": Case(("gr_tf", "export", _RUN, "--output_dir=out"), (_TRAIN,)),
    "suspects": Case(("gr_tf", "suspects", _RUN), (_TRAIN,)),
    "gr_table1": Case(("gr_table1", _RUN, *_GRAPH, "--num_queries=2", "--ks=1", "--jobs=1", _OFTEN)),
    "loo_atlas": Case(_LOO),
    "fidelity": Case(("fidelity", "--run_dir=fidelity", "--atlas_dir=atlas", *_ATLAS, "--num_seeds=2"), (_LOO,)),
    "fia_rq1": Case(
        (
            *("fia_rq1", _RUN, *_RATINGS, "--data_dir=../data/ratings", "--training_steps=60", _OFTEN),
            *("--retraining_steps=20", "--num_points=3", "--num_retrainings=2", "--jobs=1"),
        )
    ),
    "tracin_removal": Case(
        (
            *("tracin_removal", _RUN, *_SEQUENCES, "--data_dir=../data/choices", "--learning_rate=0.01"),
            *("--epochs=3", "--kept_epochs=1,3", "--removed=4", "--num_seeds=2", "--jobs=1", _OFTEN),
        )
    ),
}


def load() -> None:
    """Imports what the runs need; makes the experiments smaller."""
    for name in ("tensorflow", "matplotlib.figure", "scipy.stats", "scipy.optimize", "tensorboard.plugins.projector"):
        importlib.import_module(name)
    from gr_tf.commands import main

    for command in main.COMMANDS:
        importlib.import_module(f"gr_tf.commands.{command}")
    for name in {case.command[0] for case in CASES.values()} - {"gr_tf"}:
        importlib.import_module(f"experiments.{name}")
    from experiments import fidelity
    from gr_tf.evaluation import atlas, compared, fidelity_stage

    atlas.CONSENSUS_SEEDS = range(1000, 1003)
    some = {name: ask for name, ask in compared.compared("triples").items() if name in ("nh", *compared.SCREENS)}
    fidelity_stage.compared = lambda kind: some  # type: ignore[attr-defined]
    fidelity.SIZES = fidelity_stage.Sizes(subsets=4, subset_seeds=2, own_seeds=1, candidates=5, shuffles=1)


def write_data(folder: pathlib.Path) -> None:
    """Writes the data that the commands read."""
    from tests.conftest import rating_lines, write_graph

    write_graph(folder / "graph", num_train=30)
    write_graph(folder / "larger", num_train=40)
    for name, lines in (("ratings", rating_lines()), ("choices", rating_lines(8, 24, 150))):
        (folder / name).mkdir()
        (folder / name / "toy.rating").write_text("".join(lines))
    (folder / "own").mkdir()
    table = ["user,item,rating,time\n", *(line.replace("\t", ",") for line in rating_lines())]
    (folder / "own" / "ratings.csv").write_text("".join(table))
