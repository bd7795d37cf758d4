"""How do training and explaining grow, from ten thousand triples to a million?

python -m experiments.graph_growth

The graphs are made (made_graph.py), heavy-tailed, of YAGO3-10's shape: 37 relations, an entity for about nine triples;
the largest has as many triples as it. Each is trained by `gr_tf train`, and then asked, in processes of their own.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time
from typing import Any

import pandas as pd
from absl import flags

from experiments.made_graph import made_triples, write_graph
from gr_tf.attribution.methods import explainer
from gr_tf.commands import common, run_flags
from gr_tf.commands.config_flags import whole_numbers
from gr_tf.data.triples import Query
from gr_tf.errors import InputError, argument
from gr_tf.report import figures
from gr_tf.report.tables import as_text
from gr_tf.runs.machine import peak_memory_bytes
from gr_tf.runs.run_dir import RunDir
from gr_tf.tasks import stage as training

common.adopt(run_flags)
NAME = "growth"
# YAGO3-10's triples for training, validation and test, and its entities.
_LARGEST, _ENTITIES, _RELATIONS = 1_089_040, 123_182, 37
_SIZES = flags.DEFINE_list(
    "sizes", ["10000", "30000", "100000", "300000", str(_LARGEST)], "How many triples the graphs have."
)
_EPOCHS = flags.DEFINE_integer("growth_epochs", 2, "Epochs of each training.", lower_bound=1)
_ASKED = flags.DEFINE_integer("asked", 20, "How many test triples are explained.", lower_bound=1)
_EXPLAIN = flags.DEFINE_string("explain_run", None, "Only explain this run, and print the figures as JSON.")
_TRAINING = ("--dim=50", "--num_negatives=100", "--batch_size=1024", "--dropout=0")
_STRONGEST = 10


def frame(result: dict[str, Any]) -> pd.DataFrame:
    """A row for each size."""
    return pd.DataFrame(
        {
            "triples": f"{row['triples']:,}",
            "entities": f"{row['entities']:,}",
            "an epoch (s)": f"{row['epoch_seconds']:.1f}",
            "training, memory (GB)": f"{row['training_bytes'] / 2**30:.1f}",
            "reading the run (s)": f"{row['reading_seconds']:.1f}",
            "an explanation (s)": f"{row['median_seconds']:.2f}",
            "the slowest (s)": f"{row['longest_seconds']:.2f}",
            "related triples": f"{row['median_related']:,.0f}",
            "explaining, memory (GB)": f"{row['explaining_bytes'] / 2**30:.1f}",
        }
        for row in result["rows"]
    )


def explained(folder: pathlib.Path, count: int) -> dict[str, Any]:
    """Explains some test triples of a run, each alone, by what Gradient Rollback finds strongest."""
    start = time.monotonic()
    trained = training.load(folder)
    reading = time.monotonic() - start
    asked = explainer(trained, "gr")
    test = trained.task.dataset.test
    if len(test) <= count:
        raise InputError(f"{argument('asked')} must be below {len(test)}, the test triples; got {count}.")
    queries = [Query(*map(int, triple)) for triple in test[: count + 1]]
    seconds, related = [], []
    for query in queries:
        start = time.monotonic()
        asked.rank_lazily(query, _STRONGEST)
        seconds.append(time.monotonic() - start)
        related.append(len(trained.task.related(query)))
    # The first one compiles.
    return {
        "reading_seconds": reading,
        "first_seconds": seconds[0],
        "median_seconds": statistics.median(seconds[1:]),
        "longest_seconds": max(seconds[1:]),
        "median_related": statistics.median(related[1:]),
        "explaining_bytes": peak_memory_bytes(),
    }


def measured(folder: pathlib.Path, size: int, epochs: int, count: int) -> dict[str, Any]:
    """Makes a graph, trains on it, and explains."""
    entities = max(100, round(size * _ENTITIES / _LARGEST))
    data, run = folder / f"data{size}", folder / f"run{size}"
    write_graph(data, made_triples(size, entities, _RELATIONS, seed=0))
    train = ["gr_tf", "train", f"--data_dir={data}", f"--run_dir={run}", f"--epochs={epochs}", "--overwrite"]
    _run([*train, *_TRAINING, f"--device={run_flags.DEVICE.value}"])
    told = RunDir.finished(run / training.STAGE, "gr_tf train").result()
    explain = ["experiments.graph_growth", f"--explain_run={run}", f"--asked={count}"]
    return {
        "triples": size,
        "entities": entities,
        "epoch_seconds": told["timing"]["seconds"] / told["epochs"],
        "training_bytes": told["peak_memory_bytes"],
        "mrr": {"model": told["quality"]["test"]["mrr"], "frequencies": told["baseline"]["test"]["mrr"]},
        **json.loads(_run(explain)),
    }


def _run(arguments: list[str]) -> str:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise InputError(f"{' '.join(arguments)}: {why[0]}")
    return done.stdout


def growth_figure(result: dict[str, Any]) -> Any:
    """Seconds and memory by triples, on logarithmic scales."""
    figure, (of_time, of_memory) = figures.new_figure(2, width=4.0)
    sizes = [row["triples"] for row in result["rows"]]
    panels = (
        (of_time, "seconds", {"epoch_seconds": "an epoch", "reading_seconds": "reading a run"}, 1.0),
        (of_time, "seconds", {"median_seconds": "an explanation"}, 1.0),
        (of_memory, "GB", {"training_bytes": "training", "explaining_bytes": "explaining"}, 2.0**30),
    )
    for axes, unit, lines, scale in panels:
        for name, label in lines.items():
            axes.plot(sizes, [row[name] / scale for row in result["rows"]], marker="o", label=label)
        axes.set(xscale="log", yscale="log", xlabel="triples", ylabel=unit)
        axes.legend()
    return figure


def main() -> None:
    if _EXPLAIN.value is not None:
        print(json.dumps(explained(pathlib.Path(_EXPLAIN.value), _ASKED.value)))
        return
    sizes = whole_numbers("sizes", _SIZES.value)
    if min(sizes) < 1_000:
        raise InputError(f"{argument('sizes')} must be at least 1000; got {min(sizes)}.")
    folder = run_flags.run_dir("graph-growth")
    settings = {"sizes": list(sizes), "epochs": _EPOCHS.value, "asked": _ASKED.value, "training": list(_TRAINING)}
    with RunDir.begin(folder / NAME, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        rows = [measured(folder, size, _EPOCHS.value, _ASKED.value) for size in sizes]
        figures.save(growth_figure({"rows": rows}), stage.place("growth.png"))
        stage.finish({"rows": rows})
    print(as_text(frame(stage.result())))
    print(f"Written to {stage.path}: result.json, growth.png.")


if __name__ == "__main__":
    common.start(main)
