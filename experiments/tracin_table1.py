"""Proponents and opponents of movies (Kim, "Recommender System Attribution with TracIn").

python -m experiments.tracin_table1 --data_dir=ml-100k --movie="Jaws (1975)"

For the test sequences whose next item is the movie: which movies' training sequences lowered their mean
loss, and which raised it. TracInCP, summed over the training sequences of each next item; the movie
itself left out.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import common, k_flag, model_flags, run_flags, sequence_flags
from gr_tf.attribution.base import checked_k
from gr_tf.attribution.example_losses import SequenceLosses
from gr_tf.attribution.tracin import TracIn
from gr_tf.data.sequences import SequenceSet, SequenceSplit
from gr_tf.errors import InputError
from gr_tf.report import published
from gr_tf.report.run_dir import RunDir
from gr_tf.report.tables import as_text
from gr_tf.stages import train_sequences
from gr_tf.training.sequence_config import SequenceTrainConfig

for module in (k_flag, model_flags, run_flags, sequence_flags):
    flags.adopt_module_key_flags(module)

NAME = "table1"
DEFAULTS = {"k": 2}

_TITLES = flags.DEFINE_multi_string(
    "movie", None, "Title or name of an item; may be repeated. Default: the page's seven."
)


def run(
    sequences: SequenceSet,
    split: SequenceSplit,
    config: SequenceTrainConfig,
    run_dir: pathlib.Path,
    labels: Sequence[str],
    k: int,
    *,
    overwrite: bool = False,
    checkpoint_seconds: float = 30.0,
) -> dict[str, Any]:
    """Trains if that is not done yet, explains, and writes table1/result.json.

    Args:
        sequences, split, config, run_dir, checkpoint_seconds: see stages.train_sequences.run.
        labels: titles or names of items.
        k: how many proponents and opponents are told.
        overwrite: drop an explanation that is there; of trainings, one with other settings.

    Returns:
        What result.json holds.
    """
    checked_k(k)
    asked = {label: _test_places(sequences, label) for label in labels}
    train_sequences.run(sequences, split, config, run_dir, overwrite=overwrite, checkpoint_seconds=checkpoint_seconds)
    trained = train_sequences.load(run_dir, sequences)
    settings = {"titles": list(labels), "k": k, "train_fingerprint": trained.fingerprint}
    with RunDir.begin(run_dir / NAME, settings, overwrite=overwrite) as stage:
        losses = SequenceLosses(trained.trainer.model, sequences)
        explainer = TracIn(losses, trained.checkpoints(), config.trained_layers)
        rows = []
        for label, places in asked.items():
            influences = explainer.influences(losses.batch(sequences.test.only(places)))
            rows.append(
                {
                    "title": label,
                    "num_test": len(places),
                    **_told(sequences, influences, sequences.target_of(label), k),
                }
            )
        stage.finish({"dataset": sequences.name, "config": config.to_dict(), "rows": rows})
        return dict(stage.result())


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """For reading, from result.json: ours, and the page's with their places in our order."""
    rows = []
    for row in result["rows"]:
        told = {"movie": row["title"]}
        for what in ("proponents", "opponents"):
            told[what] = "; ".join(item["title"] for item in row[what])
            paper = row["paper"][what] if row["paper"] else ()
            told[f"page's {what} (place)"] = "; ".join(f"{item['title']} ({item['place']})" for item in paper) or "-"
        rows.append(told)
    return pd.DataFrame(rows)


def _test_places(sequences: SequenceSet, label: str) -> np.ndarray:
    places = np.flatnonzero(sequences.test.targets == sequences.target_of(label))
    if not len(places):
        raise InputError(f"{label!r} is the next item of no test sequence.")
    return places


def _told(sequences: SequenceSet, influences: np.ndarray, target: int, k: int) -> dict[str, Any]:
    """The k items of largest and of smallest influence, and where the page's are in that order."""
    size = len(sequences.items) + 1
    sums = np.bincount(sequences.train.targets, influences, size)
    counts = np.bincount(sequences.train.targets, minlength=size)
    trained = np.flatnonzero((counts > 0) & (np.arange(size) != target))
    order = trained[np.argsort(-sums[trained], kind="stable")]
    titles = [sequences.title(int(item)) for item in order]
    told = [
        {"title": title, "influence": float(sums[item]), "num_train": int(counts[item])}
        for title, item in zip(titles, order, strict=True)
    ]
    paper = published.TRACIN_TABLE1.get(sequences.title(target))
    return {
        "proponents": told[:k],
        "opponents": told[::-1][:k],
        "num_items": len(order),
        "paper": paper and {"proponents": _places(paper[0], titles), "opponents": _places(paper[1], titles[::-1])},
    }


def _places(wanted: Sequence[str], titles: Sequence[str]) -> list[dict[str, Any]]:
    """Where titles are in an order, from 1; None where they are not in it."""
    return [{"title": title, "place": titles.index(title) + 1 if title in titles else None} for title in wanted]


def main() -> None:
    sequences = sequence_flags.load_dataset()
    config = sequence_flags.config_of_flags()
    folder = run_flags.run_dir(f"{sequences.name}-lstm-{sequence_flags.PROTOCOL.value}")
    result = run(
        sequences,
        sequence_flags.split_of_flags(),
        config,
        folder,
        _TITLES.value or list(published.TRACIN_TABLE1),
        k_flag.K.value,
        overwrite=run_flags.OVERWRITE.value,
        checkpoint_seconds=model_flags.CHECKPOINT_SECONDS.value,
    )
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}: result.json.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
