"""Table 5 of Lawrence et al. (2021): seconds of training and of explaining, on this machine.

python -m experiments.gr_table5

One core; leave the machine alone meanwhile. A time that was interrupted is no time: nothing is resumed.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from absl import flags

from experiments import explain_flags
from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.data.sources import published_name
from gr_tf.evaluation import times
from gr_tf.report import published
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir

for module in (explain_flags, run_flags, triple_flags):
    flags.adopt_module_key_flags(module)

NAME = "table5"


def frame(results: list[Mapping[str, Any]]) -> pd.DataFrame:
    """Table 5 for reading, from several result.json."""

    def paper(result: Mapping[str, Any], text: str) -> str:
        return "-" if result["paper_minutes"] is None else text.format(**result["paper_minutes"])

    return pd.DataFrame(
        {
            "dataset": [result["dataset"] for result in results],
            "model": [result["model"] for result in results],
            "training": [f"{result['training_seconds']:.1f} s" for result in results],
            "paper's training": [paper(result, "{training:g} min") for result in results],
            "explaining a prediction": [
                "{mean:.3f} +- {sd:.3f} s".format(**result["explaining_seconds"]) for result in results
            ],
            "paper's explaining": [paper(result, "{explaining_mean:g} +- {explaining_sd:g} min") for result in results],
            "peak memory": [f"{result['training_peak_bytes'] / 2**30:.2f} GB" for result in results],
            "of it the store": [f"{result['store_bytes'] / 2**30:.2f} GB" for result in results],
            "adjacent triples": ["{mean:,.0f} +- {sd:,.0f}".format(**result["num_adjacent"]) for result in results],
            "n": [result["num_queries"] for result in results],
        }
    )


def main() -> None:
    task = triple_flags.load_task()
    triples, config = task.dataset, task.config
    sample: dict[str, Any] = {
        "num_queries": explain_flags.num_queries(triples.name),
        "query_seed": explain_flags.QUERY_SEED.value,
        "right_if": explain_flags.RIGHT_IF_FLAG.value,
    }
    settings = {"checksums": dict(triples.checksums), "config": config.to_dict(), **sample}
    folder = run_flags.run_dir(f"{triples.name}-{config.model}-times") / NAME
    paper = published.TABLE_5.get(published_name(triples.checksums) or "") if config.model == "distmult" else None
    columns = ("training", "explaining_mean", "explaining_sd")
    with RunDir.begin(folder, settings, overwrite=run_flags.OVERWRITE.value) as stage:
        measured = times.measure(task, "gr", **sample)
        stage.finish(
            {
                "dataset": triples.name,
                "model": config.model,
                "steps": task.steps.kernel.name,
                **measured,
                "paper_minutes": None if paper is None else dict(zip(columns, paper, strict=True)),
            }
        )
    result = stage.result()
    print(as_text(frame([result])))
    print(f"Compiling made the first explanation take {result['first_explanation_seconds']:.1f} s.")
    print(f"{result['machine']['cpu']}, one core; the paper: GTX 1080 Ti, Nations on a CPU.")
    print(f"Written to {folder}.")


if __name__ == "__main__":
    common.start(main)
