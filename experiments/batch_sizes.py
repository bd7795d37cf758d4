"""Does Gradient Rollback hold in mini-batches? PD, TC, and fidelity by batch size and optimizer.

python -m experiments.batch_sizes
python -m experiments.batch_sizes --data_dir=DATA/wn18rr --dim=50 --epochs=5 --num_seeds=1

For each optimizer and batch size it trains a model, removes what Gradient Rollback (and NH) name for some predictions,
and trains again; and it leaves out some related triples of some test triples in turn, for every seed, and compares
their effects with the influences of trainings of other seeds. Finished parts are found again.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from absl import flags

from experiments import seed_flags
from gr_tf.commands import common, config_flags, engine_flags, run_flags, shard_flag, triple_flags
from gr_tf.data.triples import Query
from gr_tf.evaluation.sampled_fidelity import Points, over_seeds
from gr_tf.report import removal_table
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks.task import Task
from gr_tf.tasks.triples import TripleTask
from gr_tf.types import Ids

common.adopt(engine_flags, run_flags, seed_flags, shard_flag, triple_flags)
DEFAULTS = {"num_seeds": 4, "reciprocal": True}
NAME = "batch_sizes"
# Adam's rate grows with the batch; Adagrad's need not.
_RATES = {"adagrad": (0.1, 0.1, 0.1, 0.1), "adam": (0.003, 0.01, 0.03, 0.05)}
_SIZES = (1, 32, 256, 1024)
# With fewer seeds, the truth has no two halves, and no fidelity is measured.
_LEAST_SEEDS = 4
_PREDICTIONS = flags.DEFINE_integer("predictions", 50, "Test predictions that are explained.", lower_bound=1)
_POINTS = flags.DEFINE_integer("test_triples", 10, "Test triples whose related triples are left out.", lower_bound=2)
_TRIPLES = flags.DEFINE_integer("triples_a_point", 10, "How many related triples of each.", lower_bound=3)
_BATCHES = flags.DEFINE_list("batch_sizes", [str(size) for size in _SIZES], "The batch sizes.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TestTriples(Points):
    """Test triples as they are, and those of their related triples that share two of its three parts first."""

    def choose(self, task: Task[Any]) -> tuple[list[Any], Ids]:
        """See Points."""
        triples = task.dataset
        generator = np.random.default_rng(self.point_seed)
        queries, chosen = [], []
        for place in generator.permutation(len(triples.test)):
            query = Query(*map(int, triples.test[place]))
            related = triples.related(query)
            if len(related) < self.num_ratings:
                continue
            order = np.lexsort([generator.random(len(related)), -triples.shared_elements(query)[related]])
            queries.append(query)
            chosen.append(np.sort(related[order[: self.num_ratings]]))
            if len(queries) == self.num_points:
                break
        return queries, np.stack(chosen)


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """For reading, a row for each training."""
    rows = []
    for one in result["trainings"]:
        row = {"optimizer": one["optimizer"], "batch size": one["batch_size"], "MRR": f"{one['mrr']:.3f}"}
        for part in one["removals"]:
            name = f"{part['method']}-{part['k']}"
            row[f"{name} PD%"], row[f"{name} TC%"] = f"{part['pd']:.0f}", f"{part['tc']:.0f}"
        for name, values in one["fidelity"].items():
            row[f"{name} r [95%]"] = "{:.2f} [{:.2f}, {:.2f}]".format(*values)
        rows.append({**row, "reliability": "-" if one["reliability"] is None else f"{one['reliability']:.2f}"})
    return pd.DataFrame(rows)


def _measured(task: TripleTask, folder: Any) -> dict[str, Any]:
    """One training's part of the result."""
    removals = {"methods": ("NH", "GR"), "ks": ("1", "10"), "nh_seed": 0, "released_defects": ()}
    sample = {"num_queries": _PREDICTIONS.value, "query_seed": 0, "right_if": "drawn"}
    table = removal_table.run(
        task,
        folder,
        "table1",
        sample=sample,
        removals={**removals, "jobs": run_flags.JOBS.value},
        usual=task.config,
        reuse=True,
    )
    fidelity: dict[str, Any] = {}
    certain = None
    if seed_flags.NUM_SEEDS.value >= _LEAST_SEEDS:
        points = TestTriples(num_points=_POINTS.value, num_ratings=_TRIPLES.value)
        found = over_seeds(
            task, folder, points, seed_flags.NUM_SEEDS.value, methods=("nh", "gr"), jobs=run_flags.JOBS.value
        )
        fidelity = {row["method"]: row["pearson"]["one"] for row in found["rows"]}
        certain = found["reliability"]["pearson"]["reliability"]
    config = task.config
    (mrr,) = (row["value"] / 100 for row in table["test_ranking"] if row["metric"] == "mrr")
    told = {"optimizer": config.optimizer, "batch_size": config.batch_size, "mrr": mrr, "removals": table["table"]}
    return {**told, "config": config.to_dict(), "fidelity": fidelity, "reliability": certain}


def main() -> None:
    triples = triple_flags.load_dataset()
    folder = run_flags.run_dir(f"{triples.name}-batches")
    trainings = []
    for optimizer, rates in _RATES.items():
        for size in config_flags.whole_numbers("batch_sizes", _BATCHES.value):
            rate = dict(zip(_SIZES, rates, strict=True)).get(size, rates[-1])
            instead = {"optimizer": optimizer, "batch_size": size, "learning_rate": rate}
            task = TripleTask(triples, triple_flags.config_of_flags(triples.name, **instead))
            trainings.append(_measured(task, folder / f"{optimizer}-{size}"))
    result = {"dataset": triples.name, "trainings": trainings}
    settings = {"trainings": [one["config"] for one in trainings], "checksum": triples.checksum}
    with RunDir.begin(folder / NAME, settings, overwrite=True) as stage:
        stage.finish(result)
    print(as_text(frame(result)))
    print(f"Written to {folder / NAME}.")


if __name__ == "__main__":
    common.start(main, DEFAULTS)
