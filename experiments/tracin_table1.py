"""Finds proponents and opponents of movies (Kim's page "Recommender System Attribution with TracIn").

python -m experiments.tracin_table1 --data_dir=ml-100k --movie="Jaws (1975)"

It says which movies' training sequences lowered, and which raised, the mean loss of the test sequences whose
next item is the movie. TracInCP's influences are summed over the training sequences of each next item; the
movie itself is left out. With --num_seeds, the sums are means over trainings (which tracin_removal finds again).
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from experiments import seed_flags
from gr_tf.attribution.base import checked_k
from gr_tf.attribution.tracin import TracIn
from gr_tf.commands import common, k_flag, run_flags, sequence_flags
from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.report import published
from gr_tf.report.tables import as_text
from gr_tf.report.tracin_tables import places_lines, table1_frame
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.sequences import SequenceTask

common.adopt(k_flag, run_flags, seed_flags, sequence_flags)

DEFAULTS = {"k": 2}

_TITLES = flags.DEFINE_multi_string(
    "movie", None, "Title or name of an item; may be repeated. Default: the seven movies of Kim's page."
)


def _test_places(sequences: SequenceSet, label: str) -> np.ndarray:
    places = np.flatnonzero(sequences.test.targets == sequences.target_of(label))
    if not len(places):
        raise InputError(f"{label!r} is the next item of no test sequence.")
    return places


def _sums(task: SequenceTask, folder: pathlib.Path, asked: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of one training, for each movie: its influences, summed over the training sequences of each next item."""
    trained, sequences = run_flags.trained(task, folder), task.dataset
    losses, size = task.losses(), len(sequences.items) + 1
    tracin = TracIn(losses, trained.checkpoints(), losses.trained_layers)
    influences = {
        label: tracin.influences(losses.batch(sequences.test.only(places))) for label, places in asked.items()
    }
    return {label: np.bincount(sequences.train.targets, of_label, size) for label, of_label in influences.items()}


def _by_item(sequences: SequenceSet, sums: Mapping[str, np.ndarray], label: str, k: int) -> dict[str, Any]:
    """The k items of largest and of smallest influence, and the places of the page's movies in that order.

    Args:
        sequences: the dataset.
        sums: by movie, [seeds, items + 1], see _sums.
        label: the movie.
        k: how many items.
    """
    counts = np.bincount(sequences.train.targets, minlength=len(sequences.items) + 1)
    mean = {one: of_one.mean(axis=0) for one, of_one in sums.items()}
    order = _order(sequences, mean[label], label)
    items = [
        {
            "title": sequences.title(item),
            "influence": float(mean[label][item]),
            "num_train": int(counts[item]),
        }
        for item in order
    ]
    target = sequences.target_of(label)
    paper = published.TRACIN_TABLE1.get(sequences.title(target))
    of_seeds = [_order(sequences, values, label) for values in sums[label]]
    of_others = [_order(sequences, values, one) for one, values in mean.items() if one != label]
    told = None
    if paper is not None:
        told = {
            "proponents": [_places(sequences, title, order, of_seeds, of_others) for title in paper[0]],
            "opponents": [
                _places(sequences, title, order[::-1], *([one[::-1] for one in some] for some in (of_seeds, of_others)))
                for title in paper[1]
            ],
        }
    return {"proponents": items[:k], "opponents": items[::-1][:k], "num_items": len(items), "paper": told}


def _order(sequences: SequenceSet, sums: np.ndarray, label: str) -> list[int]:
    """The next items of training sequences by descending influence on a movie, without the movie."""
    trained = np.setdiff1d(sequences.train.targets, [sequences.target_of(label)])
    found: list[int] = trained[np.argsort(-sums[trained], kind="stable")].tolist()
    return found


def _places(
    sequences: SequenceSet,
    title: str,
    order: Sequence[int],
    of_seeds: Sequence[Sequence[int]],
    of_others: Sequence[Sequence[int]],
) -> dict[str, Any]:
    """The places of a title, counted from 1: in an order, in that of each seed, in those of other movies.

    None where it is not in the order.
    """

    def place(of: Sequence[int]) -> int | None:
        return next((number for number, item in enumerate(of, start=1) if sequences.title(item) == title), None)

    return {
        "title": title,
        "place": place(order),
        "places": list(map(place, of_seeds)),
        "of_other_movies": list(map(place, of_others)),
    }


def main() -> None:
    task, k = sequence_flags.load_task(), checked_k(k_flag.K.value)
    sequences, labels = task.dataset, _TITLES.value or list(published.TRACIN_TABLE1)
    asked = {label: _test_places(sequences, label) for label in labels}
    folder = run_flags.run_dir(f"{sequences.name}-lstm-{sequence_flags.PROTOCOL.value}")
    tasks = seed_flags.tasks(task)
    settings = {
        "checksum": sequences.checksum,
        "config": task.config.to_dict(),
        "titles": labels,
        "k": k,
        "num_seeds": len(tasks),
    }
    with RunDir.begin(folder / "table1", settings, overwrite=run_flags.OVERWRITE.value) as stage:
        sums = [_sums(each, folder / f"seed-{each.config.seed}", asked) for each in tasks]
        of_movies = {label: np.stack([of_seed[label] for of_seed in sums]) for label in asked}
        rows = [
            {"title": label, "num_test": len(places), **_by_item(sequences, of_movies, label, k)}
            for label, places in asked.items()
        ]
        told = {"dataset": sequences.name, "config": task.config.to_dict(), "num_seeds": len(tasks)}
        stage.finish({**told, "rows": rows})
    print(as_text(table1_frame(stage.result())))
    for line in places_lines(stage.result()):
        print(line)
    print(f"Written to {stage.path}: result.json.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
