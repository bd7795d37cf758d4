"""How good is a knowledge graph's model by the field's count: both directions, every test triple?

python -m experiments.graph_quality --data_dir=DATA/wn18rr --model=complex

It trains with the recipe of `gr_tf train`. Ranks are filtered by train, valid, and test. "All triples" has test triples
with a name that training does not have, too; as LibKGE counts them, but with the rank in the middle of all entities,
which a model that has no row for the name would give on average.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gr_tf.commands import common, data_flags, open_flags, run_flags
from gr_tf.models.ranking import ranking_metrics
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.triples import TripleTask

common.adopt(open_flags, data_flags, run_flags)

NAME = "graph_quality"


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """For reading, a row for each way to count."""
    rows = [
        {"dataset": result["dataset"], "model": result["model"], "counted": name}
        | {metric: f"{value:.4f}" for metric, value in metrics.items()}
        | {"minutes of training": f"{result['seconds'] / 60:.1f}", "epoch": f"{result['epoch']} of {result['epochs']}"}
        for name, metrics in result["counts"].items()
    ]
    return pd.DataFrame(rows)


def counted(task: TripleTask, table: np.ndarray) -> dict[str, dict[str, float]]:
    """Metrics by what is counted."""
    tails, heads = task.ranks_in_both(table, task.dataset.test)
    known = np.concatenate([tails, heads])
    middle = (task.model.num_entities + 1) / 2
    everyone = np.concatenate([known, np.full(2 * task.dataset.num_unknown.get("test", 0), middle)])
    parts = {"tails": tails, "heads": heads, "both": known, "both, all triples": everyone}
    return {name: ranking_metrics(ranks) for name, ranks in parts.items()}


def main() -> None:
    trained, folder = open_flags.open_trained("triples")
    task = trained.task
    assert isinstance(task, TripleTask)
    assert trained.path is not None
    training = RunDir.finished(trained.path, "gr_tf train").result()
    settings = {"training_fingerprint": trained.fingerprint}
    with RunDir.begin(folder / NAME, settings, overwrite=run_flags.OVERWRITE.value, reuse=True) as stage:
        if not stage.is_finished:
            told: dict[str, Any] = {
                "dataset": task.dataset.name,
                "model": task.config.model,
                "config": task.config.to_dict(),
            }
            told |= {"epoch": trained.epoch, "epochs": training["epochs"], "seconds": training["timing"]["seconds"]}
            stage.finish({**told, "counts": counted(task, trained.parameters.table)})
        result = stage.result()
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main)
