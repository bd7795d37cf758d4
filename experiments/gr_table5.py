"""Table 5 of Lawrence et al. (2021): seconds of training and of explaining, on this machine.

python -m experiments.gr_table5

It uses one core; run nothing else meanwhile. Nothing is resumed: an interrupted measurement of time is worth nothing.
Other methods can be timed on the same predictions: --beside=criage.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from absl import flags

from experiments import sample_flags
from gr_tf.attribution.methods import check_task, method_of
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.data.sources import published_name
from gr_tf.errors import InputError, argument
from gr_tf.evaluation import times
from gr_tf.report import published
from gr_tf.report.tables import as_text, or_dash
from gr_tf.runs.run_dir import RunDir

common.adopt(run_flags, sample_flags, triple_flags)

_BESIDE = flags.DEFINE_list("beside", [], "Other methods that explain the same predictions.")


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Shows a row of Table 5, from result.json."""
    paper = result["paper_minutes"]
    row = {
        "dataset": result["dataset"],
        "model": result["model"],
        "training": f"{result['training_seconds']:.1f} s",
        "paper's training": or_dash(paper, "{0[training]:g} min"),
        "explaining a prediction": "{mean:.3f} +- {sd:.3f} s".format(**result["explaining_seconds"]),
        "paper's explaining": or_dash(paper, "{0[explaining_mean]:g} +- {0[explaining_sd]:g} min"),
        "peak memory": f"{result['training_peak_bytes'] / 2**30:.2f} GB",
        "of it the store": f"{result['store_bytes'] / 2**30:.2f} GB",
        "adjacent triples": "{mean:,.0f} +- {sd:,.0f}".format(**result["num_adjacent"]),
        "n": result["num_queries"],
    }
    return pd.DataFrame([row])


def beside_frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """What other methods take for the same predictions, a row each, after Gradient Rollback's; from result.json."""
    methods = {"gr": result, **result["beside"]}
    rows = [
        {
            "dataset": result["dataset"],
            "model": result["model"],
            "method": name,
            "explaining a prediction": "{mean:.3f} +- {sd:.3f} s".format(**of["explaining_seconds"]),
            "the first, with compiling": f"{of['first_explanation_seconds']:.1f} s",
            "triples that it ranks": "{mean:,.0f} +- {sd:,.0f}".format(**of["num_adjacent"]),
            "n": result["num_queries"],
        }
        for name, of in methods.items()
    ]
    return pd.DataFrame(rows)


def main() -> None:
    task = triple_flags.load_task()
    triples, config = task.dataset, task.config
    sample = sample_flags.of_flags(triples.name)
    beside = list(dict.fromkeys(_BESIDE.value))
    for method in beside:
        if method == "gr":
            raise InputError(f"{argument('beside')} names other methods than gr, which is timed anyway.")
        check_task(method_of(task.kind, method), task)
    settings = {"checksums": dict(triples.checksums), "config": config.to_dict(), "beside": beside, **sample}
    folder = run_flags.run_dir(f"{triples.name}-{config.model}-times") / "table5"
    paper = published.TABLE_5.get(published_name(triples.checksums) or "") if config.model == "distmult" else None
    with RunDir.begin(folder, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        told = {"dataset": triples.name, "model": config.model, "steps": task.steps.how}
        stage.finish({**told, **times.measure(task, "gr", beside=beside, **sample), "paper_minutes": paper})
    result = stage.result()
    print(as_text(frame(result)))
    if beside:
        print(as_text(beside_frame(result)))
    print(f"Compiling made the first explanation take {result['first_explanation_seconds']:.1f} s.")
    print(f"{result['machine']['cpu']}, one core; the paper: GTX 1080 Ti, Nations on a CPU.")
    print(f"Written to {folder}.")


if __name__ == "__main__":
    common.start(main)
