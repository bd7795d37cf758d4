"""Finds proponents and opponents of movies (Kim's page "Recommender System Attribution with TracIn").

python -m experiments.tracin_table1 --data_dir=ml-100k --movie="Jaws (1975)"

It says which movies' training sequences lowered, and which raised, the mean loss of the test sequences whose
next item is the movie. TracInCP's influences are summed over the training sequences of each next item; the
movie itself is left out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags

from gr_tf.attribution.base import checked_k
from gr_tf.attribution.tracin import TracIn
from gr_tf.commands import common, k_flag, run_flags, sequence_flags
from gr_tf.data.sequences import SequenceSet
from gr_tf.errors import InputError
from gr_tf.report import published
from gr_tf.report.tables import as_text
from gr_tf.report.tracin_tables import table1_frame
from gr_tf.runs.run_dir import RunDir

common.adopt(k_flag, run_flags, sequence_flags)

DEFAULTS = {"k": 2}

_TITLES = flags.DEFINE_multi_string(
    "movie", None, "Title or name of an item; may be repeated. Default: the seven movies of Kim's page."
)


def _test_places(sequences: SequenceSet, label: str) -> np.ndarray:
    places = np.flatnonzero(sequences.test.targets == sequences.target_of(label))
    if not len(places):
        raise InputError(f"{label!r} is the next item of no test sequence.")
    return places


def _by_item(sequences: SequenceSet, influences: np.ndarray, target: int, k: int) -> dict[str, Any]:
    """The k items of largest and of smallest influence, and the places of the page's movies in that order."""
    size = len(sequences.items) + 1
    sums = np.bincount(sequences.train.targets, influences, size)
    counts = np.bincount(sequences.train.targets, minlength=size)
    trained = np.flatnonzero((counts > 0) & (np.arange(size) != target))
    order = trained[np.argsort(-sums[trained], kind="stable")]
    titles = [sequences.title(int(item)) for item in order]
    items = [
        {"title": title, "influence": float(sums[item]), "num_train": int(counts[item])}
        for title, item in zip(titles, order, strict=True)
    ]
    paper = published.TRACIN_TABLE1.get(sequences.title(target))
    return {
        "proponents": items[:k],
        "opponents": items[::-1][:k],
        "num_items": len(order),
        "paper": paper and {"proponents": _places(paper[0], titles), "opponents": _places(paper[1], titles[::-1])},
    }


def _places(wanted: Sequence[str], titles: Sequence[str]) -> list[dict[str, Any]]:
    """The places of titles in an order, counted from 1; None for those that are not in it."""
    return [{"title": title, "place": titles.index(title) + 1 if title in titles else None} for title in wanted]


def main() -> None:
    task, k = sequence_flags.load_task(), checked_k(k_flag.K.value)
    sequences, labels = task.dataset, _TITLES.value or list(published.TRACIN_TABLE1)
    asked = {label: _test_places(sequences, label) for label in labels}
    folder = run_flags.run_dir(f"{sequences.name}-lstm-{sequence_flags.PROTOCOL.value}")
    trained = run_flags.trained(task, folder)
    settings = {"titles": labels, "k": k, "train_fingerprint": trained.fingerprint}
    with RunDir.begin(folder / "table1", settings, overwrite=run_flags.OVERWRITE.value) as stage:
        losses = task.losses()
        tracin = TracIn(losses, trained.checkpoints(), losses.trained_layers)
        rows = []
        for label, places in asked.items():
            influences = tracin.influences(losses.batch(sequences.test.only(places)))
            told = _by_item(sequences, influences, sequences.target_of(label), k)
            rows.append({"title": label, "num_test": len(places), **told})
        stage.finish({"dataset": sequences.name, "config": task.config.to_dict(), "rows": rows})
    print(as_text(table1_frame(stage.result())))
    print(f"Written to {stage.path}: result.json.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
