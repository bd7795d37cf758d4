"""What a prediction without a model reaches on the datasets of Table 4: is a model of them any good?

python -m experiments.gr_baselines
python -m experiments.gr_baselines --dataset=fb15k237 --data_dir=DATA/fb15k-237

It predicts the most frequent tails of the relation, ranked and filtered as Table 4 is.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gr_tf.commands import common, run_flags, triple_flags
from gr_tf.data.sources import published_name
from gr_tf.report import published
from gr_tf.report.tables import as_text, or_dash
from gr_tf.runs.run_dir import RunDir

common.adopt(run_flags, triple_flags)

NAME = "baselines"


def frame(result: Mapping[str, Any]) -> pd.DataFrame:
    """Shows the baseline in percent beside the paper's models, a row a metric, from result.json."""
    paper = result["paper"]
    rows = [
        {
            "dataset": result["dataset"],
            "metric": metric,
            result["prediction"]: f"{100 * value:.2f}",
            "paper's DistMult": or_dash(paper["distmult"].get(metric), "{:.2f}"),
            "paper's ComplEx": or_dash(paper["complex"].get(metric), "{:.2f}"),
        }
        for metric, value in result["baseline"]["test"].items()
    ]
    return pd.DataFrame(rows)


def main() -> None:
    task = triple_flags.load_task()
    triples = task.dataset
    settings = {"dataset": triples.name, "checksum": triples.checksum}
    folder = run_flags.run_dir(f"{triples.name}-baselines") / NAME
    paper = {
        model: published.TABLE_4.get((published_name(triples.checksums) or "", model), {})
        for model in ("distmult", "complex")
    }
    with RunDir.begin(folder, settings, overwrite=run_flags.OVERWRITE.value, reuse=True) as stage:
        if not stage.is_finished:
            told = {"dataset": triples.name, "prediction": task.baseline_name, "paper": paper}
            stage.finish({**told, "baseline": task.baselines()})
        result = stage.result()
    print(as_text(frame(result)))
    print(f"Written to {folder}.")


if __name__ == "__main__":
    common.start(main)
